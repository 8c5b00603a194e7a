"""What was measured: trials with their numbers, read from a result database."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from vosbench.baselines.errors import InputError
from vosbench.harness.store.database import Database, Source, open_database
from vosbench.harness.store.importing import IMPORTED_FROM, MEASURED_AT
from vosbench.harness.store.models import (
    Attempt,
    Environment,
    SequenceMetric,
    SequenceResult,
    State,
    Trial,
    TrialMetric,
)
from vosbench.harness.store.records import SPEC_COLUMNS, spec_of
from vosbench.harness.store.selection import EVERYTHING, Selection, object_metrics
from vosbench.harness.trials import ClipResult, TrialSpec


@dataclass(frozen=True)
class Machine:
    """The stable part of a machine; its key is the comparability key of timings."""

    key: str
    device: str
    stable: Mapping[str, Any]


@dataclass(frozen=True)
class MeasuredTrial:
    """A trial that ended, with its numbers.

    Attributes:
        spec: what was measured.
        state, error: how it ended; numbers are there only if it is complete.
        version: the program's version, with its commit where known; None if never tried.
        started_at: when its last attempt began, seconds since 1970; with the key it tells one
            measurement from another.
        machine: where it ran; None if unknown.
        aggregates: scalars over all clips, NaN where unknown.
        clips: scalars per clip and object, without series, in the order of the spec.
        trial_id: row of the database it was read from; None if from a file.
    """

    spec: TrialSpec
    state: State
    error: str | None
    version: str | None
    started_at: float | None
    machine: Machine | None
    aggregates: Mapping[str, float]
    clips: tuple[ClipResult, ...]
    trial_id: int | None = None

    @property
    def measurement(self) -> tuple[str, float | None]:
        """Equal only for one and the same measurement, also through a file."""
        return (self.spec.key, self.started_at)


@dataclass(frozen=True)
class Run:
    """Trials to compare, and where they are from, for people."""

    source: str
    trials: tuple[MeasuredTrial, ...]

    @property
    def versions(self) -> tuple[str, ...]:
        """The distinct versions behind it, in the order in which they first ran."""
        ordered = sorted(self.trials, key=lambda trial: trial.started_at or 0.0)
        return tuple(dict.fromkeys(trial.version for trial in ordered if trial.version))

    def without(self, other: Run) -> Run:
        """The trials that were measured anew, not taken from ``other``."""
        known = {trial.measurement for trial in other.trials}
        return Run(self.source, tuple(t for t in self.trials if t.measurement not in known))


ENDED = (State.COMPLETE, State.FAILED, State.SKIPPED)


def read_run(
    source: Source | Database, where: Selection = EVERYTHING, *, commit: str | None = None
) -> Run:
    """The ended trials of a database.

    Args:
        source: a file, a URL, or an open database.
        where: which trials.
        commit: only those of a version that contains this text.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    if not isinstance(source, Database):
        with open_database(source, read_only=True) as database:
            return read_run(database, where, commit=commit)
    trials = source.read(lambda connection: read_trials(connection, where.conditions()))
    if commit is not None:
        trials = tuple(trial for trial in trials if commit in (trial.version or ""))
        if not trials:
            raise InputError(
                f"no results of {commit!r} in {source.address.text}: see its `version`"
            )
    return Run(source.address.text, trials)


def read_trials(
    connection: Connection, conditions: Sequence[ColumnElement[bool]]
) -> tuple[MeasuredTrial, ...]:
    """The ended trials that meet conditions on :class:`Trial`, in the order of their rows."""
    wanted = (Trial.state.in_(ENDED), *conditions)
    rows = connection.execute(
        select(
            Trial.id, Trial.state, Trial.error, *SPEC_COLUMNS,
            Attempt.version, Attempt.started_at,
            Attempt.annotations,
            Environment.key.label("machine_key"), Environment.device, Environment.stable,
        )
        .outerjoin(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
        .outerjoin(Environment, Environment.id == Attempt.environment_id)
        .where(*wanted)
        .order_by(Trial.id)
    ).all()  # fmt: skip
    aggregates = connection.execute(
        select(TrialMetric.trial_id, TrialMetric.name, TrialMetric.value)
        .join(Trial, Trial.id == TrialMetric.trial_id)
        .where(*wanted)
    )
    values = _by_owner((row.trial_id, row.name, row.value) for row in aggregates)
    clips = _clips(connection, wanted)
    return tuple(_trial(row, values[row.id], clips[row.id]) for row in rows)


def _trial(row: Row[Any], values: Mapping[str, float], clips: list[ClipResult]) -> MeasuredTrial:
    spec = spec_of(row)
    places = {name: place for place, name in enumerate(spec.sequences)}
    is_complete = row.state is State.COMPLETE
    machine = None
    if row.machine_key is not None:
        machine = Machine(row.machine_key, row.device, row.stable)
    return MeasuredTrial(
        spec=spec,
        state=row.state,
        error=row.error,
        version=row.version,
        started_at=_measured_at(row),
        machine=machine,
        aggregates=values if is_complete else {},
        clips=tuple(sorted(clips, key=lambda c: places[c.sequence])) if is_complete else (),
        trial_id=row.id,
    )


def _measured_at(row: Row[Any]) -> float | None:
    annotations = row.annotations or {}
    began: float | None = row.started_at
    if IMPORTED_FROM in annotations:
        began = annotations.get(MEASURED_AT)
    return began


def _clips(
    connection: Connection, wanted: tuple[ColumnElement[bool], ...]
) -> Mapping[int, list[ClipResult]]:
    """Clips by trial, without their series."""
    results = connection.execute(
        select(SequenceResult.__table__)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(*wanted)
    ).all()
    scalars = connection.execute(
        select(SequenceMetric.sequence_result_id, SequenceMetric.name, SequenceMetric.value)
        .join(SequenceResult, SequenceResult.id == SequenceMetric.sequence_result_id)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(*wanted)
    )
    metrics = _by_owner((row.sequence_result_id, row.name, row.value) for row in scalars)
    per_object = connection.execute(object_metrics(wanted))
    by_object = _by_owner(
        ((row.sequence_result_id, row.object_id), row.name, row.value) for row in per_object
    )
    clips: dict[int, list[ClipResult]] = defaultdict(list)
    for row in results:
        clips[row.trial_id].append(
            ClipResult(
                sequence=row.sequence,
                object_ids=row.object_ids,
                frames=row.frames,
                mask_sha256=row.mask_sha256,
                metrics=metrics[row.id],
                object_metrics={number: by_object[row.id, number] for number in row.object_ids},
                series={},
            )
        )
    return clips


def _by_owner(
    rows: Iterable[tuple[Any, str, float | None]],
) -> defaultdict[Any, dict[str, float]]:
    values: defaultdict[Any, dict[str, float]] = defaultdict(dict)
    for owner, name, value in rows:
        values[owner][name] = math.nan if value is None else value
    return values
