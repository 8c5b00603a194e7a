"""Writing what a worker measured, and how its attempt ended."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from vosbench.baselines.text import one_line
from vosbench.harness.store.arrays import PackedArray, pack, unpack
from vosbench.harness.store.claims import hold
from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.extras import MASKS
from vosbench.harness.store.models import (
    Attempt,
    ObjectMetric,
    SequenceMetric,
    SequenceResult,
    Series,
    State,
    Trial,
    TrialMetric,
)
from vosbench.harness.store.records import ClaimedTrial
from vosbench.harness.trials import ClipResult


def combined_sha256(mask_hashes: Iterable[str]) -> str:
    """A trial's mask hash: SHA-256 over its clips' hex hashes, each with a line break."""
    return hashlib.sha256("".join(f"{digest}\n" for digest in mask_hashes).encode()).hexdigest()


def record(connection: Connection, trial: ClaimedTrial, clip: ClipResult) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.record`."""
    hold(connection, trial)
    if clip.sequence not in trial.spec.sequences:
        raise ValueError(f"trial {trial.id} has no sequence {clip.sequence!r}")
    earlier = connection.execute(
        select(SequenceResult.id, SequenceResult.mask_sha256, SequenceResult.traced).where(
            SequenceResult.trial_id == trial.id, SequenceResult.sequence == clip.sequence
        )
    ).first()
    if earlier is not None:
        if earlier.mask_sha256 != clip.mask_sha256:
            raise ValueError(
                f"trial {trial.id} has other masks for {clip.sequence!r} already: "
                f"{earlier.mask_sha256}, now {clip.mask_sha256}"
            )
        _add_extras(connection, earlier.id, earlier.traced or (), clip)
        return
    insert_result(connection, trial.id, trial.attempt_id, clip)


def insert_result(connection: Connection, trial_id: int, attempt_id: int, clip: ClipResult) -> None:
    """Store what an attempt measured on one clip of which there is nothing yet."""
    result_id = connection.scalar(
        insert(SequenceResult)
        .values(
            trial_id=trial_id,
            attempt_id=attempt_id,
            sequence=clip.sequence,
            object_ids=clip.object_ids,
            frames=clip.frames,
            mask_sha256=clip.mask_sha256,
            traced=clip.traced or None,
        )
        .returning(SequenceResult.id)
    )
    assert result_id is not None
    _insert_measured(connection, result_id, clip)


def _insert_measured(connection: Connection, result_id: int, clip: ClipResult) -> None:
    owner = {"sequence_result_id": result_id}
    metrics = [owner | value for value in _values(clip.metrics)]
    object_metrics = [
        owner | {"object_id": object_id} | value
        for object_id, values in clip.object_metrics.items()
        for value in _values(values)
    ]
    if metrics:
        connection.execute(insert(SequenceMetric), metrics)
    if object_metrics:
        connection.execute(insert(ObjectMetric), object_metrics)
    _insert_series(connection, result_id, _packed(clip))


def _packed(clip: ClipResult) -> dict[str, PackedArray]:
    return {name: pack(array) for name, array in clip.series.items()} | dict(clip.packed)


def _insert_series(
    connection: Connection, result_id: int, packed: Mapping[str, PackedArray]
) -> None:
    owner = {"sequence_result_id": result_id}
    rows = [
        owner | {"name": name, "dtype": array.dtype, "shape": array.shape, "data": array.data}
        for name, array in packed.items()
    ]
    if rows:
        connection.execute(insert(Series), rows)


def _add_extras(
    connection: Connection, result_id: int, traced: tuple[int, ...], clip: ClipResult
) -> None:
    """Store what the result lacks beside its numbers; what it has stays, or is a part of it."""
    names = connection.scalars(select(Series.name).where(Series.sequence_result_id == result_id))
    have = set(names)
    packed = _packed(clip)
    new = {name: array for name, array in packed.items() if name == MASKS and name not in have}
    if set(clip.traced) > set(traced):
        trace = {name: a for name, a in packed.items() if name.startswith("trace_")}
        connection.execute(
            delete(Series).where(Series.sequence_result_id == result_id, Series.name.in_(trace))
        )
        connection.execute(
            update(SequenceResult).where(SequenceResult.id == result_id).values(traced=clip.traced)
        )
        new |= trace
    _insert_series(connection, result_id, new)


def _values(metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    # What isn't known is NULL in both databases; SQLite has no NaN.
    return [
        {"name": name, "value": None if math.isnan(value) else float(value)}
        for name, value in metrics.items()
    ]


def recorded(
    connection: Connection, trial_id: int, without: Collection[str]
) -> tuple[ClipResult, ...]:
    """See :meth:`vosbench.harness.store.storage.Storage.recorded`."""
    order = connection.scalar(select(Trial.sequences).where(Trial.id == trial_id)) or ()
    rows = connection.execute(
        select(SequenceResult.__table__).where(SequenceResult.trial_id == trial_id)
    ).all()
    clips = [_clip(connection, row, without) for row in rows]
    return tuple(sorted(clips, key=lambda clip: order.index(clip.sequence)))


def _clip(connection: Connection, row: Row[Any], without: Collection[str]) -> ClipResult:
    metrics = connection.execute(
        select(SequenceMetric).where(SequenceMetric.sequence_result_id == row.id)
    )
    object_metrics: dict[int, dict[str, float]] = {object_id: {} for object_id in row.object_ids}
    for value in connection.execute(
        select(ObjectMetric).where(ObjectMetric.sequence_result_id == row.id)
    ):
        object_metrics.setdefault(value.object_id, {})[value.name] = _known(value.value)
    series = connection.execute(
        select(Series).where(Series.sequence_result_id == row.id, Series.name.not_in(list(without)))
    )
    return ClipResult(
        sequence=row.sequence,
        object_ids=row.object_ids,
        frames=row.frames,
        mask_sha256=row.mask_sha256,
        traced=row.traced or (),
        metrics={value.name: _known(value.value) for value in metrics},
        object_metrics=object_metrics,
        series={
            item.name: unpack(PackedArray(item.dtype, item.shape, item.data)) for item in series
        },
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def complete(connection: Connection, trial: ClaimedTrial, aggregates: Mapping[str, float]) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.complete`."""
    state = connection.scalar(select(Attempt.state).where(Attempt.id == trial.attempt_id))
    if state is State.COMPLETE:
        return
    hold(connection, trial)
    if trial.is_complete:
        _end_attempt(connection, trial, State.COMPLETE)
        _end_addition(connection, trial, tries=0)
        return
    found = connection.execute(
        select(SequenceResult.sequence, SequenceResult.mask_sha256).where(
            SequenceResult.trial_id == trial.id
        )
    )
    hashes = {row.sequence: row.mask_sha256 for row in found}
    missing = [name for name in trial.spec.sequences if name not in hashes]
    if missing:
        raise ValueError(f"trial {trial.id} lacks results of {', '.join(missing)}")
    insert_aggregates(connection, trial.id, aggregates)
    _end_attempt(connection, trial, State.COMPLETE)
    _end_trial(
        connection,
        trial,
        State.COMPLETE,
        tries=0,
        mask_sha256=combined_sha256(hashes[name] for name in trial.spec.sequences),
    )


def insert_aggregates(
    connection: Connection, trial_id: int, aggregates: Mapping[str, float]
) -> None:
    """Store a trial's scalars over all its clips."""
    rows = [{"trial_id": trial_id} | row for row in _values(aggregates)]
    if rows:
        connection.execute(insert(TrialMetric), rows)


def fail(
    connection: Connection,
    trial: ClaimedTrial,
    message: str,
    traceback: str | None,
    *,
    deterministic: bool,
    max_attempts: int,
) -> State:
    """See :meth:`vosbench.harness.store.storage.Storage.fail`."""
    hold(connection, trial)
    tries = connection.scalar(select(Trial.tries).where(Trial.id == trial.id)) or 0
    is_final = deterministic or tries >= max_attempts
    _end_attempt(connection, trial, State.FAILED, error=one_line(message), traceback=traceback)
    if trial.is_complete:
        _end_addition(connection, trial, error=one_line(message) if is_final else None)
        return State.COMPLETE
    state = State.FAILED if is_final else State.STALE
    _end_trial(connection, trial, state, error=one_line(message))
    return state


def skip(connection: Connection, trial: ClaimedTrial, reason: str) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.skip`."""
    hold(connection, trial)
    _end_attempt(connection, trial, State.SKIPPED, error=one_line(reason))
    if trial.is_complete:
        _end_addition(connection, trial, error=one_line(reason))
        return
    _end_trial(connection, trial, State.SKIPPED, error=one_line(reason))


def hand_back(connection: Connection, trial: ClaimedTrial) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.hand_back`."""
    hold(connection, trial)
    _end_attempt(connection, trial, State.WAITING)
    if trial.is_complete:
        _end_addition(connection, trial, tries=Trial.tries - 1)
        return
    _end_trial(connection, trial, State.WAITING, tries=Trial.tries - 1)


def annotate(connection: Connection, trial: ClaimedTrial, annotations: Mapping[str, Any]) -> None:
    """See :meth:`vosbench.harness.store.storage.Storage.annotate`."""
    hold(connection, trial)
    connection.execute(
        update(Attempt).where(Attempt.id == trial.attempt_id).values(annotations=dict(annotations))
    )


def _end_attempt(
    connection: Connection,
    trial: ClaimedTrial,
    state: State,
    *,
    error: str | None = None,
    traceback: str | None = None,
) -> None:
    connection.execute(
        update(Attempt)
        .where(Attempt.id == trial.attempt_id)
        .values(state=state, error=error, traceback=traceback, ended_at=DatabaseNow())
    )


def _end_trial(connection: Connection, trial: ClaimedTrial, state: State, **values: Any) -> None:
    is_open = state in (State.WAITING, State.STALE)
    connection.execute(
        update(Trial)
        .where(Trial.id == trial.id, Trial.token == trial.token)
        .values(
            state=state,
            lease_until=None,
            ended_at=None if is_open else DatabaseNow(),
            **values,
        )
    )


def _end_addition(connection: Connection, trial: ClaimedTrial, **values: Any) -> None:
    """Let go of a trial that was complete before, and stays so."""
    connection.execute(
        update(Trial)
        .where(Trial.id == trial.id, Trial.token == trial.token)
        .values(lease_until=None, **values)
    )
