"""From a name to a file: choose the figure, read its data, draw it, write both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection
from vosbench.reports import style
from vosbench.reports.captions import write_captions
from vosbench.reports.export import export_frame
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.figures.published_points import has_printed
from vosbench.reports.frames import curves_and_models
from vosbench.runners.plugins import Registry

USUAL = FigureOptions()
EVERYTHING = Selection()
FIGURES = Registry("vosbench.figures", "figure")


def figure_names() -> tuple[str, ...]:
    """The figures that there are."""
    return FIGURES.names()


def figure_kind(name: str) -> FigureKind:
    """The figure of that name; raises InputError if there is none (with the nearest), or a broken
    one."""
    kind = FIGURES.get(name)
    if not isinstance(kind, FigureKind) or kind.name != name:
        raise InputError(f"figure '{name}' can't be used: it is no FigureKind of that name")
    return kind


def figure_data(
    name: str,
    source: Readable,
    where: Selection = EVERYTHING,
    options: FigureOptions = USUAL,
) -> pd.DataFrame:
    """What a figure plots, never empty.

    Raises:
        InputError: unknown name, unreadable database, or no data; says which run makes it.
    """
    kind = figure_kind(name)
    if options.metric is not None and not kind.takes_metric:
        raise InputError(f"figure {name} has no axis for --metric: take a figure of curves")
    options.dressing.check(curves_and_models(source))
    data = options.dressing.dressed(kind.data(source, where, options))
    if data.empty and options.metric is not None:
        what = f"no {kind.needs} with {options.metric} for figure {name}"
        raise InputError(f"{what}: see which trials have it with `vosbench results --json`")
    if data.empty:
        raise InputError(f"no {kind.needs} for figure {name}: run e.g. `{kind.command}`")
    return data


def draw_figure(name: str, data: pd.DataFrame, made_for: style.Sheet = style.SCREEN) -> Figure:
    """A figure of :func:`figure_data`'s frame, for :func:`vosbench.reports.style.save`."""
    with style.styled(made_for):
        return figure_kind(name).draw(data)


def make_figure(
    name: str,
    source: Readable,
    where: Selection = EVERYTHING,
    out: Path = Path("figure.png"),
    options: FigureOptions = USUAL,
) -> list[Path]:
    """Write a figure and, beside it, what it plots as CSV; returns all paths, the CSV's last.

    A figure for a page has a caption beside it, as LaTeX and as Markdown.

    Args:
        name: one of :func:`figure_names`.
        source: a file, a URL, or an open database.
        where: which trials; kinds and states are the figure's own.
        out: the file; png, svg or pdf by its extension.
        options: see :class:`FigureOptions`.

    Raises:
        InputError: unknown name or extension, no data, or a place that can't be written.
    """
    return make_figures(name, source, where, [out], options)


def make_figures(
    name: str, source: Readable, where: Selection, outs: list[Path], options: FigureOptions = USUAL
) -> list[Path]:
    """As :func:`make_figure`, in several formats; one CSV beside the first."""
    for out in outs:
        style.checked_format(out)
    data = figure_data(name, source, where, options)
    kind, sheet = figure_kind(name), options.sheet
    made_for = replace(sheet, settings={**options.dressing.settings, **sheet.settings})
    with style.styled(made_for) as caption:
        if options.published and not has_printed(data):
            caption.notes.append("the paper prints no numbers that this figure could show")
        figure = kind.draw(data)
        for out in outs:
            style.save(figure, out)
    captions = write_captions(caption, outs[0], options.command) if sheet.paper else []
    return [*outs, *captions, export_frame(data, outs[0].with_suffix(".csv"))]
