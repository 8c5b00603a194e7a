"""What the store knows of running sweeps, for those who watch them or hand out work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from vosbench.harness.store.models import State, Study, StudyTrial, Trial
from vosbench.harness.sweep.trials import Kind

_OPEN = (State.WAITING, State.STALE)


@dataclass(frozen=True)
class StudyRecord:
    """A study: its id and name, and the command that asked for it last."""

    id: int
    name: str
    command: str


@dataclass(frozen=True)
class Groups:
    """Groups of trials that aren't finished: how many wait, and how many are in work."""

    waiting: int
    running: int

    @property
    def all(self) -> int:
        """Both."""
        return self.waiting + self.running


def studies(connection: Connection) -> tuple[StudyRecord, ...]:
    """All studies, the oldest first."""
    rows = connection.execute(select(Study.id, Study.name, Study.command).order_by(Study.id))
    return tuple(StudyRecord(row.id, row.name, row.command) for row in rows)


def open_groups(connection: Connection, study: int, kind: Kind) -> Groups:
    """The groups of a study whose trials are handed out together."""

    def count(*states: State) -> int:
        found = connection.scalar(
            select(func.count(Trial.group_key.distinct()))
            .join(StudyTrial, StudyTrial.trial_id == Trial.id)
            .where(StudyTrial.study_id == study, Trial.kind == kind, Trial.state.in_(states))
        )
        return found or 0

    return Groups(count(*_OPEN), count(State.RUNNING))
