"""``vosbench report``: the paper's figures and tables, from the database."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from vosbench.harness.store import Selection
    from vosbench.reports.dressing import Dressing
    from vosbench.reports.figures import FigureOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    fig: Annotated[str | None, typer.Option("--fig", help="A figure by name; see --list.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="1, 2, 3, 4, or results.")] = None,
    claims: Annotated[bool, typer.Option("--claims", help="Check the claims of the text.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All that the database has.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List figures and tables.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE|DIR", help="Format by extension; a folder for --all."),
    ] = None,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    sequence: Annotated[
        str | None,
        typer.Option("--sequences", "--sequence", metavar="NAME", help="For figures of one."),
    ] = None,
    tau: Annotated[
        str | None, typer.Option("--tau", help="The threshold, for figures of one.")
    ] = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", min=0, max=1, help="high-iou: mean IoU of its sequences."),
    ] = 0.8,
    published: Annotated[
        bool, typer.Option("--published", help="Draw the paper's numbers too.")
    ] = False,
    published_counting: Annotated[
        bool,
        typer.Option("--published-counting", help="Reuse rates with the first frame as reused."),
    ] = False,
    metric: Annotated[
        str | None, typer.Option("--metric", help="What curves show in place of J&F, by its name.")
    ] = None,
    width: Annotated[
        str | None,
        typer.Option("--width", metavar="WIDTH", help="Made for a page: 3.25in, 6.875in, 83mm."),
    ] = None,
    title: Annotated[bool, typer.Option("--title/--no-title", help="Draw its title.")] = True,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", metavar="NAME=TEXT", help="Call a model so; repeatable."),
    ] = None,
    rows: Annotated[
        list[str] | None,
        typer.Option("--rows", metavar="NAME[=TEXT]", help="Tables: these models, called so."),
    ] = None,
    style: Annotated[
        Path | None,
        typer.Option("--style", metavar="FILE", help="Its own looks: .mplstyle or .toml."),
    ] = None,
) -> None:
    """Make figures and tables, published beside measured, each with its data as CSV."""
    asked = [fig is not None, table is not None, claims, everything, listing]
    if sum(asked) != 1:
        raise InputError("ask for one of --fig NAME, --table N, --claims, --all or --list")
    where = options.selection(models, dataset, study)
    if listing:
        _list()
    elif fig is not None or everything:
        from vosbench.reports.figures import FigureOptions
        from vosbench.reports.style import Sheet

        chosen = FigureOptions(
            sequence=sequence,
            tau=parse_taus([tau])[0] if tau is not None else None,
            iou_from=threshold,
            published=published,
            published_counting=published_counting,
            metric=metric,
            sheet=Sheet(None if width is None else _inches(width), title=title),
            dressing=_dressing(style, labels),
            command=shlex.join(["vosbench", *sys.argv[1:]]),
        )
        if fig is not None:
            _figure(fig, db, where, out, chosen)
            return
        _everything(db, where, out or Path("report"), chosen)
    else:
        _table(table, db, where, out, _rows(rows), parse_taus([tau]) if tau else ())


_UNITS = {"in": 1.0, "": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4, "pt": 1 / 72.27}
"""Inches in a unit; TeX's point."""


def _inches(text: str) -> float:
    """``3.25in``, ``83mm``, … as inches."""
    found = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(in|cm|mm|pt|)", text.strip())
    if found is None:
        raise InputError(f"--width {text}: write a length, e.g. 3.25in, 8.25cm, 83mm or 237pt")
    return float(found[1]) * _UNITS[found[2]]


def _dressing(style: Path | None, labels: list[str] | None) -> Dressing:
    from vosbench.reports.dressing import PLAIN, load_style, over

    return over(PLAIN if style is None else load_style(style), options.pairs(labels, "--labels"))


def _list() -> None:
    from vosbench.reports.figures import figure_kind, figure_names
    from vosbench.reports.tables import table_names

    console = Terminal()
    for name in figure_names():
        try:
            summary = figure_kind(name).summary
        except InputError as error:
            summary = f"broken: {error}"
        console.say(f"--fig {name:<17}{summary}")
    console.say(f"--table {', '.join(table_names())}, results")
    console.say("--claims")


def _figure(name: str, db: str, where: Selection, out: Path | None, chosen: FigureOptions) -> None:
    from vosbench.reports.figures import make_figure

    with waiting(f"drawing {name}"):
        files = make_figure(name, db, where, out or Path(f"{name}.png"), chosen)
    say("wrote " + " and ".join(map(str, files)))


def _everything(db: str, where: Selection, folder: Path, chosen: FigureOptions) -> None:
    from vosbench.reports.everything import report_all

    with waiting("report") as tell:
        made = report_all(db, folder, where, options=chosen, tell=tell)
    for item in made.missing:
        say(f"not made: {item.name}: {item.reason}")
    say(f"wrote {len(made.made)} items; see {made.index}")


def _rows(texts: list[str] | None) -> dict[str, str]:
    """``NAME`` or ``NAME=TEXT`` each."""
    return {name.strip(): text for name, _, text in (row.partition("=") for row in texts or ())}


def _table(
    name: str | None,
    db: str,
    where: Selection,
    out: Path | None,
    rows: dict[str, str],
    taus: Sequence[Decimal],
) -> None:
    from vosbench.reports.results_table import NAME, results_rich, results_table
    from vosbench.reports.table_render import to_rich, write_table
    from vosbench.reports.tables import check_claims, make_table

    if name == NAME:
        with waiting("reading results"):
            found = results_table(db, where, rows, taus)
        if out is None:
            Terminal().print(results_rich(found))
        else:
            say(f"wrote {write_table(found, out)}")
        return
    with waiting("reading results"):
        table = check_claims(db, where) if name is None else make_table(name, db, where, rows)
    if out is None:
        Terminal().print(to_rich(table))
    else:
        say(f"wrote {write_table(table, out)}")
