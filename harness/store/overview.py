"""What the store knows of running sweeps, for those who watch them or hand out work."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, or_, select

from vosbench.harness.store.claims import is_open, may_be_added_to
from vosbench.harness.store.models import Study, StudyPlan, StudyPlanTrial, Trial
from vosbench.harness.store.records import Command, FiledPlan, StudyRecord
from vosbench.harness.trials import Kind


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
    rows = connection.execute(select(Study.id, Study.name).order_by(Study.id))
    return tuple(StudyRecord(row.id, row.name) for row in rows)


def plans(connection: Connection, study: StudyRecord) -> tuple[FiledPlan, ...]:
    """What was asked for under a study's name, the oldest first."""
    rows = connection.execute(
        select(StudyPlan.__table__).where(StudyPlan.study_id == study.id).order_by(StudyPlan.id)
    )
    return tuple(
        FiledPlan(row.id, study, Command(row.command, row.folder, row.options)) for row in rows
    )


def open_groups(connection: Connection, plan: FiledPlan, kind: Kind, max_attempts: int) -> Groups:
    """The groups of a plan whose trials are handed out together."""

    def count(*conditions: ColumnElement[bool]) -> int:
        found = connection.scalar(
            select(func.count(StudyPlanTrial.group_key.distinct()))
            .join(Trial, Trial.id == StudyPlanTrial.trial_id)
            .where(StudyPlanTrial.plan_id == plan.id, Trial.kind == kind, *conditions)
        )
        return found or 0

    added_to = may_be_added_to(connection, plan, max_attempts)
    waiting = count(or_(is_open(None, (kind,)), added_to))
    return Groups(waiting, count(Trial.lease_until.is_not(None)))
