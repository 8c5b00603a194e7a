"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.sweep.grid import parse_names
from vosbench.harness.sweep.trials import Kind

if TYPE_CHECKING:
    from vosbench.harness.store import Selection

Db = Annotated[
    str, typer.Option("--db", help="Result database: a file, or a postgresql+psycopg:// URL.")
]
DEFAULT_DB = "results.db"
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="Folder of the dataset; else VOSBENCH_DATA or `data add`."),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        "--protocol", help="What to count, where a dataset can be scored in several ways."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Models = Annotated[
    list[str] | None, typer.Option("--models", help="Only these models (comma list).")
]
Datasets = Annotated[
    list[str] | None, typer.Option("--dataset", help="Only these datasets (comma list).")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads; default: all cores.")
]
Study = Annotated[list[str] | None, typer.Option("--study", help="Only trials of these studies.")]
KindFilter = Annotated[Kind | None, typer.Option("--kind", help="Only this kind of trial.")]


def selection(
    models: list[str] | None,
    datasets: list[str] | None,
    studies: list[str] | None,
    kind: Kind | None = None,
) -> Selection:
    """Which trials a report is about."""
    from vosbench.harness.store import Selection

    return Selection(
        models=parse_names(models or ()),
        datasets=parse_names(datasets or ()),
        studies=tuple(studies or ()),
        kinds=() if kind is None else (kind,),
    )


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Parse NAME=VALUE options."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {text}: write NAME=VALUE")
        found[name] = value
    return found
