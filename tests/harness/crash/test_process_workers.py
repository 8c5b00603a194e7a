"""Workers as processes of their own, one of which is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from crash_plugin import HOLD
from crash_sweep import Sweep, outcome
from sqlalchemy import select

from vosbench.baselines.errors import InputError
from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt
from vosbench.harness.sweep.events import Tally
from vosbench.harness.sweep.job import ClipsRef
from vosbench.harness.sweep.processes import ProcessExecutor


def kill_one(storage: Storage, hold: Path) -> None:
    """Kill a worker when both have a trial, and let the other go on."""
    query = select(Attempt.pid).where(Attempt.state == State.RUNNING)
    until = time.monotonic() + 120
    pids: set[int] = set()
    while len(pids) < 2 and time.monotonic() < until:
        time.sleep(0.02)
        pids = set(storage.database.read(lambda c: c.scalars(query).all()))
    os.kill(min(pids), signal.SIGKILL)
    hold.unlink()


@pytest.mark.slow
def test_a_killed_workers_trials_are_taken_over(
    sweep: Sweep, undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    monkeypatch.setenv(HOLD, str(hold))
    tallies = [Tally(), Tally()]
    with Storage.open(sweep.db) as storage:
        job = sweep.store(storage)
        killer = threading.Thread(target=kill_one, args=(storage, hold))
        killer.start()
        ProcessExecutor(job, ("cpu",), 2, lambda index: tallies[index]).run()
        killer.join()
        states = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
        assert storage.integrity_check() == ()
    assert sorted(states) == ["complete"] * 6 + ["stale"]
    assert sum(tally.frames for tally in tallies) >= 6 * 3 * 5
    assert outcome(sweep.db) == outcome(undisturbed)


def test_what_stops_a_worker_is_said_once(sweep: Sweep) -> None:
    with Storage.open(sweep.db) as storage:
        job = sweep.store(storage)
    gone = ClipsRef("davis-layout:/nowhere", "own-clips@1", "/nowhere", ("a",), None, "0" * 64)
    broken = type(job)(job.db, job.plan, (gone,))
    with pytest.raises(InputError, match="no such folder"):
        ProcessExecutor(broken, ("cpu",), 1, lambda _: Tally(), "fork").run()
