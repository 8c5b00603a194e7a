"""Baselines: named sets of trials in a result database, and the verdicts against them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.comparison import Comparison
from vosbench.harness.regression.measured import MeasuredTrial, Run, read_run, read_trials
from vosbench.harness.regression.points import by_point
from vosbench.harness.regression.portable import load_run
from vosbench.harness.store import Database, Selection, State, open_database
from vosbench.harness.store.database import Source
from vosbench.harness.store.models import Baseline, BaselineTrial, Trial, Verdict
from vosbench.harness.store.selection import EVERYTHING
from vosbench.harness.trials import Kind

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
    version = _version(chosen)

    def work(connection: Connection) -> None:
        connection.execute(delete(Baseline).where(Baseline.name == name))
        baseline = connection.scalar(
            insert(Baseline)
            .values(name=name, filters=selection_text(where), version=version)
            .returning(Baseline.id)
        )
        connection.execute(
            insert(BaselineTrial),
            [{"baseline_id": baseline, "trial_id": trial.trial_id} for trial in chosen],
        )

    database.write(work)
    return baseline_record(database, name)


def _version(trials: Sequence[MeasuredTrial]) -> str:
    versions = sorted({trial.version for trial in trials if trial.version})
    text = ", ".join(versions)
    return text if len(text) <= _VERSION_LENGTH else f"{len(versions)} versions"


def list_baselines(database: Database) -> tuple[BaselineRecord, ...]:
    """All baselines, by name."""
    names = database.read(
        lambda connection: connection.scalars(select(Baseline.name).order_by(Baseline.name)).all()
    )
    return tuple(baseline_record(database, name) for name in names)


def baseline_record(database: Database, name: str) -> BaselineRecord:
    """One baseline; ``InputError`` that lists the others if there is none of that name."""

    def work(connection: Connection) -> BaselineRecord:
        row = connection.execute(
            select(Baseline.__table__).where(Baseline.id == _id(connection, name))
        ).one()
        trials = read_trials(connection, [_members(row.id)])
        return BaselineRecord(
            name=name,
            where=parse_selection(row.filters),
            version=row.version,
            database=database.address.text,
            trials=len(trials),
            points=len(by_point(trials)),
            created_at=row.created_at,
        )

    return database.read(work)


def read_baseline(database: Database, name: str) -> Run:
    """The trials of a baseline, as the base of a comparison; ``InputError`` if there is none."""

    def work(connection: Connection) -> Run:
        baseline = _id(connection, name)
        source = f"baseline {name} in {database.address.text}"
        return Run(source, read_trials(connection, [_members(baseline)]))

    return database.read(work)


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


def remove_baseline(database: Database, name: str) -> None:
    """Forget a baseline and its verdicts; its trials stay. ``InputError`` if there is none."""

    def work(connection: Connection) -> None:
        connection.execute(delete(Baseline).where(Baseline.id == _id(connection, name)))

    database.write(work)


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

    def work(connection: Connection) -> int:
        baseline = _id(connection, name)
        for row in rows:
            connection.execute(
                delete(Verdict).where(
                    Verdict.baseline_id == baseline,
                    Verdict.trial_id == row["trial_id"],
                    Verdict.metric == row["metric"],
                )
            )
        if rows:
            connection.execute(insert(Verdict), [row | {"baseline_id": baseline} for row in rows])
        return len(rows)

    return database.write(work)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _id(connection: Connection, name: str) -> int:
    found = connection.scalar(select(Baseline.id).where(Baseline.name == name))
    if found is None:
        names = connection.scalars(select(Baseline.name).order_by(Baseline.name).limit(10)).all()
        have = f"there are {', '.join(names)}" if names else "set one with `vosbench baseline set`"
        raise InputError(f"no baseline {name!r} in this database: {have}")
    return found


def _members(baseline: int) -> ColumnElement[bool]:
    members = select(BaselineTrial.trial_id).where(BaselineTrial.baseline_id == baseline)
    return Trial.id.in_(members)


def selection_text(where: Selection) -> str:
    """A selection as the store keeps it: JSON of the fields that are set."""
    values = {field.name: list(getattr(where, field.name)) for field in fields(where)}
    return json.dumps({name: value for name, value in values.items() if value}, sort_keys=True)


def parse_selection(text: str) -> Selection:
    """What :func:`selection_text` wrote."""
    values: Mapping[str, list[str]] = json.loads(text)
    known = {field.name for field in fields(Selection)}
    chosen = {name: tuple(value) for name, value in values.items() if name in known}
    states = tuple(State(value) for value in chosen.pop("states", ()))
    kinds = tuple(Kind(value) for value in chosen.pop("kinds", ()))
    return Selection(**chosen, states=states, kinds=kinds)
