"""What is kept beside the numbers: who asks for it, and which trials lack it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, Select, exists, select

from vosbench.harness.store.models import (
    SequenceResult,
    Series,
    State,
    StudyPlan,
    StudyPlanTrial,
    Trial,
)
from vosbench.harness.store.records import FiledPlan, extras_in
from vosbench.harness.trials import Extras, Kept, Kind

MASKS = "labels"
"""The series of label maps."""


def asked(connection: Connection, trials: Collection[int]) -> Mapping[int, Extras]:
    """What all the plans that hold a trial want kept of it, by the trial's id.

    A worker keeps it for whichever command it works: what one asked for, another doesn't drop.
    """
    wanted: defaultdict[int, Extras] = defaultdict(Extras)
    rows = connection.execute(
        select(StudyPlanTrial.trial_id, StudyPlan.options)
        .join(StudyPlan, StudyPlan.id == StudyPlanTrial.plan_id)
        .join(Trial, Trial.id == StudyPlanTrial.trial_id)
        .where(StudyPlanTrial.trial_id.in_(trials), Trial.kind == Kind.ACCURACY)
    )
    for row in rows:
        wanted[row.trial_id] |= extras_in(row.options)
    return wanted


def kept(
    connection: Connection, trials: Collection[int] | Select[int]
) -> Mapping[int, Mapping[str, Kept]]:
    """What the results of trials hold beside their numbers, by the trial's id and sequence."""
    found: defaultdict[int, dict[str, Kept]] = defaultdict(dict)
    has_masks = exists().where(Series.sequence_result_id == SequenceResult.id, Series.name == MASKS)
    rows = connection.execute(
        select(
            SequenceResult.trial_id,
            SequenceResult.sequence,
            SequenceResult.frames,
            SequenceResult.traced,
            has_masks.label("has_masks"),
        ).where(SequenceResult.trial_id.in_(trials))
    )
    for row in rows:
        found[row.trial_id][row.sequence] = Kept(
            bool(row.has_masks), frozenset(row.traced or ()), row.frames
        )
    return found


def incomplete(connection: Connection, plan: FiledPlan) -> frozenset[int]:
    """The complete accuracy trials of a plan that lack what the plan wants kept."""
    extras = plan.command.extras
    if not extras:
        return frozenset()
    complete = (
        select(Trial.id)
        .join(StudyPlanTrial, StudyPlanTrial.trial_id == Trial.id)
        .where(
            StudyPlanTrial.plan_id == plan.id,
            Trial.state == State.COMPLETE,
            Trial.kind == Kind.ACCURACY,
        )
    )
    return frozenset(
        trial
        for trial, sequences in kept(connection, complete).items()
        if not all(each.covers(extras) for each in sequences.values())
    )
