"""Sweeps that are killed, starved and locked out end as undisturbed ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from crash_faults import ClockSetBack, FullDisk, Lock
from crash_plugin import FAULTS, FRAME_S
from crash_rounds import TRIALS_AT_ONCE, crash_rounds, finish, finished
from crash_sweep import STUDY, Sweep, fork_server, outcome
from sqlalchemy import select

from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt, SequenceResult


def start(sweep: Sweep, hook: Callable[[], None] | None = None, **variables: str) -> BaseProcess:
    """Start a sweep; ``variables`` are its environment's."""
    process = fork_server().Process(target=_run, args=(sweep, hook, variables))  # type: ignore[attr-defined]
    process.start()
    assert isinstance(process, BaseProcess)
    return process


def _run(sweep: Sweep, hook: Callable[[], None] | None, variables: dict[str, str]) -> None:
    os.environ.update(variables)
    sweep.run(hook)


@contextmanager
def store(sweep: Sweep):  # type: ignore[no-untyped-def]
    with Storage.open(sweep.db) as storage:
        yield storage


def clips_stored(storage: Storage) -> int:
    return len(storage.database.read(lambda c: c.scalars(select(SequenceResult.id)).all()))


def attempts(storage: Storage) -> list[State]:
    return list(
        storage.database.read(lambda c: c.scalars(select(Attempt.state).order_by(Attempt.id)).all())
    )


def wait_for_clips(storage: Storage, count: int, process: BaseProcess) -> None:
    until = time.monotonic() + 60
    while clips_stored(storage) < count:
        assert process.is_alive(), "the sweep ended too early"
        assert time.monotonic() < until
        time.sleep(0.01)


def assert_as_undisturbed(sweep: Sweep, undisturbed: str) -> None:
    with store(sweep) as storage:
        assert storage.integrity_check() == ()
    assert outcome(sweep.db) == outcome(undisturbed)
    assert {state for state, _, _ in outcome(sweep.db).values()} == {"complete"}


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_by_kills_at_random_points(
    store_url: str, clips: Path, tmp_path: Path
) -> None:
    sweep = Sweep(store_url, clips, TRIALS_AT_ONCE)
    summary = crash_rounds(sweep, str(tmp_path / "calm.db"), rounds=6, seed=1)
    print(summary)
    assert summary.worker_kills + summary.scheduler_kills == 6
    assert (summary.lost, summary.doubled, summary.problems) == (0, 0, ())
    assert summary.attempts > summary.trials
    assert summary.same


def test_a_trial_that_runs_out_of_memory_is_tried_again(
    sweep: Sweep, undisturbed: str, tmp_path: Path
) -> None:
    for number in range(2):
        (tmp_path / f"memory-{number}").touch()
    process = start(sweep, None, **{FAULTS: str(tmp_path)})
    process.join(60)
    assert process.exitcode == 0
    with store(sweep) as storage:
        assert sorted(attempts(storage)) == ["complete"] * 6 + ["failed"] * 2
    assert_as_undisturbed(sweep, undisturbed)


def test_a_full_disk_stops_the_sweep_in_one_line_and_blames_no_trial(
    sweep: Sweep, undisturbed: str, tmp_path: Path
) -> None:
    with store(sweep) as storage:
        sweep.store(storage)
    message = tmp_path / "message"
    process = start(replace(sweep, message_file=message), FullDisk(sweep.db, pages=3))
    process.join(60)
    assert process.exitcode == 2
    assert "no space left" in message.read_text()
    with store(sweep) as storage:
        before = clips_stored(storage)
        records = storage.trials(storage.study(STUDY))
    assert 0 < before < 18
    assert not any(record.state is State.FAILED for record in records)
    finished(sweep)
    assert_as_undisturbed(sweep, undisturbed)


def test_a_database_that_stays_locked_stops_the_sweep_in_one_line(
    sweep: Sweep, undisturbed: str, tmp_path: Path
) -> None:
    impatient = replace(sweep, busy_timeout_s=0.3, message_file=tmp_path / "message")
    with store(sweep) as storage:
        sweep.store(storage)
        process = start(impatient, None, **{FRAME_S: "0.02"})
        wait_for_clips(storage, 2, process)
        lock = Lock(sweep.db)
        process.join(60)
        lock.release()
        assert process.exitcode == 2
        assert "is locked by another program" in (tmp_path / "message").read_text()
        assert not any(
            record.state is State.FAILED for record in storage.trials(storage.study(STUDY))
        )
    finished(sweep)
    assert_as_undisturbed(sweep, undisturbed)


def test_a_lock_shorter_than_the_patience_is_waited_for(sweep: Sweep, undisturbed: str) -> None:
    with store(sweep) as storage:
        sweep.store(storage)
        process = start(sweep, None, **{FRAME_S: "0.01"})
        wait_for_clips(storage, 2, process)
        lock = Lock(sweep.db)
        time.sleep(1.0)
        assert process.is_alive()
        lock.release()
        process.join(60)
        assert process.exitcode == 0
        assert attempts(storage) == ["complete"] * 6
    assert_as_undisturbed(sweep, undisturbed)


def test_a_clock_that_is_set_back_changes_nothing(
    sweep: Sweep, undisturbed: str, tmp_path: Path
) -> None:
    clock = ClockSetBack(tmp_path / "back")
    with store(sweep) as storage:
        sweep.store(storage)
        process = start(sweep, clock, **{FRAME_S: "0.01"})
        wait_for_clips(storage, 2, process)
        clock.signal.touch()
        wait_for_clips(storage, 5, process)  # it goes on
        process.kill()
        process.join()
        again = start(sweep, clock)  # leases end an hour from now, by this clock
        again.join(60)
        assert again.exitcode == 0
        assert finish(storage, sweep) == 0
    assert_as_undisturbed(sweep, undisturbed)
