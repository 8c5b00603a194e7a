"""What the store hands out: immutable records of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Row

from vosbench.harness.store.models import State, Trial
from vosbench.harness.sweep.trials import TrialSpec

SPEC_FIELDS = tuple(field.name for field in fields(TrialSpec))
"""The fields of a trial's specification, each a column of the same name."""

SPEC_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(getattr(Trial, name) for name in SPEC_FIELDS)


class LostLease(RuntimeError):  # noqa: N818 - it is an event of normal work, no error
    """The trial is no longer this worker's: another took it over, or it was cancelled.

    Nothing was written. The worker drops the trial and goes on with the next.
    """


@dataclass(frozen=True)
class ClaimedTrial:
    """A trial that a worker holds.

    Attributes:
        id, spec: the trial.
        token: the fencing token that its writes carry.
        attempt_id, attempt: this attempt's row, and its number from 1.
        lease_s: how long the lease lasts without a sign of life.
    """

    id: int
    spec: TrialSpec
    token: int
    attempt_id: int
    attempt: int
    lease_s: float


@dataclass(frozen=True)
class Claim:
    """Trials of one group, in the order of the study, held by one worker."""

    group_key: str
    trials: tuple[ClaimedTrial, ...]


@dataclass(frozen=True)
class TrialRecord:
    """A trial as it stood when it was read.

    Attributes:
        id, spec, state: the trial.
        attempts: how often it was tried.
        error: one line where it failed, was lost or skipped.
    """

    id: int
    spec: TrialSpec
    state: State
    attempts: int
    error: str | None


@dataclass(frozen=True)
class Running:
    """A trial in work: by whom, which attempt, and seconds since its last sign of life."""

    trial_id: int
    model: str
    worker: str
    attempt: int
    silent_s: float


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Attributes:
        trials: number of trials by state; every state is there.
        clips_done, clips_total: clips with results, and clips of all trials that aren't
            cancelled or skipped.
        running: the trials in work.
    """

    trials: Mapping[State, int]
    clips_done: int
    clips_total: int
    running: tuple[Running, ...]

    @property
    def open(self) -> int:
        """Trials that still have to be run."""
        return sum(self.trials[state] for state in (State.WAITING, State.STALE, State.RUNNING))


def spec_of(row: Row[Any]) -> TrialSpec:
    """The specification in a row that has :data:`SPEC_COLUMNS`."""
    return TrialSpec(**{name: row._mapping[name] for name in SPEC_FIELDS})
