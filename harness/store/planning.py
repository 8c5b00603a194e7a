"""Studies and their trials: adding, listing, stopping and trying again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import plain_name
from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.models import (
    Attempt,
    Base,
    SequenceResult,
    State,
    Study,
    StudyTrial,
    Trial,
)
from vosbench.harness.store.records import (
    SPEC_COLUMNS,
    SPEC_FIELDS,
    Progress,
    Running,
    TrialRecord,
    spec_of,
)
from vosbench.harness.sweep.trials import TrialSpec

_CHUNK = 500
OPEN_STATES = (State.WAITING, State.STALE)
"""States in which a trial may be claimed."""


def insert_new(connection: Connection, model: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that break no unique constraint; leave out the others."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(model).on_conflict_do_nothing(), rows)
    else:
        connection.execute(sqlite.insert(model).on_conflict_do_nothing(), rows)


def add_study(
    connection: Connection,
    name: str,
    command: str,
    specs: Iterable[TrialSpec],
    group_of: Callable[[TrialSpec], str],
) -> int:
    """See :meth:`vosbench.harness.store.storage.Storage.add_study`."""
    by_key = {spec.key: spec for spec in specs}
    _check_names(name, by_key.values())
    insert_new(connection, Study, [{"name": name, "command": command}])
    study = study_id(connection, name)
    connection.execute(update(Study).where(Study.id == study).values(command=command))
    insert_new(
        connection,
        Trial,
        [
            {"key": key, "group_key": group_of(spec)}
            | {field: getattr(spec, field) for field in SPEC_FIELDS}
            for key, spec in by_key.items()
        ],
    )
    _link(connection, study, list(by_key))
    connection.execute(
        update(Trial)
        .where(Trial.id.in_(_trials_of(study)), Trial.state == State.CANCELLED)
        .values(state=State.WAITING, tries=0, error=None, ended_at=None)
    )
    return study


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


def _link(connection: Connection, study: int, keys: list[str]) -> None:
    """Put trials into the study, after those that it has, in the order of ``keys``."""
    last = connection.scalar(
        select(func.max(StudyTrial.position)).where(StudyTrial.study_id == study)
    )
    first = 0 if last is None else last + 1
    ids: dict[str, int] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        found = connection.execute(select(Trial.key, Trial.id).where(Trial.key.in_(chunk)))
        ids.update((row.key, row.id) for row in found)
    insert_new(
        connection,
        StudyTrial,
        [
            {"study_id": study, "trial_id": ids[key], "position": first + index}
            for index, key in enumerate(keys)
        ],
    )


def study_id(connection: Connection, name: str) -> int:
    """The id of a study; ``InputError`` if there is none of that name."""
    found = connection.scalar(select(Study.id).where(Study.name == name))
    if found is None:
        raise InputError(f"no study {name!r} in this database")
    return found


def trials(connection: Connection, study: int) -> tuple[TrialRecord, ...]:
    """All trials of a study, in its order."""
    rows = connection.execute(
        select(Trial.id, Trial.state, Trial.attempts, Trial.error, *SPEC_COLUMNS)
        .join(StudyTrial, StudyTrial.trial_id == Trial.id)
        .where(StudyTrial.study_id == study)
        .order_by(StudyTrial.position)
    )
    return tuple(
        TrialRecord(row.id, spec_of(row), row.state, row.attempts, row.error) for row in rows
    )


def progress(connection: Connection, study: int) -> Progress:
    """How far a study is; see :class:`Progress`."""
    counts = dict.fromkeys(State, 0)
    clips_total = 0
    in_study = Trial.id.in_(_trials_of(study))
    for row in connection.execute(select(Trial.state, Trial.sequences).where(in_study)):
        counts[row.state] += 1
        if row.state not in (State.CANCELLED, State.SKIPPED):
            clips_total += len(row.sequences)
    clips_done = connection.scalar(
        select(func.count())
        .select_from(SequenceResult)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(in_study, Trial.state.not_in((State.CANCELLED, State.SKIPPED)))
    )
    rows = connection.execute(
        select(
            Trial.id,
            Trial.model,
            Attempt.worker,
            Attempt.number,
            (DatabaseNow() - Attempt.heartbeat_at).label("silent_s"),
        )
        .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
        .where(in_study, Trial.state == State.RUNNING)
        .order_by(Attempt.worker, Trial.id)
    )
    running = tuple(
        Running(row.id, row.model, row.worker, row.number, max(0.0, row.silent_s)) for row in rows
    )
    return Progress(counts, clips_done or 0, clips_total, running)


def cancel(connection: Connection, study: int) -> int:
    """Stop all trials of a study that aren't finished; returns how many."""
    in_study = Trial.id.in_(_trials_of(study))
    unfinished = Trial.state.in_((*OPEN_STATES, State.RUNNING))
    connection.execute(
        update(Attempt)
        .where(
            Attempt.state == State.RUNNING,
            Attempt.trial_id.in_(select(Trial.id).where(in_study, unfinished)),
        )
        .values(state=State.CANCELLED, ended_at=DatabaseNow())
    )
    stopped = connection.execute(
        update(Trial)
        .where(in_study, unfinished)
        .values(state=State.CANCELLED, lease_until=None, ended_at=DatabaseNow())
    )
    return stopped.rowcount


def retry_failed(connection: Connection, study: int) -> int:
    """Let failed and skipped trials of a study be tried anew; returns how many."""
    again = connection.execute(
        update(Trial)
        .where(Trial.id.in_(_trials_of(study)), Trial.state.in_((State.FAILED, State.SKIPPED)))
        .values(state=State.WAITING, tries=0, error=None, ended_at=None)
    )
    return again.rowcount


def _trials_of(study: int) -> Any:
    return select(StudyTrial.trial_id).where(StudyTrial.study_id == study)
