"""Results from elsewhere: stored in one transaction, as trials that nothing ever executes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.models import Attempt, Environment, State, Trial
from vosbench.harness.store.planning import CHUNK, add_plan, insert_trials
from vosbench.harness.store.provenance import add_environment
from vosbench.harness.store.recording import combined_sha256, insert_aggregates, insert_result
from vosbench.harness.store.records import Command
from vosbench.harness.store.worker import Worker
from vosbench.harness.trials import ClipResult, TrialSpec

COMPLETE = State.COMPLETE
IMPORTED_FROM, MEASURED_AT = "imported_from", "measured_at"
"""Annotations of an attempt that an import made: whence, and when it was really measured."""


@dataclass(frozen=True)
class ForeignTrial:
    """A complete trial of another database.

    Attributes:
        spec: what was measured.
        clips, aggregates: its numbers; one clip for each of the spec's sequences.
        version: of the program that measured it.
        measured_at: when, seconds since 1970.
        machine: where: comparability key, device, and what must agree (JSON values).
    """

    spec: TrialSpec
    clips: Sequence[ClipResult]
    aggregates: Mapping[str, float]
    version: str = ""
    measured_at: float | None = None
    machine: tuple[str, str, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class ImportCount:
    """Trials of an import: stored now, complete here before, and begun here and left alone."""

    stored: int
    present: int
    busy: int


def import_trials(
    connection: Connection, study: str, origin: str, trials: Sequence[ForeignTrial]
) -> ImportCount:
    """See :meth:`vosbench.harness.store.storage.Storage.import_trials`."""
    foreign = {trial.spec.key: trial for trial in trials}
    present = {row.key for row in _standing(connection, list(foreign)) if row.state is COMPLETE}
    new = {key: trial for key, trial in foreign.items() if key not in present}
    for trial in new.values():
        if trial.machine is not None:
            add_environment(connection, *trial.machine)
    insert_trials(connection, {key: trial.spec for key, trial in new.items()})
    worker = Worker.here("import")
    # Whoever has begun one here keeps it: results of two sources aren't put into one trial.
    stored = {
        row.key
        for row in _standing(connection, list(new))
        if not row.attempts and _store(connection, row.id, new[row.key], origin, worker)
    }
    here = [trial.spec for key, trial in foreign.items() if key in stored | present]
    command = Command(f"vosbench import {shlex.quote(origin)}")
    add_plan(connection, study, command, here, lambda spec: spec.key)
    return ImportCount(len(stored), len(present), len(new) - len(stored))


def _standing(connection: Connection, keys: Sequence[str]) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        rows += connection.execute(
            select(Trial.id, Trial.key, Trial.state, Trial.attempts).where(Trial.key.in_(chunk))
        )
    return rows


def _store(
    connection: Connection, trial_id: int, trial: ForeignTrial, origin: str, worker: Worker
) -> bool:
    """Make one trial complete, unless a worker took it in this moment."""
    hashes = {clip.sequence: clip.mask_sha256 for clip in trial.clips}
    taken = connection.execute(
        update(Trial)
        .where(Trial.id == trial_id, Trial.state == State.WAITING, Trial.attempts == 0)
        .values(
            state=COMPLETE,
            origin=origin,
            attempts=1,
            token=1,
            mask_sha256=combined_sha256(hashes[name] for name in trial.spec.sequences),
            ended_at=DatabaseNow(),
        )
    )
    if not taken.rowcount:
        return False
    machine = trial.machine[0] if trial.machine is not None else trial.spec.environment_key
    attempt_id = connection.scalar(
        insert(Attempt)
        .values(
            trial_id=trial_id,
            number=1,
            token=1,
            worker=worker.name,
            host=worker.host,
            pid=worker.pid,
            process_started=worker.process_started,
            version=trial.version,
            environment_id=select(Environment.id)
            .where(Environment.key == machine)
            .scalar_subquery(),
            annotations={
                IMPORTED_FROM: origin,
                MEASURED_AT: trial.measured_at,
                "remarks": f"imported from {origin}: measured elsewhere, not run here",
            },
            state=COMPLETE,
            ended_at=DatabaseNow(),
        )
        .returning(Attempt.id)
    )
    assert attempt_id is not None
    for clip in trial.clips:
        insert_result(connection, trial_id, attempt_id, clip)
    insert_aggregates(connection, trial_id, trial.aggregates)
    return True
