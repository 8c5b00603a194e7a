"""Which trials a reader of the database is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from vosbench.harness.store.models import (
    ObjectMetric,
    SequenceResult,
    State,
    Study,
    StudyTrial,
    Trial,
)
from vosbench.harness.trials import Kind


@dataclass(frozen=True)
class Selection:
    """Which trials; an empty field means all, several fields must all hold.

    Attributes:
        models, datasets, policies, kinds, states, weights, margins: as in the columns.
        studies: names of studies.
        keys: trial keys.
    """

    models: Sequence[str] = ()
    datasets: Sequence[str] = ()
    policies: Sequence[str] = ()
    kinds: Sequence[Kind] = ()
    states: Sequence[State] = ()
    weights: Sequence[str] = ()
    margins: Sequence[str] = ()
    studies: Sequence[str] = ()
    keys: Sequence[str] = ()

    def conditions(self) -> list[ColumnElement[bool]]:
        """The selection as conditions on :class:`Trial`."""
        wanted: list[tuple[Any, Sequence[Any]]] = [
            (Trial.model, self.models),
            (Trial.dataset, self.datasets),
            (Trial.policy, self.policies),
            (Trial.kind, self.kinds),
            (Trial.state, self.states),
            (Trial.weights, self.weights),
            (Trial.margins, self.margins),
            (Trial.key, self.keys),
        ]
        conditions = [column.in_(values) for column, values in wanted if values]
        if self.studies:
            members = select(StudyTrial.trial_id).join(Study, Study.id == StudyTrial.study_id)
            conditions.append(Trial.id.in_(members.where(Study.name.in_(self.studies))))
        return conditions


EVERYTHING = Selection()


def object_metrics(
    conditions: Iterable[ColumnElement[bool]],
) -> Select[int, int, str, float | None]:
    """What was measured of each object in trials of these conditions on :class:`Trial`."""
    return (
        select(
            ObjectMetric.sequence_result_id,
            ObjectMetric.object_id,
            ObjectMetric.name,
            ObjectMetric.value,
        )
        .join(SequenceResult, SequenceResult.id == ObjectMetric.sequence_result_id)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(*conditions)
    )
