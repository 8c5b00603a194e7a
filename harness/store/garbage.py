"""Rows that nothing refers to any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from vosbench.harness.store.models import (
    Attempt,
    Checkpoint,
    Environment,
    SequenceResult,
    Series,
    State,
    StudyTrial,
    Training,
    Trial,
)

_LOST = (State.STALE, State.WAITING, State.CANCELLED)


@dataclass(frozen=True)
class Garbage:
    """Rows that can go.

    Attributes:
        cancelled_results: clips of cancelled trials; asking for these again runs them anew.
        cancelled_bytes: what their series take.
        empty_attempts: attempts that were lost, handed back or cancelled before they stored
            anything, and that another attempt has followed.
        checkpoints: records of weights that no trial names and no training made.
        environments: machines on which nothing was run or planned.
        orphaned_trials: unfinished trials that no study asks for.
    """

    cancelled_results: int
    cancelled_bytes: int
    empty_attempts: int
    checkpoints: int
    environments: int
    orphaned_trials: int


def collect(connection: Connection, *, dry_run: bool) -> Garbage:
    """Find garbage and, unless ``dry_run``, delete it. Complete trials are never touched.

    Call it inside a writing transaction, so that nothing found is taken up meanwhile.
    """
    counts: list[int] = []
    size = connection.scalar(
        select(func.sum(func.length(Series.data))).where(
            Series.sequence_result_id.in_(_cancelled_results())
        )
    )
    # In this order: what is deleted sets free what comes after it.
    for table, ids in (
        (SequenceResult, _cancelled_results()),
        (Trial, _orphaned_trials()),
        (Attempt, _empty_attempts()),
        (Checkpoint, _unused_checkpoints()),
        (Environment, _unused_environments()),
    ):
        found = list(connection.scalars(ids))
        counts.append(len(found))
        if not dry_run:
            for start in range(0, len(found), 500):
                chunk = found[start : start + 500]
                connection.execute(delete(table).where(table.id.in_(chunk)))
    results, trials, attempts, checkpoints, environments = counts
    return Garbage(results, size or 0, attempts, checkpoints, environments, trials)


def _cancelled_results() -> Select[Any]:
    return (
        select(SequenceResult.id)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(Trial.state == State.CANCELLED)
    )


def _orphaned_trials() -> Select[Any]:
    return select(Trial.id).where(
        Trial.id.not_in(select(StudyTrial.trial_id)),
        Trial.state.not_in((State.COMPLETE, State.RUNNING)),
    )


def _empty_attempts() -> Select[Any]:
    return (
        select(Attempt.id)
        .join(Trial, Trial.id == Attempt.trial_id)
        .where(
            Attempt.state.in_(_LOST),
            Attempt.number < Trial.attempts,  # the last one says how the trial stands
            Attempt.id.not_in(select(SequenceResult.attempt_id)),
        )
    )


def _unused_checkpoints() -> Select[Any]:
    trained = select(Training.checkpoint_sha256).where(Training.checkpoint_sha256.is_not(None))
    return select(Checkpoint.id).where(
        Checkpoint.sha256.not_in(select(Trial.weights_sha256)),
        Checkpoint.sha256.not_in(trained),
    )


def _unused_environments() -> Select[Any]:
    planned = select(Trial.environment_key).where(Trial.environment_key.is_not(None))
    worked = select(Attempt.environment_id).where(Attempt.environment_id.is_not(None))
    return select(Environment.id).where(
        Environment.key.not_in(planned), Environment.id.not_in(worked)
    )
