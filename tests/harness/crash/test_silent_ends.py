"""A model that ends its process without a word: its trial fails in the end, the others don't."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from crash_plugin import EXIT
from crash_sweep import STUDY, fork_server
from sqlalchemy import select

from vosbench.harness.cli.app import main
from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt

ENDED = "the process that ran it ended without a word"


def command(ends: str, db: str, clips: Path, stderr: Path, jobs: int) -> None:
    """Be ``vosbench run`` on two thresholds, each a walk of its own."""
    os.environ |= {EXIT: ends, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.argv = [
        "vosbench", "run", "--models", "crash-dummy", "--tau", "0.001,0.002", "--no-lockstep",
        "--device", "cpu", "--dataset", f"davis-layout:{clips}", "--study", STUDY, "--db", db,
        "--jobs", str(jobs), "--threads", str(jobs),
    ]  # fmt: skip
    main()


def run(db: str, clips: Path, stderr: Path, *, jobs: int, ends: str) -> tuple[int | None, str]:
    """The command's exit status, and what it said."""
    process = fork_server().Process(target=command, args=(ends, db, clips, stderr, jobs))
    process.start()
    process.join(200)
    return process.exitcode, stderr.read_text()


def trials(db: str) -> list[tuple[State, int, str | None]]:
    with Storage.open(db) as storage:
        assert storage.integrity_check() == ()
        return [(t.state, t.attempts, t.error) for t in storage.trials(storage.study(STUDY))]


@pytest.mark.slow
def test_the_next_start_counts_the_attempt_that_took_the_process_with_it(
    clips: Path, tmp_path: Path
) -> None:
    db, stderr = str(tmp_path / "results.db"), tmp_path / "stderr"
    said = []
    for _ in range(3):
        status, text = run(db, clips, stderr, jobs=1, ends="1:3")
        assert status == 3
        said.append(text)
    assert ENDED not in said[0]
    for text in said[1:]:
        assert f"crash-dummy τ=0.001: {ENDED}; it counts as a try\n" in text

    status, text = run(db, clips, stderr, jobs=1, ends="1:3")

    assert status == 1
    reason = f"{ENDED}, 3 times in a row"
    assert f"crash-dummy τ=0.001: {reason}; not tried again\n" in text
    assert f"failed: crash-dummy at τ=0.001 on davis-layout:{clips}: {reason}" in text
    assert "vosbench retry" in text
    assert trials(db) == [(State.FAILED, 3, reason), (State.COMPLETE, 1, None)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 0])
def test_a_worker_that_ends_silently_is_said_and_the_sweep_goes_on(
    clips: Path, tmp_path: Path, number: int
) -> None:
    db = str(tmp_path / "results.db")
    status, text = run(db, clips, tmp_path / "stderr", jobs=2, ends=f"1:{number}")

    assert status == 1, text
    one = f"crash-dummy τ=0.001: {ENDED} (exit status {number})"
    assert text.count(f"{one}; it counts as a try\n") == 2
    reason = f"{ENDED} (exit status {number}), 3 times in a row"
    assert f"crash-dummy τ=0.001: {reason}; not tried again\n" in text
    assert f"failed: crash-dummy at τ=0.001 on davis-layout:{clips}: {reason}" in text
    assert "Traceback" not in text
    assert trials(db) == [(State.FAILED, 3, reason), (State.COMPLETE, 1, None)]
    with Storage.open(db) as storage:
        states = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
    assert sorted(states) == ["complete", "stale", "stale", "stale"]
