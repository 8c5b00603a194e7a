"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.text import parse_names
from vosbench.harness.trials import Kind
from vosbench.runners.interface import Precision

if TYPE_CHECKING:
    from vosbench.harness.store import Selection

Db = Annotated[str, typer.Option("--db", help="Result database.")]
DEFAULT_DB = "results.db"
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="Its folder; else VOSBENCH_DATA or `data add`."),
]
Protocol = Annotated[
    str | None,
    typer.Option("--protocol", help="What to count, where a dataset leaves a choice."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Models = Annotated[list[str] | None, typer.Option("--models", help="Only these models.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only these datasets.")]
Sequences = Annotated[list[str] | None, typer.Option("--sequences", help="Only these sequences.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
PrecisionOf = Annotated[Precision, typer.Option("--precision", help=f"{', '.join(Precision)}.")]
Csv = Annotated[
    str | None, typer.Option("--csv", help="Write the values as CSV; - for standard output.")
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, max=4096, help="CPU threads; default: all cores.")
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
    from vosbench.runners.registry import absolute_name

    names = _recorded(models)
    return Selection(
        # As it was typed, too: older databases hold relative paths.
        models=tuple(dict.fromkeys([*names, *map(absolute_name, names)])),
        datasets=_recorded(datasets),
        studies=tuple(studies or ()),
        kinds=() if kind is None else (kind,),
    )


def _recorded(texts: list[str] | None) -> tuple[str, ...]:
    """Names to look for: the parts of comma lists, and what may be one name with commas."""
    whole = [text.strip() for text in texts or () if "," in text]
    return tuple(dict.fromkeys((*parse_names(texts or ()), *whole)))


def pairs(texts: list[str] | None, option: str) -> dict[str, str]:
    """Parse NAME=VALUE options."""
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"{option} {text}: write NAME=VALUE")
        found[name] = value
    return found
