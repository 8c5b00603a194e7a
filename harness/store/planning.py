"""Studies, plans and their trials: filing, listing, stopping and trying again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, update
from sqlalchemy.dialects import sqlite

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import plain_name
from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.extras import incomplete
from vosbench.harness.store.models import (
    Attempt,
    Base,
    SequenceResult,
    State,
    Study,
    StudyPlan,
    StudyPlanTrial,
    StudyTrial,
    Trial,
)
from vosbench.harness.store.records import (
    PACE_S,
    SPEC_COLUMNS,
    SPEC_FIELDS,
    Command,
    FiledPlan,
    Progress,
    Running,
    Scope,
    StudyRecord,
    TrialRecord,
    spec_of,
)
from vosbench.harness.trials import TrialSpec

CHUNK = 500
OPEN_STATES = (State.WAITING, State.STALE)
"""States in which a trial may be claimed."""


def insert_new(connection: Connection, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that break no unique constraint; leave out the others."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        connection.execute(postgresql.insert(model).on_conflict_do_nothing(), rows)
    else:
        connection.execute(sqlite.insert(model).on_conflict_do_nothing(), rows)


def add_plan(
    connection: Connection,
    study_name: str,
    command: Command,
    specs: Iterable[TrialSpec],
    group_of: Callable[[TrialSpec], str],
) -> FiledPlan:
    """See :meth:`vosbench.harness.store.storage.Storage.add_plan`."""
    by_key = {spec.key: spec for spec in specs}
    _check_names(study_name, by_key.values())
    insert_new(connection, Study, [{"name": study_name}])
    study = study_named(connection, study_name)
    insert_trials(connection, by_key)
    ids = _ids(connection, list(by_key))
    members: list[dict[str, Any]] = [
        {"trial_id": ids[key], "position": position, "group_key": group_of(spec)}
        for position, (key, spec) in enumerate(by_key.items())
    ]
    plan = FiledPlan(_file(connection, study, command, members), study, command)
    _link(connection, study, [row["trial_id"] for row in members])
    connection.execute(
        update(Trial)
        .where(Trial.id.in_(trial_ids(plan)), Trial.state == State.CANCELLED)
        .values(state=State.WAITING, tries=0, error=None, ended_at=None)
    )
    return plan


def _check_names(study: str, specs: Iterable[TrialSpec]) -> None:
    """Refuse what a table, a log or a path could not show; old stores may hold such names."""
    plain_name(study, "study")
    named = {
        (what, name)
        for spec in specs
        for what, name in (
            ("model", spec.model),
            ("weights", spec.weights),
            ("dataset", spec.dataset),
            ("protocol", spec.protocol),
            *(("sequence", sequence) for sequence in spec.sequences),
        )
    }
    for what, name in sorted(named):
        plain_name(name, what)


def insert_trials(connection: Connection, specs: Mapping[str, TrialSpec]) -> None:
    """Let trials wait, by their keys, unless they are there already."""
    rows = [
        {"key": key} | {name: getattr(spec, name) for name in SPEC_FIELDS}
        for key, spec in specs.items()
    ]
    insert_new(connection, Trial, rows)


def _ids(connection: Connection, keys: Sequence[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    for start in range(0, len(keys), CHUNK):
        chunk = keys[start : start + CHUNK]
        found = connection.execute(select(Trial.key, Trial.id).where(Trial.key.in_(chunk)))
        ids.update((row.key, row.id) for row in found)
    return ids


def _file(
    connection: Connection, study: StudyRecord, command: Command, members: list[dict[str, Any]]
) -> int:
    """The id of the plan, which is the same for the same command with the same trials."""
    said = [command.text, command.folder, dict(command.options), members]
    row = {
        "study_id": study.id,
        "digest": hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(),
        "command": command.text,
        "folder": command.folder,
        "options": dict(command.options),
    }
    insert_new(connection, StudyPlan, [row])
    plan = connection.execute(
        select(StudyPlan.id).where(
            StudyPlan.study_id == study.id, StudyPlan.digest == row["digest"]
        )
    ).scalar_one()
    insert_new(connection, StudyPlanTrial, [member | {"plan_id": plan} for member in members])
    return plan


def _link(connection: Connection, study: StudyRecord, ids: Sequence[int]) -> None:
    """Put trials into the study, after those that it has."""
    last = connection.scalar(
        select(func.max(StudyTrial.position)).where(StudyTrial.study_id == study.id)
    )
    first = 0 if last is None else last + 1
    insert_new(
        connection,
        StudyTrial,
        [
            {"study_id": study.id, "trial_id": trial_id, "position": first + index}
            for index, trial_id in enumerate(ids)
        ],
    )


def study_named(connection: Connection, name: str) -> StudyRecord:
    """The study of that name; ``InputError`` if there is none."""
    found = connection.scalar(select(Study.id).where(Study.name == name))
    if found is None:
        raise InputError(f"no study {name!r} in this database")
    return StudyRecord(found, name)


def trial_ids(scope: Scope) -> Select[int]:
    """The ids of a study's or plan's trials."""
    if isinstance(scope, StudyRecord):
        return select(StudyTrial.trial_id).where(StudyTrial.study_id == scope.id)
    return select(StudyPlanTrial.trial_id).where(StudyPlanTrial.plan_id == scope.id)


def _in_order(query: Select[Any], scope: Scope) -> Select[Any]:
    """A query over :class:`Trial`, of the scope's trials only and in its order."""
    if isinstance(scope, StudyRecord):
        joined = query.join(StudyTrial, StudyTrial.trial_id == Trial.id)
        return joined.where(StudyTrial.study_id == scope.id).order_by(StudyTrial.position)
    joined = query.join(StudyPlanTrial, StudyPlanTrial.trial_id == Trial.id)
    return joined.where(StudyPlanTrial.plan_id == scope.id).order_by(StudyPlanTrial.position)


def trials(connection: Connection, scope: Scope) -> tuple[TrialRecord, ...]:
    """All trials of a study or plan, in its order."""
    query = select(Trial.id, Trial.state, Trial.attempts, Trial.error, Trial.origin, *SPEC_COLUMNS)
    rows = connection.execute(_in_order(query, scope)).all()
    lacking = incomplete(connection, scope) if isinstance(scope, FiledPlan) else frozenset()
    return tuple(
        TrialRecord(
            row.id, spec_of(row), row.state, row.attempts, row.error, row.origin, row.id in lacking
        )
        for row in rows
    )


def progress(connection: Connection, scope: Scope) -> Progress:
    """How far a study or plan is; see :class:`Progress`."""
    counts = dict.fromkeys(State, 0)
    clips_total = 0
    in_scope = Trial.id.in_(trial_ids(scope))
    for row in connection.execute(select(Trial.state, Trial.sequences).where(in_scope)):
        counts[row.state] += 1
        if row.state not in (State.CANCELLED, State.SKIPPED):
            clips_total += len(row.sequences)
    clips_done = connection.scalar(
        select(func.count())
        .select_from(SequenceResult)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(in_scope, Trial.state.not_in((State.CANCELLED, State.SKIPPED)))
    )
    rows = connection.execute(
        select(
            Trial.id,
            Trial.model,
            Attempt.worker,
            Attempt.number,
            (DatabaseNow() - Attempt.heartbeat_at).label("silent_s"),
        )
        .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.state == State.RUNNING))
        .where(in_scope)
        .order_by(Attempt.worker, Trial.id)
    )
    running = tuple(
        Running(row.id, row.model, row.worker, row.number, max(0.0, row.silent_s)) for row in rows
    )
    left = clips_total - (clips_done or 0)
    left_s = _left_s(connection, in_scope, left) if running else None
    return Progress(counts, clips_done or 0, clips_total, running, left_s)


def _left_s(connection: Connection, in_scope: ColumnElement[bool], left: int) -> float | None:
    """Seconds for so many more results at the pace of the last while; None if there is none."""
    lately = (
        select(
            func.count().label("results"),
            (DatabaseNow() - func.min(Attempt.started_at)).label("since_start_s"),
        )
        .select_from(SequenceResult)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .join(Attempt, Attempt.id == SequenceResult.attempt_id)
        .where(in_scope, SequenceResult.recorded_at > DatabaseNow() - PACE_S)
    )
    row = connection.execute(lately).one()
    if not row.results:
        return None
    return float(left * min(PACE_S, max(0.0, row.since_start_s)) / row.results)


def cancel(connection: Connection, study: StudyRecord) -> int:
    """Stop all trials of a study that aren't finished; returns how many."""
    in_study = Trial.id.in_(trial_ids(study))
    unfinished = Trial.state.in_((*OPEN_STATES, State.RUNNING))
    held = Trial.lease_until.is_not(None)
    connection.execute(
        update(Attempt)
        .where(
            Attempt.state == State.RUNNING,
            Attempt.trial_id.in_(select(Trial.id).where(in_study, held)),
        )
        .values(state=State.CANCELLED, ended_at=DatabaseNow())
    )
    # A complete trial stays complete: what was being added to it is not added.
    connection.execute(
        update(Trial).where(in_study, held, Trial.state == State.COMPLETE).values(lease_until=None)
    )
    stopped = connection.execute(
        update(Trial)
        .where(in_study, unfinished)
        .values(state=State.CANCELLED, lease_until=None, ended_at=DatabaseNow())
    )
    return stopped.rowcount


def retry_failed(connection: Connection, study: StudyRecord) -> int:
    """Let what failed or was skipped in a study be tried anew; returns how many trials."""
    in_study = Trial.id.in_(trial_ids(study))
    added = connection.execute(
        update(Trial)
        .where(in_study, Trial.state == State.COMPLETE, Trial.error.is_not(None))
        .values(tries=0, error=None)
    )
    again = connection.execute(
        update(Trial)
        .where(in_study, Trial.state.in_((State.FAILED, State.SKIPPED)))
        .values(state=State.WAITING, tries=0, error=None, ended_at=None)
    )
    return added.rowcount + again.rowcount
