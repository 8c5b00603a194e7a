"""Handing out trials, and taking back those whose worker was lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.extras import asked, incomplete
from vosbench.harness.store.models import (
    Attempt,
    Environment,
    SequenceResult,
    State,
    StudyPlanTrial,
    Trial,
)
from vosbench.harness.store.planning import OPEN_STATES
from vosbench.harness.store.records import (
    SPEC_COLUMNS,
    Claim,
    ClaimedTrial,
    FiledPlan,
    LostLease,
    LostTrial,
    spec_of,
)
from vosbench.harness.store.worker import Worker, is_gone, this_host
from vosbench.harness.trials import Extras, Kind

_CLAIM_LOCK = 0x636C6D
_CLOCK_SLACK_S = 1.0


def claim(
    connection: Connection,
    plan: FiledPlan,
    worker: Worker,
    *,
    lease_s: float,
    kinds: Collection[Kind],
    limit: int | None,
    max_attempts: int,
) -> Claim | None:
    """See :meth:`vosbench.harness.store.storage.Storage.claim`."""
    if connection.dialect.name == "postgresql":
        # Workers would all reach for the first group and wait for its rows, one of them to win:
        # queueing here, each finds the next group. SQLite's writer is alone anyway.
        connection.execute(select(func.pg_advisory_xact_lock(_CLAIM_LOCK, plan.study.id)))
    group = _take_group(connection, plan, is_open(worker, kinds), lease_s, limit)
    if not group and Kind.ACCURACY in kinds:
        lacking = may_be_added_to(connection, plan, max_attempts)
        group = _take_group(connection, plan, lacking, lease_s, limit)
    return _begin(connection, plan, group, worker) if group else None


def is_open(worker: Worker | None, kinds: Collection[Kind]) -> ColumnElement[bool]:
    """Trials that wait to be run, by this worker if one is named."""
    waits = and_(Trial.state.in_(OPEN_STATES), Trial.origin.is_(None), Trial.kind.in_(kinds))
    if worker is None:
        return waits
    anywhere = Trial.environment_key.is_(None)
    return and_(waits, or_(anywhere, Trial.environment_key == worker.environment_key))


def may_be_added_to(
    connection: Connection, plan: FiledPlan, max_attempts: int
) -> ColumnElement[bool]:
    """Complete trials that lack what the plan wants kept, unless adding it failed before."""
    return and_(
        Trial.id.in_(incomplete(connection, plan)),
        Trial.state == State.COMPLETE,
        Trial.lease_until.is_(None),
        Trial.origin.is_(None),
        Trial.error.is_(None),
        Trial.tries < max_attempts,
    )


def _take_group(
    connection: Connection,
    plan: FiledPlan,
    claimable: ColumnElement[bool],
    lease_s: float,
    limit: int | None,
) -> Sequence[int]:
    """The first group that has claimable trials becomes the worker's; empty if there is none."""
    in_order = (
        select(Trial.id)
        .join(StudyPlanTrial, StudyPlanTrial.trial_id == Trial.id)
        .where(StudyPlanTrial.plan_id == plan.id, claimable)
        .order_by(StudyPlanTrial.position)
    )
    first_group = in_order.with_only_columns(StudyPlanTrial.group_key).limit(1)
    # Who works on another plan with the same trials may be faster: then on to the next group.
    while (group := connection.scalar(first_group)) is not None:
        members = in_order.where(StudyPlanTrial.group_key == group).limit(limit)
        taken = _take(connection, members, claimable, lease_s)
        if taken:
            return taken
    return ()


def _take(
    connection: Connection, members: Select[int], claimable: ColumnElement[bool], lease_s: float
) -> Sequence[int]:
    """Make trials the worker's, unless somebody else took them since they were selected.

    A complete trial stays complete while something is added to it.
    """
    is_complete = Trial.state == State.COMPLETE
    return connection.scalars(
        update(Trial)
        .where(Trial.id.in_(members), claimable)
        .values(
            state=case((is_complete, Trial.state), else_=literal(State.RUNNING, Trial.state.type)),
            token=Trial.token + 1,
            attempts=Trial.attempts + case((is_complete, 0), else_=1),
            tries=Trial.tries + 1,
            lease_s=lease_s,
            lease_until=DatabaseNow() + lease_s,
            error=None,
        )
        .returning(Trial.id)
    ).all()


def _begin(connection: Connection, plan: FiledPlan, ids: Collection[int], worker: Worker) -> Claim:
    """Open an attempt at each trial that was taken."""
    last = (
        select(Attempt.trial_id, func.max(Attempt.number).label("number"))
        .where(Attempt.trial_id.in_(ids))
        .group_by(Attempt.trial_id)
        .subquery()
    )
    rows = connection.execute(
        select(
            Trial.id,
            Trial.token,
            Trial.state,
            Trial.lease_s,
            StudyPlanTrial.group_key,
            (func.coalesce(last.c.number, 0) + 1).label("number"),
            *SPEC_COLUMNS,
        )
        .join(StudyPlanTrial, StudyPlanTrial.trial_id == Trial.id)
        .outerjoin(last, last.c.trial_id == Trial.id)
        .where(StudyPlanTrial.plan_id == plan.id, Trial.id.in_(ids))
        .order_by(StudyPlanTrial.position)
    ).all()
    environment_id = connection.scalar(
        select(Environment.id).where(Environment.key == worker.environment_key)
    )
    attempts = [
        {
            "trial_id": row.id,
            "plan_id": plan.id,
            "number": row.number,
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
        select(Attempt.trial_id, Attempt.id).where(
            Attempt.trial_id.in_(ids), Attempt.state == State.RUNNING
        )
    )
    attempt_ids = {row.trial_id: row.id for row in begun}
    _forget_timings(connection, ids)
    extras = asked(connection, ids)
    return Claim(
        group_key=rows[0].group_key,
        trials=tuple(
            ClaimedTrial(
                id=row.id,
                spec=spec_of(row),
                token=row.token,
                attempt_id=attempt_ids[row.id],
                attempt=row.number,
                lease_s=row.lease_s,
                extras=extras.get(row.id, Extras()),
                is_complete=row.state is State.COMPLETE,
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
        .where(Trial.id == trial.id, Trial.token == trial.token, Trial.lease_until.is_not(None))
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


def unknown(_pid: int) -> str | None:
    """How a process ended, for who isn't its parent."""
    return None


def release_stale(
    connection: Connection, max_attempts: int, how_ended: Callable[[int], str | None]
) -> tuple[LostTrial, ...]:
    """See :meth:`vosbench.harness.store.storage.Storage.release_stale`."""
    remaining_s = (Trial.lease_until - DatabaseNow()).label("remaining_s")
    rows = connection.execute(
        select(
            Trial.id,
            Trial.state,
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
            *SPEC_COLUMNS,
        )
        .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.state == State.RUNNING))
        .where(Trial.lease_until.is_not(None))
        .order_by(Trial.id)
    ).all()
    released = (_release(connection, row, max_attempts, how_ended) for row in rows)
    return tuple(trial for trial in released if trial is not None)


def _release(
    connection: Connection, row: Any, max_attempts: int, how_ended: Callable[[int], str | None]
) -> LostTrial | None:
    """Take one trial back if its worker is lost."""
    if is_gone(row.host, row.pid, row.process_started):
        how = how_ended(row.pid)
        error = "the process that ran it ended without a word" + (f" ({how})" if how else "")
    else:
        reason = _lost_because(row.remaining_s, row.lease_s, host=row.host)
        if reason is None:
            return None
        error = f"lost its worker {row.worker!r} ({reason})"
    is_last = row.tries >= max_attempts
    if is_last:
        error = f"{error}, {row.tries} times in a row"
    values: dict[str, Any] = {"lease_until": None, "error": error}
    if row.state is State.COMPLETE:
        values["error"] = error if is_last else None
    else:
        values["state"] = State.FAILED if is_last else State.STALE
        values["ended_at"] = DatabaseNow() if is_last else None
    taken = connection.execute(
        update(Trial)
        .where(
            Trial.id == row.id,
            Trial.token == row.token,
            Trial.lease_until == row.lease_until,  # no sign of life since it was read
        )
        .values(**values)
    ).rowcount
    if taken:
        connection.execute(
            update(Attempt)
            .where(Attempt.id == row.attempt_id)
            .values(state=State.STALE, error=error, ended_at=DatabaseNow())
        )
    return LostTrial(spec_of(row), error, is_last) if taken else None


def _lost_because(remaining_s: float, lease_s: float, *, host: str) -> str | None:
    """Why a lease is lost, or None while it holds."""
    if remaining_s <= 0:
        return "no sign of life within its lease"
    # More than a whole lease left: the clock was set back. A worker that is alive renews it in
    # a moment, one that isn't would keep the trial for as long as the clock went back.
    if remaining_s > lease_s + _CLOCK_SLACK_S and host != this_host():
        return "the database's clock was set back"
    return None
