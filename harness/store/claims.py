"""Handing out trials, and taking back those whose worker was lost."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, or_, select, update

from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.models import (
    Attempt,
    Environment,
    SequenceResult,
    State,
    StudyTrial,
    Trial,
)
from vosbench.harness.store.planning import OPEN_STATES
from vosbench.harness.store.records import (
    SPEC_COLUMNS,
    Claim,
    ClaimedTrial,
    LostLease,
    spec_of,
)
from vosbench.harness.store.worker import Worker, is_gone, this_host
from vosbench.harness.sweep.trials import Kind

_CLAIM_LOCK = 0x636C6D
_CLOCK_SLACK_S = 1.0


def claim(
    connection: Connection,
    study: int,
    worker: Worker,
    *,
    lease_s: float,
    kinds: Collection[Kind],
    limit: int | None,
) -> Claim | None:
    """See :meth:`vosbench.harness.store.storage.Storage.claim`."""
    if connection.dialect.name == "postgresql":
        # Workers would all reach for the first group and wait for its rows, one of them to win:
        # queueing here, each finds the next group. SQLite's writer is alone anyway.
        connection.execute(select(func.pg_advisory_xact_lock(_CLAIM_LOCK, study)))
    claimable = and_(StudyTrial.study_id == study, _claimable(worker, kinds))
    in_order = select(Trial.id).join(StudyTrial, StudyTrial.trial_id == Trial.id).where(claimable)
    in_order = in_order.order_by(StudyTrial.position)
    first_group = in_order.with_only_columns(Trial.group_key).limit(1)
    # Who works on another study with the same trials may be faster: then on to the next group.
    while (group := connection.scalar(first_group)) is not None:
        members = in_order.where(Trial.group_key == group).limit(limit)
        taken = _take(connection, members, lease_s)
        if taken:
            return _begin(connection, study, taken, worker)
    return None


def _take(connection: Connection, members: Select[int], lease_s: float) -> Sequence[int]:
    """Make trials the worker's, unless somebody else took them since they were selected."""
    return connection.scalars(
        update(Trial)
        .where(Trial.id.in_(members), Trial.state.in_(OPEN_STATES))
        .values(
            state=State.RUNNING,
            token=Trial.token + 1,
            attempts=Trial.attempts + 1,
            tries=Trial.tries + 1,
            lease_s=lease_s,
            lease_until=DatabaseNow() + lease_s,
            error=None,
        )
        .returning(Trial.id)
    ).all()


def _claimable(worker: Worker, kinds: Collection[Kind]) -> ColumnElement[bool]:
    return and_(
        Trial.state.in_(OPEN_STATES),
        Trial.kind.in_(kinds),
        or_(
            Trial.environment_key.is_(None),
            Trial.environment_key == worker.environment_key,
        ),
    )


def _begin(connection: Connection, study: int, ids: Collection[int], worker: Worker) -> Claim:
    """Open an attempt at each trial that was taken."""
    rows = connection.execute(
        select(Trial.id, Trial.group_key, Trial.token, Trial.attempts, Trial.lease_s, *SPEC_COLUMNS)
        .join(StudyTrial, StudyTrial.trial_id == Trial.id)
        .where(StudyTrial.study_id == study, Trial.id.in_(ids))
        .order_by(StudyTrial.position)
    ).all()
    environment_id = connection.scalar(
        select(Environment.id).where(Environment.key == worker.environment_key)
    )
    attempts = [
        {
            "trial_id": row.id,
            "number": row.attempts,
            "token": row.token,
            "worker": worker.name,
            "host": worker.host,
            "pid": worker.pid,
            "process_started": worker.process_started,
            "version": worker.version,
            "environment_id": environment_id,
        }
        for row in rows
    ]
    connection.execute(Attempt.__table__.insert(), attempts)  # type: ignore[attr-defined]
    begun = connection.execute(
        select(Attempt.trial_id, Attempt.id)
        .join(Trial, Trial.id == Attempt.trial_id)
        .where(Attempt.trial_id.in_(ids), Attempt.number == Trial.attempts)
    )
    attempt_ids = {row.trial_id: row.id for row in begun}
    _forget_timings(connection, ids)
    return Claim(
        group_key=rows[0].group_key,
        trials=tuple(
            ClaimedTrial(
                id=row.id,
                spec=spec_of(row),
                token=row.token,
                attempt_id=attempt_ids[row.id],
                attempt=row.attempts,
                lease_s=row.lease_s,
            )
            for row in rows
        ),
    )


def _forget_timings(connection: Connection, ids: Collection[int]) -> None:
    """Drop what an earlier attempt at a timing trial left: timing is of one attempt."""
    timings = select(Trial.id).where(Trial.id.in_(ids), Trial.kind == Kind.TIMING)
    connection.execute(delete(SequenceResult).where(SequenceResult.trial_id.in_(timings)))


def hold(connection: Connection, trial: ClaimedTrial) -> None:
    """Begin every write to a held trial: prove the lease, renew it, keep others out.

    Raises:
        LostLease: the trial is no longer the worker's.
    """
    renewed = connection.execute(
        update(Trial)
        .where(Trial.id == trial.id, Trial.token == trial.token, Trial.state == State.RUNNING)
        .values(lease_until=DatabaseNow() + trial.lease_s)
    )
    if renewed.rowcount != 1:
        raise LostLease(f"trial {trial.id} is no longer held by attempt {trial.attempt}")
    connection.execute(
        update(Attempt).where(Attempt.id == trial.attempt_id).values(heartbeat_at=DatabaseNow())
    )


def heartbeat(connection: Connection, claimed: Claim) -> frozenset[int]:
    """See :meth:`vosbench.harness.store.storage.Storage.heartbeat`."""
    lost = set()
    for trial in claimed.trials:
        try:
            hold(connection, trial)
        except LostLease:
            if not _ended_by(connection, trial):
                lost.add(trial.id)
    return frozenset(lost)


def _ended_by(connection: Connection, trial: ClaimedTrial) -> bool:
    """Whether this attempt itself brought the trial to its end."""
    state = connection.scalar(select(Attempt.state).where(Attempt.id == trial.attempt_id))
    return state in (State.COMPLETE, State.FAILED, State.SKIPPED, State.WAITING)


def release_stale(connection: Connection, max_attempts: int) -> int:
    """See :meth:`vosbench.harness.store.storage.Storage.release_stale`."""
    remaining_s = (Trial.lease_until - DatabaseNow()).label("remaining_s")
    rows = connection.execute(
        select(
            Trial.id,
            Trial.token,
            Trial.tries,
            Trial.lease_s,
            Trial.lease_until,
            remaining_s,
            Attempt.id.label("attempt_id"),
            Attempt.worker,
            Attempt.host,
            Attempt.pid,
            Attempt.process_started,
        )
        .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
        .where(Trial.state == State.RUNNING)
        .order_by(Trial.id)
    ).all()
    released = 0
    for row in rows:
        gone = is_gone(row.host, row.pid, row.process_started)
        reason = _lost_because(row.remaining_s, row.lease_s, gone=gone, host=row.host)
        if reason is None:
            continue
        error = f"lost its worker {row.worker!r} ({reason})"
        state = State.STALE
        if row.tries >= max_attempts:
            state, error = State.FAILED, f"{error}, {row.tries} times in a row"
        taken = connection.execute(
            update(Trial)
            .where(
                Trial.id == row.id,
                Trial.token == row.token,
                Trial.state == State.RUNNING,
                Trial.lease_until == row.lease_until,  # no sign of life since it was read
            )
            .values(
                state=state,
                error=error,
                lease_until=None,
                ended_at=DatabaseNow() if state is State.FAILED else None,
            )
        ).rowcount
        if taken:
            released += 1
            connection.execute(
                update(Attempt)
                .where(Attempt.id == row.attempt_id)
                .values(state=State.STALE, error=error, ended_at=DatabaseNow())
            )
    return released


def _lost_because(remaining_s: float, lease_s: float, *, gone: bool, host: str) -> str | None:
    """Why a lease is lost, or None while it holds."""
    if gone:
        return "its process ended"
    if remaining_s <= 0:
        return "no sign of life within its lease"
    # More than a whole lease left: the clock was set back. A worker that is alive renews it in
    # a moment, one that isn't would keep the trial for as long as the clock went back.
    if remaining_s > lease_s + _CLOCK_SLACK_S and host != this_host():
        return "the database's clock was set back"
    return None
