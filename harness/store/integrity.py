"""Whether a database holds together: its own check, and what must be true of its rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from vosbench.harness.store.arrays import PackedArray, unpack
from vosbench.harness.store.models import (
    Attempt,
    SequenceResult,
    Series,
    State,
    Training,
    Trial,
)
from vosbench.harness.store.recording import combined_sha256
from vosbench.harness.store.records import SPEC_COLUMNS, spec_of
from vosbench.harness.store.trainings import TrainingSpec
from vosbench.harness.trials import Kind

_BATCH = 200


def integrity_check(connection: Connection) -> tuple[str, ...]:
    """See :meth:`vosbench.harness.store.storage.Storage.integrity_check`."""
    return (
        *_file_problems(connection),
        *_key_problems(connection),
        *_state_problems(connection),
        *_result_problems(connection),
        *_stitched_timings(connection),
        *_series_problems(connection),
        *_training_problems(connection),
    )


def _file_problems(connection: Connection) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        return
    for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
        if line != "ok":
            yield f"SQLite: {line}"
    for table, row_id, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        yield f"SQLite: row {row_id} of {table} points at no row of {parent}"


def _key_problems(connection: Connection) -> Iterator[str]:
    for row in connection.execute(select(Trial.id, Trial.key, *SPEC_COLUMNS)):
        if spec_of(row).key != row.key:
            yield f"trial {row.id}: its columns don't hash to its key"


def _state_problems(connection: Connection) -> Iterator[str]:
    live = (
        select(Attempt.trial_id, func.count().label("live"))
        .where(Attempt.state == State.RUNNING)
        .group_by(Attempt.trial_id)
        .subquery()
    )
    rows = connection.execute(
        select(Trial.id, Trial.state, Trial.origin, Trial.lease_until, live.c.live).outerjoin(
            live, live.c.trial_id == Trial.id
        )
    )
    for row in rows:
        is_held = row.lease_until is not None
        # A complete trial is held while something is added to it.
        if is_held != (row.state is State.RUNNING) and not (
            is_held and row.state is State.COMPLETE
        ):
            yield f"trial {row.id}: {row.state}, {'with' if is_held else 'without'} a lease"
        if (row.live or 0) != int(is_held):
            yield f"trial {row.id}: {row.state}, with {row.live or 0} attempts in work"
        if row.origin is not None and (is_held or row.state is not State.COMPLETE):
            yield f"trial {row.id}: {row.state}, though it was imported"


def _result_problems(connection: Connection) -> Iterator[str]:
    hashes: dict[int, dict[str, str]] = defaultdict(dict)
    rows = connection.execute(
        select(SequenceResult.trial_id, SequenceResult.sequence, SequenceResult.mask_sha256)
    )
    for row in rows:
        hashes[row.trial_id][row.sequence] = row.mask_sha256
    trials = connection.execute(select(Trial.id, Trial.state, Trial.sequences, Trial.mask_sha256))
    for trial in trials:
        found = hashes[trial.id]
        for name in sorted(set(found) - set(trial.sequences)):
            yield f"trial {trial.id}: has a result of {name!r}, which is not among its sequences"
        if trial.state is not State.COMPLETE:
            continue
        missing = [name for name in trial.sequences if name not in found]
        if missing:
            yield f"trial {trial.id}: complete without {', '.join(missing)}"
        elif trial.mask_sha256 != combined_sha256(found[name] for name in trial.sequences):
            yield f"trial {trial.id}: its mask hash is not that of its sequences"


def _stitched_timings(connection: Connection) -> Iterator[str]:
    rows = connection.execute(
        select(SequenceResult.trial_id)
        .join(Trial, Trial.id == SequenceResult.trial_id)
        .where(Trial.kind == Kind.TIMING)
        .group_by(SequenceResult.trial_id)
        .having(func.count(SequenceResult.attempt_id.distinct()) > 1)
    )
    for row in rows:
        yield f"trial {row.trial_id}: timing put together from several attempts"


def _series_problems(connection: Connection) -> Iterator[str]:
    series = Series.__table__
    keys = connection.execute(select(Series.sequence_result_id).distinct()).scalars().all()
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        for row in connection.execute(select(series).where(Series.sequence_result_id.in_(batch))):
            try:
                unpack(PackedArray(row.dtype, row.shape, row.data))
            except ValueError as error:
                yield f"sequence result {row.sequence_result_id}, series {row.name!r}: {error}"


def _training_problems(connection: Connection) -> Iterator[str]:
    named = (Training.model, Training.recipe, Training.data_sha256, Training.start_sha256)
    columns = (Training.id, Training.key, Training.state, Training.checkpoint_sha256, *named)
    for row in connection.execute(select(*columns)):
        if TrainingSpec(*(row._mapping[column.key] for column in named)).key != row.key:
            yield f"training {row.id}: its columns don't hash to its key"
        if row.state is State.COMPLETE and row.checkpoint_sha256 is None:
            yield f"training {row.id}: complete without a checkpoint"
