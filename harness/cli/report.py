"""``vosbench report``: the paper's figures and tables, from the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.text.output import say
from vosbench.harness.text.terminal import Terminal

if TYPE_CHECKING:
    from vosbench.harness.store import Selection
    from vosbench.reports.figures import FigureOptions


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    fig: Annotated[str | None, typer.Option("--fig", help="A figure by name; see --list.")] = None,
    table: Annotated[str | None, typer.Option("--table", help="Table 1, 2, 3 or 4.")] = None,
    claims: Annotated[bool, typer.Option("--claims", help="Check the claims of the text.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="All that the database has.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List figures and tables.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File (format by extension), or folder for --all."),
    ] = None,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    sequence: Annotated[
        str | None, typer.Option("--sequence", help="The clip, for figures of one clip.")
    ] = None,
    tau: Annotated[
        str | None, typer.Option("--tau", help="The threshold, for figures of one.")
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Draw the paper's numbers too.")
    ] = False,
    published_counting: Annotated[
        bool,
        typer.Option("--published-counting", help="Reuse rates with the first frame as reused."),
    ] = False,
) -> None:
    """Make figures and tables, published beside measured, each with its data as CSV."""
    asked = [fig is not None, table is not None, claims, everything, listing]
    if sum(asked) != 1:
        raise InputError("ask for one of --fig NAME, --table N, --claims, --all or --list")
    where = options.selection(models, dataset, study)
    if listing:
        _list()
    elif fig is not None:
        chosen = _figure_options(sequence, tau, published, published_counting)
        _figure(fig, db, where, out, chosen)
    elif everything:
        chosen = _figure_options(sequence, tau, published, published_counting)
        _everything(db, where, out or Path("report"), chosen)
    else:
        _table(table, db, where, out)


def _figure_options(
    sequence: str | None, tau: str | None, published: bool, published_counting: bool
) -> FigureOptions:
    from vosbench.reports.figures import FigureOptions

    return FigureOptions(
        sequence=sequence,
        tau=parse_taus([tau])[0] if tau is not None else None,
        published=published,
        published_counting=published_counting,
    )


def _list() -> None:
    from vosbench.reports.figures import figure_kind, figure_names
    from vosbench.reports.tables import table_names

    console = Terminal()
    for name in figure_names():
        console.say(f"--fig {name:<17}{figure_kind(name).summary}")
    console.say(f"--table {', '.join(table_names())}")
    console.say("--claims")


def _figure(name: str, db: str, where: Selection, out: Path | None, chosen: FigureOptions) -> None:
    from vosbench.reports.figures import make_figure

    files = make_figure(name, db, where, out or Path(f"{name}.png"), chosen)
    say("wrote " + " and ".join(map(str, files)))


def _everything(db: str, where: Selection, folder: Path, chosen: FigureOptions) -> None:
    from vosbench.reports.everything import report_all

    made = report_all(db, folder, where, options=chosen)
    for item in made.missing:
        say(f"not made: {item.name}: {item.reason}")
    say(f"wrote {len(made.made)} items; see {made.index}")


def _table(name: str | None, db: str, where: Selection, out: Path | None) -> None:
    from vosbench.reports.tables import check_claims, make_table, to_rich, write_table

    table = check_claims(db, where) if name is None else make_table(name, db, where)
    if out is None:
        Terminal().print(to_rich(table))
    else:
        say(f"wrote {write_table(table, out)}")
