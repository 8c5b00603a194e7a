"""Trainings in the store, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from sqlalchemy import text
from store_samples import CURVE, NOTES, train, training, worker

from vosbench.baselines.errors import InputError
from vosbench.harness.store import CurveValue, State, Storage, TrainingRecord, TrainingSpec, garbage


def found(storage: Storage, spec: TrainingSpec) -> TrainingRecord:
    record = storage.trainings.find(spec.key)
    assert record is not None
    return record


def test_a_training_is_followed_from_beginning_to_end(storage: Storage) -> None:
    spec = training()
    assert storage.trainings.find(spec.key) is None
    storage.trainings.begin(spec, NOTES, worker())
    begun = found(storage, spec)
    assert (begun.spec, begun.notes, begun.state) == (spec, NOTES, State.RUNNING)
    assert (begun.steps_done, begun.checkpoint_sha256, begun.ended_at) == (0, None, None)
    storage.trainings.advance(spec.key, 20, 4.5)
    assert (found(storage, spec).steps_done, found(storage, spec).elapsed_s) == (20, 4.5)
    train(storage.trainings, spec, worker())
    done = found(storage, spec)
    assert (done.state, done.steps_done, done.elapsed_s) == (State.COMPLETE, 40, 90)
    assert done.checkpoint_sha256 == "12" * 32
    assert done.ended_at is not None and done.ended_at >= done.started_at
    assert storage.trainings.curve(spec.key) == tuple(
        sorted(CURVE, key=lambda point: (point.step, point.name))
    )
    assert storage.integrity_check() == ()


def test_going_on_continues_the_row(storage: Storage) -> None:
    spec = training()
    storage.trainings.begin(spec, NOTES, worker())
    storage.trainings.advance(spec.key, 20, 4.5)
    storage.trainings.pause(spec.key)
    assert found(storage, spec).state is State.WAITING
    storage.trainings.fail(spec.key, "no space\nleft", "Traceback")
    failed = found(storage, spec)
    assert (failed.state, failed.error, failed.traceback) == (
        State.FAILED,
        "no space left",
        "Traceback",
    )
    storage.trainings.begin(spec, replace(NOTES, threads=4), worker())
    again = found(storage, spec)
    assert (again.state, again.error, again.traceback) == (State.RUNNING, None, None)
    assert (again.steps_done, again.elapsed_s, again.notes.threads) == (20, 4.5, 4)
    assert again.started_at == failed.started_at
    assert len(storage.trainings.all()) == 1


def test_a_training_whose_process_is_gone_is_stale(storage: Storage) -> None:
    here = worker()
    storage.trainings.begin(training(), NOTES, here)
    gone = replace(here, process_started="1")
    storage.trainings.begin(training(model="frtm-lite"), NOTES, gone)
    elsewhere = replace(gone, host="another machine")
    storage.trainings.begin(training(model="frtm"), NOTES, elsewhere)
    states = [record.state for record in storage.trainings.all()]
    assert states == [State.RUNNING, State.STALE, State.RUNNING]


def test_what_is_no_number_comes_back_as_nan(storage: Storage) -> None:
    spec = training()
    storage.trainings.begin(spec, NOTES, worker())
    twice = (CurveValue(1, "loss", math.nan), CurveValue(2, "loss", 1.0), CurveValue(2, "loss", 2))
    storage.trainings.complete(
        spec.key, checkpoint_sha256="12" * 32, path="x", elapsed_s=1, curve=twice
    )
    values = [point.value for point in storage.trainings.curve(spec.key)]
    assert math.isnan(values[0]) and values[1:] == [2.0]


def test_the_key_is_that_of_recipe_data_and_start() -> None:
    keys = {
        training().key,
        training(model="g-frtm-fast").key,
        training(recipe='{"seed": 4}').key,
        training(data_sha256="00").key,
        training(start_sha256=None).key,
    }
    assert len(keys) == 5


def test_keys_may_be_shortened_while_they_are_unique(storage: Storage) -> None:
    first, second = training(), training(model="frtm-lite")
    for spec in (first, second):
        storage.trainings.begin(spec, NOTES, worker())
    assert storage.trainings.named(first.key[:12]).spec == first
    for start, says in (("", "2 keys begin"), ("zz", "no training's key begins")):
        with pytest.raises(InputError, match=says):
            storage.trainings.named(start)


def test_a_trained_checkpoint_is_no_garbage(storage: Storage) -> None:
    train(storage.trainings, training(), worker())
    for sha256 in ("12" * 32, "34" * 32):
        storage.add_checkpoint(sha256, "x", "g-frtm-lite", {}, trained=True)
    counts = storage.database.write(lambda c: garbage.collect(c, dry_run=False))
    assert counts.checkpoints == 1
    left = storage.database.read(lambda c: c.execute(text("SELECT sha256 FROM checkpoint")).all())
    assert [tuple(row) for row in left] == [("12" * 32,)]


def test_damage_to_a_training_is_found(storage: Storage) -> None:
    train(storage.trainings, training(), worker())
    storage.database.write(
        lambda c: c.execute(text("UPDATE training SET recipe = '{}', checkpoint_sha256 = NULL"))
    )
    assert storage.integrity_check() == (
        "training 1: its columns don't hash to its key",
        "training 1: complete without a checkpoint",
    )
