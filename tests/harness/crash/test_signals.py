"""SIGTERM and SIGHUP end a sweep as Ctrl-C does: handed back, said so, and counted as no try."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crash_plugin import HOLD
from sqlalchemy import select

from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt, Trial

PROGRAM = "from vosbench.harness.cli import main; main()"
GRID = ("--models", "crash-dummy", "--tau", "0.1,0.2", "--device", "cpu", "--study", "s")
PATIENCE_S = 120.0


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """No frame ends while this file is there."""
    file = tmp_path / "hold"
    file.touch()
    return file


@contextmanager
def running(db: str, clips: Path, hold: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``vosbench run`` in a process group of its own."""
    paths = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", *GRID, "--db", db,
         "--dataset", f"davis-layout:{clips}", *arguments],
        env={**os.environ, "PYTHONPATH": paths, HOLD: str(hold), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.05)


def in_work(storage: Storage) -> int:
    query = select(Attempt.id).where(Attempt.state == State.RUNNING)
    return len(storage.database.read(lambda c: c.scalars(query).all()))


def assert_handed_back(storage: Storage, attempts: int) -> None:
    rows = storage.database.read(
        lambda c: c.execute(select(Trial.state, Trial.tries).order_by(Trial.id)).all()
    )
    assert [tuple(row) for row in rows] == [(State.WAITING, 0)] * 2
    states = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
    assert list(states) == [State.WAITING] * attempts
    assert storage.integrity_check() == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "sent",  # the signal, the number of processes, whether all of them get it
    [
        (signal.SIGINT, 1, False),
        (signal.SIGTERM, 1, False),
        (signal.SIGHUP, 1, False),
        (signal.SIGTERM, 2, False),  # the parent alone, as `kill` does
        (signal.SIGTERM, 2, True),  # all of them, as batch systems do
        (signal.SIGHUP, 2, True),  # and closing terminals
    ],
)
def test_a_signal_hands_back_what_is_in_work(
    clips: Path, tmp_path: Path, hold: Path, sent: tuple[signal.Signals, int, bool]
) -> None:
    check(str(tmp_path / "results.db"), clips, hold, *sent)


@pytest.mark.slow
def test_a_signal_on_postgresql(clips: Path, postgresql_url: str, hold: Path) -> None:
    check(postgresql_url, clips, hold, signal.SIGTERM, 2, True)


def check(db: str, clips: Path, hold: Path, *sent: signal.Signals | int | bool) -> None:
    number, jobs, to_group = signal.Signals(sent[0]), sent[1], sent[2]
    with Storage.open(db) as storage, running(db, clips, hold, "--jobs", str(jobs)) as process:
        wait_for(lambda: in_work(storage) == jobs, process)
        (os.killpg if to_group else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 128 + number, said
        assert f"stopped by {number.name}: what was in work is handed back" in said
        assert "Traceback" not in said
        assert_handed_back(storage, jobs)


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(clips: Path, tmp_path: Path, hold: Path) -> None:
    db = str(tmp_path / "results.db")
    with Storage.open(db) as storage, running(db, clips, hold) as process:
        wait_for(lambda: in_work(storage) == 1, process)
        # Whoever holds the database keeps the first one from being done with.
        with storage.database._writer.begin():
            process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=10)
        assert process.returncode == 128 + signal.SIGTERM
        assert said.endswith(
            "vosbench: SIGTERM again: ended at once; the next run takes over what was in work\n"
        )
        assert in_work(storage) == 1
        assert len(storage.release_stale()) == 1
