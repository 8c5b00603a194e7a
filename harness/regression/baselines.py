"""Baselines: named sets of trials in a result database, and the verdicts against them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.comparison import Comparison
from vosbench.harness.regression.points import by_point
from vosbench.harness.regression.portable import load_run
from vosbench.harness.store import Database, Selection, open_database
from vosbench.harness.store.baselines import (
    baseline_names,
    put_baseline,
    put_verdicts,
    stored_baseline,
)
from vosbench.harness.store.database import Source
from vosbench.harness.store.measured import MeasuredTrial, Run, read_run
from vosbench.harness.store.selection import EVERYTHING

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}")
_VERSION_LENGTH = 255


@dataclass(frozen=True)
class BaselineRecord:
    """A baseline as it is stored.

    Attributes:
        where: the filters that chose its trials.
        version: of the program that measured them, with its commit; several, comma-separated.
        database: where it is.
        trials, points: how many of each.
        created_at: seconds since 1970.
    """

    name: str
    where: Selection
    version: str
    database: str
    trials: int
    points: int
    created_at: float


def set_baseline(
    database: Database, name: str, where: Selection = EVERYTHING, *, commit: str | None = None
) -> BaselineRecord:
    """Name the trials that later ones are compared with; an older baseline of that name goes.

    Of each grid point the set of weights that was measured last is taken.

    Args:
        database: open for writing.
        name: letters, digits and ``._/-``.
        where: which trials; only complete ones count.
        commit: only those of a version that contains this text.

    Raises:
        InputError: a name of another form, or no complete trial.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"baseline name {name!r}: use letters, digits and . _ / -")
    run = read_run(database, where, commit=commit)
    chosen = [trial for point in by_point(run.trials).values() for trial in point.trials]
    if not chosen:
        raise InputError(
            f"no complete trial in {run.source} meets the filters: nothing to set as {name!r}"
        )
    rows = [trial.trial_id for trial in chosen if trial.trial_id is not None]
    put_baseline(database, name, where, _version(chosen), rows)
    return baseline_record(database, name)


def _version(trials: Sequence[MeasuredTrial]) -> str:
    versions = sorted({trial.version for trial in trials if trial.version})
    text = ", ".join(versions)
    return text if len(text) <= _VERSION_LENGTH else f"{len(versions)} versions"


def list_baselines(database: Database) -> tuple[BaselineRecord, ...]:
    """All baselines, by name."""
    return tuple(baseline_record(database, name) for name in baseline_names(database))


def baseline_record(database: Database, name: str) -> BaselineRecord:
    """One baseline; ``InputError`` that lists the others if there is none of that name."""
    stored = stored_baseline(database, name)
    return BaselineRecord(
        name=name,
        where=stored.where,
        version=stored.version,
        database=database.address.text,
        trials=len(stored.trials),
        points=len(by_point(stored.trials)),
        created_at=stored.created_at,
    )


def read_baseline(database: Database, name: str) -> Run:
    """The trials of a baseline, as the base of a comparison; ``InputError`` if there is none."""
    source = f"baseline {name} in {database.address.text}"
    return Run(source, stored_baseline(database, name).trials)


def read_base(text: str, database: Source | Database) -> Run:
    """What ``--baseline`` names: a portable file if it ends in ``.json``, else a baseline.

    Args:
        text: a file's path or a baseline's name.
        database: where the baseline is; untouched if it is a file.

    Raises:
        InputError: neither is there, or it can't be read.
    """
    if text.endswith(".json"):
        return load_run(Path(text))
    if isinstance(database, Database):
        return read_baseline(database, text)
    with open_database(database, read_only=True) as opened:
        return read_baseline(opened, text)


def record_verdicts(database: Database, name: str, comparison: Comparison) -> int:
    """Keep a comparison's findings with the baseline; returns how many.

    Only those of trials that are in the same database can be kept. Earlier findings on the same
    trial and metric are replaced.
    """
    rows = [
        {
            "trial_id": finding.trial_id,
            "metric": finding.metric.name,
            "verdict": finding.verdict.value,
            "change": None if finding.measured is None else finding.measured.change,
            "change_low": None if finding.measured is None else _finite(finding.measured.low),
            "change_high": None if finding.measured is None else _finite(finding.measured.high),
            "reason": finding.reason,
        }
        for point in comparison.points
        for finding in point.findings
        if finding.trial_id is not None
    ]
    put_verdicts(database, name, rows)
    return len(rows)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
