"""The parts that all figures share: panels, title, legend, remarks, labels that don't overlap."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from vosbench.reports.style import NOTE_COLOUR, SMALLEST_PT, caption, readable, sheet

MOST_PANELS = 6
"""More than that can't be read in one figure."""

MOST_ENTRIES = 40
"""Entries of a legend; more of them push the panels out of sight."""

_HANDLE_CHARACTERS = 7
_NARROWEST_PANEL_IN = 2.3


@dataclass(frozen=True)
class _Type:
    """How much the legend's type takes: characters an inch, and the height of its lines."""

    characters: float
    line_in: float


def _type() -> _Type:
    return _Type(16.0, 0.155) if sheet().paper else _Type(13.5, 0.19)


def panels(
    names: Sequence[str],
    *,
    columns: int | None = None,
    width: float = 4.4,
    height: float = 3.5,
    tall: bool = False,
) -> Panels:
    """A figure with one titled panel a name; sizes in inches, one panel alone is larger.

    On a page as wide as the page, with as many panels beside one another as can be read; lower
    than they would be, unless ``tall``.
    """
    count = len(names)
    alone = count == 1 and columns is None
    columns = columns or (count if count <= 3 else math.ceil(count / 2))
    page_in = sheet().width_in
    if page_in is not None:
        columns = min(columns, max(1, int(page_in / _NARROWEST_PANEL_IN)))
    rows = math.ceil(count / columns)
    size = (7.4, 4.6) if alone else (width * columns, height * rows + 0.8)
    if page_in is not None:
        shape = 4.6 / 7.4 if alone else height / width
        own_in = height * 0.62 if tall else page_in / columns * min(shape, 0.72)
        size = (page_in, own_in * rows + 0.1)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    if sheet().paper and count == 1:
        caption().notes += filter(None, names)
        names = [""]
    for axes, name in zip(grid.flat, names, strict=False):
        axes.set_title(textwrap.fill(name, int(size[0] / columns * _type().characters * 0.78)))
    for axes in grid.flat[count:]:
        axes.set_axis_off()
    return Panels(figure, tuple(grid.flat[:count]), columns)


@dataclass(frozen=True)
class Panels:
    """A figure's panels, row by row."""

    figure: Figure
    axes: tuple[Axes, ...]
    columns: int

    def label(self, x: str, y: str) -> None:
        """Name the axes once a column and once a row."""
        for index, axes in enumerate(self.axes):
            if index + self.columns >= len(self.axes):
                axes.set_xlabel(x)
            if index % self.columns == 0:
                axes.set_ylabel(y)


def finish(
    figure: Figure,
    title: str,
    remark: str = "",
    handles: Sequence[Artist] = (),
    labels: Sequence[str] = (),
) -> None:
    """Put the title above, legend and remarks below, outside the panels.

    On a page title and remarks go to the caption.
    """
    if len(labels) > MOST_ENTRIES:
        more = f"the legend names {MOST_ENTRIES} of {len(labels)}; the CSV has all"
        remark = f"{remark}\n{more}".lstrip()
        handles, labels = handles[:MOST_ENTRIES], labels[:MOST_ENTRIES]
    if not sheet().paper:
        remark = "\n".join(filter(None, [remark, *caption().notes]))
    caption().title = title
    width_in, kind = figure.get_figwidth(), _type()
    if sheet().title:
        across = int(width_in * kind.characters * 0.74)
        figure.suptitle(textwrap.fill(title, across), x=0.01, ha="left", weight="bold")
    if sheet().paper:
        caption().notes += remark.splitlines()
        remark = ""
    if not handles and not remark:
        return
    across = int(width_in * kind.characters)
    lines = [
        part
        for line in remark.splitlines()
        for part in textwrap.wrap(line, across, break_on_hyphens=False)
    ]
    longest = max((len(label) for label in labels), default=1) + _HANDLE_CHARACTERS
    columns = min(max(1, across // longest), max(1, len(labels)))
    legend = figure.legend(
        list(handles),
        list(labels),
        loc="outside lower center",
        ncols=columns,
        title="\n".join(lines) or None,
        alignment="left",
    )
    legend.get_title().set(color=NOTE_COLOUR, style="italic", ha="left")
    # The legend gets room of its own: it must not squeeze the panels.
    rows = math.ceil(len(labels) / columns) + len(lines)
    figure.set_figheight(figure.get_figheight() + rows * kind.line_in)


def shown(names: Iterable[object], most: int, what: str) -> tuple[list[str], str]:
    """The first ``most`` different names, and a remark where there are more."""
    found = [str(name) for name in dict.fromkeys(names)]
    if len(found) <= most:
        return found, ""
    return found[:most], f"the first {most} of {len(found)} {what}; filter to see others"


def percent_axis(axes: Axes, *, x: bool = False, y: bool = False) -> None:
    """Write fractions 0..1 as percent."""
    written = FuncFormatter(lambda value, _: f"{100 * value:.6g}")
    if x:
        axes.xaxis.set_major_formatter(written)
    if y:
        axes.yaxis.set_major_formatter(written)


def maybe_log(axes: Axes, values: NDArray[np.float64], which: str) -> None:
    """A logarithmic axis, with plain numbers, where values span more than a factor of 12."""
    finite = values[np.isfinite(values) & (values > 0)]
    if not len(finite) or finite.max() / finite.min() < 12:
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(10, (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda _, __: ""))


@dataclass(frozen=True)
class PointLabel:
    """A short text to stand near a point of ``axes``, in data coordinates; "" keeps the point
    itself free of the texts of others."""

    axes: Axes
    x: float
    y: float
    text: str
    colour: str


MOST_LABELS = 300
"""Points in a figure up to which they are labelled."""

_SAME_PX = 16.0
"""Points nearer than that, at 100 dots per inch, can share a label."""

_OFFSETS = ((0, 7), (0, -13), (11, -3), (-11, -3), (9, 6), (-9, 6), (9, -12), (-9, -12))
"""Where a label may stand, in points from its point, the best place first."""


def place_labels(figure: Figure, labels: Sequence[PointLabel]) -> int:
    """Write each label where it covers no other label or point; leave it out where it can't.

    Among more than :data:`MOST_LABELS` points none would be read, so none is written. Call it when
    everything else is drawn; returns how many were written.
    """
    if sum(bool(label.text) for label in labels) > MOST_LABELS:
        return 0
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    points_px = figure.dpi / 72 * 3.2
    taken = [
        Bbox.from_bounds(x - points_px, y - points_px, 2 * points_px, 2 * points_px)
        for x, y in (label.axes.transData.transform((label.x, label.y)) for label in labels)
    ]
    written = 0
    said: list[tuple[str, float, float]] = []
    for label in filter(lambda label: label.text, labels):
        x_px, y_px = label.axes.transData.transform((label.x, label.y))
        if any(
            text == label.text and math.hypot(x_px - x, y_px - y) < _SAME_PX for text, x, y in said
        ):
            continue  # curves that lie on one another share a label
        for offset in _OFFSETS:
            text = label.axes.annotate(
                label.text, (label.x, label.y), offset, textcoords="offset points",
                color=readable(label.colour), ha="center", fontsize=SMALLEST_PT,
                annotation_clip=True, zorder=4,
                bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.2, "linewidth": 0},
            )  # fmt: skip
            # Labels must not move the layout that their places were found in.
            text.set_in_layout(False)
            box = text.get_window_extent(renderer)
            inside = label.axes.get_window_extent(renderer)
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1
            fits = fits and inside.y0 <= box.y0 and box.y1 <= inside.y1
            if fits and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                said.append((label.text, x_px, y_px))
                written += 1
                break
            text.remove()
    return written
