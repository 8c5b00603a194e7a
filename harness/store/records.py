"""What the store hands out: immutable records of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import ColumnElement, Row

from vosbench.harness.store.models import State, Trial
from vosbench.harness.trials import Extras, TrialSpec

SPEC_FIELDS = tuple(field.name for field in fields(TrialSpec))
"""The fields of a trial's specification, each a column of the same name."""

SPEC_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(getattr(Trial, name) for name in SPEC_FIELDS)


class LostLease(RuntimeError):  # noqa: N818 - it is an event of normal work, no error
    """The trial is no longer this worker's: another took it over, or it was cancelled.

    Nothing was written. The worker drops the trial and goes on with the next.
    """


@dataclass(frozen=True)
class Command:
    """What somebody typed, and how its trials are run.

    Attributes:
        text: the command line.
        folder: the working folder.
        options: JSON values by name: the cut of the sequences, how trials are run, and as
            ``masks`` and ``traced`` (``FROM:TO``) what is kept beside their numbers.
    """

    text: str
    folder: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def extras(self) -> Extras:
        """What is kept beside the numbers."""
        return extras_in(self.options)


def extras_in(options: Mapping[str, Any]) -> Extras:
    """What a command's options ask to be kept."""
    first, colon, last = str(options.get("traced") or "").partition(":")
    traced = (range(int(first), int(last) + 1),) if colon else ()
    return Extras(bool(options.get("masks")), traced)


@dataclass(frozen=True)
class StudyRecord:
    """A study: its id and name."""

    id: int
    name: str


@dataclass(frozen=True)
class FiledPlan:
    """What one command asked for: the trials that its workers claim, and no others.

    Attributes:
        id: the plan.
        study: the study under whose name it is filed.
        command: who asked.
    """

    id: int
    study: StudyRecord
    command: Command


Scope = StudyRecord | FiledPlan
"""Trials that belong together: a study's, or those of one plan in it."""


@dataclass(frozen=True)
class ClaimedTrial:
    """A trial that a worker holds.

    Attributes:
        id, spec: the trial.
        token: the fencing token that its writes carry.
        attempt_id, attempt: this attempt's row, and its number from 1.
        lease_s: how long the lease lasts without a sign of life.
        extras: what is kept beside its numbers: all that any plan with this trial asks for.
        is_complete: its numbers are there: only what is missing beside them is added.
    """

    id: int
    spec: TrialSpec
    token: int
    attempt_id: int
    attempt: int
    lease_s: float
    extras: Extras = Extras()
    is_complete: bool = False


@dataclass(frozen=True)
class Claim:
    """Trials of one group, in the order of the plan, held by one worker."""

    group_key: str
    trials: tuple[ClaimedTrial, ...]


@dataclass(frozen=True)
class TrialRecord:
    """A trial as it stood when it was read.

    Attributes:
        id, spec, state: the trial.
        attempts: how often it was tried.
        error: one line where it failed, was lost or skipped, or nothing could be added.
        origin: where it was imported from; None for own ones.
        lacks: it is complete, and something that the plan wants kept isn't there.
    """

    id: int
    spec: TrialSpec
    state: State
    attempts: int
    error: str | None
    origin: str | None = None
    lacks: bool = False

    @property
    def is_done(self) -> bool:
        """Whether a command that asked for it has all that it asked for."""
        return self.state is State.COMPLETE and not self.lacks

    @property
    def is_given_up(self) -> bool:
        """Whether it is not tried again by itself: it failed, or was skipped."""
        return self.error is not None and self.state is not State.STALE


@dataclass(frozen=True)
class LostTrial:
    """A trial that was taken back from a lost worker, and why; ``is_last`` if it failed by that."""

    spec: TrialSpec
    error: str
    is_last: bool


@dataclass(frozen=True)
class Running:
    """A trial in work: by whom, which attempt, and seconds since its last sign of life."""

    trial_id: int
    model: str
    worker: str
    attempt: int
    silent_s: float


PACE_S = 1800.0
"""How far back the pace of a sweep is looked at: settings differ in how long they take."""


@dataclass(frozen=True)
class Progress:
    """How far a study or plan is.

    Attributes:
        trials: number of trials by state; every state is there.
        clips_done, clips_total: clips with results, and clips of all trials that aren't
            cancelled or skipped.
        running: the trials in work.
        left_s: seconds until nothing is left, at the pace of the last :data:`PACE_S`; None where
            nothing is in work, or nothing was finished lately.
    """

    trials: Mapping[State, int]
    clips_done: int
    clips_total: int
    running: tuple[Running, ...]
    left_s: float | None = None

    @property
    def open(self) -> int:
        """Trials that still have to be run."""
        return sum(self.trials[state] for state in (State.WAITING, State.STALE, State.RUNNING))


def spec_of(row: Row[Any]) -> TrialSpec:
    """The specification in a row that has :data:`SPEC_COLUMNS`."""
    return TrialSpec(**{name: row._mapping[name] for name in SPEC_FIELDS})
