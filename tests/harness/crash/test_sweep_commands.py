"""Commands that look at sweeps and mend them; a sweep through the command line on a server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from crash_sweep import STUDY, Sweep, outcome
from sqlalchemy import select
from typer.testing import CliRunner, Result

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.datasets.places import delete_files, leftover_files
from vosbench.harness.store import Storage, Worker
from vosbench.harness.store.models import Attempt, Checkpoint
from vosbench.harness.trials import ClipResult

Vosbench = Callable[..., Result]


@pytest.fixture
def vosbench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Vosbench:
    """The command line, in this process; what it raises is raised."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "80")

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, InputError):
            raise result.exception
        assert result.exit_code in (0, 1), result.output
        return result

    return call


@pytest.fixture
def half_done(sweep: Sweep) -> Sweep:
    """Six trials: one in work with one clip stored, one failed, four waiting."""
    with Storage.open(sweep.db) as storage:
        study = sweep.store(storage).plan
        first = storage.claim(study, Worker.here("cpu"))
        assert first is not None
        storage.record(first.trials[0], ClipResult("a", (), 5, "0" * 64, {}, {}, {}))
        second = storage.claim(study, Worker.here("cpu"))
        assert second is not None
        storage.fail(second.trials[0], "no such layer", "trace", deterministic=True)
    return sweep


def test_status_fits_80_columns_and_names_what_failed(half_done: Sweep, vosbench: Vosbench) -> None:
    shown = vosbench("status", "--db", half_done.db).stdout
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "4 waiting, 1 running, 1 failed" in shown
    assert "1/18 sequences" in shown
    assert "crash-dummy" in shown
    assert "no such layer" in shown
    known = json.loads(vosbench("status", "--db", half_done.db, "--json").stdout)
    assert known[0]["trials"]["waiting"] == 4
    with pytest.raises(InputError, match="no study 'x'"):
        vosbench("status", "--db", half_done.db, "--study", "x")


def test_commands_make_no_database(tmp_path: Path, vosbench: Vosbench) -> None:
    for command in (("status",), ("cancel",), ("retry", "--failed"), ("gc",)):
        with pytest.raises(InputError, match="no results in"):
            vosbench(*command, "--db", str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()


def test_failed_trials_wait_again(half_done: Sweep, vosbench: Vosbench) -> None:
    assert "1 trials wait again" in vosbench("retry", "--failed", "--db", half_done.db).stdout
    assert "5 waiting, 1 running" in vosbench("status", "--db", half_done.db).stdout
    with pytest.raises(InputError, match="retry --failed"):
        vosbench("retry", "--db", half_done.db)


def test_what_a_cancelled_sweep_leaves_is_collected(half_done: Sweep, vosbench: Vosbench) -> None:
    assert "5 trials cancelled" in vosbench("cancel", "--db", half_done.db).stdout
    with Storage.open(half_done.db) as storage:
        storage.add_checkpoint("f" * 64, "old", "crash-dummy", {}, trained=False)
        storage.add_environment("e", "CPU", {})

    def lines(*arguments: str) -> list[list[str]]:
        found = vosbench("gc", "--db", half_done.db, *arguments).stdout.splitlines()[1:]
        return [line.split(maxsplit=1) for line in found]

    expected = ["1", "0", "0", "1", "1", "0"]
    assert [count for count, _ in lines("--dry-run")] == expected
    assert [count for count, _ in lines()] == expected
    assert {count for count, _ in lines()} == {"0"}
    with Storage.open(half_done.db) as storage:
        assert storage.integrity_check() == ()
        assert not storage.database.read(lambda c: c.scalars(select(Checkpoint.id)).all())


def test_empty_attempts_go_and_the_last_one_stays(sweep: Sweep, vosbench: Vosbench) -> None:
    with Storage.open(sweep.db) as storage:
        study = sweep.store(storage).plan
        for _ in range(3):
            claimed = storage.claim(study, Worker.here("cpu"), limit=1)
            assert claimed is not None
            storage.hand_back(claimed.trials[0])
        vosbench("gc", "--db", sweep.db)
        kept = storage.database.read(lambda c: c.scalars(select(Attempt.number)).all())
        assert list(kept) == [3]
        assert storage.integrity_check() == ()


def test_leftovers_of_interrupted_writes(tmp_path: Path) -> None:
    old, new = tmp_path / f".motion-1.{'a' * 32}", tmp_path / f".x.json.{'b' * 32}"
    old.mkdir()
    (old / "part").touch()
    new.touch()
    (tmp_path / "motion-1").mkdir()
    hours_ago = time.time() - 7200
    os.utime(old, (hours_ago, hours_ago))
    assert leftover_files(tmp_path) == (old,)
    delete_files(leftover_files(tmp_path))
    assert not old.exists()
    assert leftover_files(tmp_path / "none") == ()


def test_a_sweep_through_the_command_line_on_postgresql(
    clips: Path, postgresql_url: str, tmp_path: Path, vosbench: Vosbench
) -> None:
    file = str(tmp_path / "results.db")
    for db in (postgresql_url, file):
        arguments = ("--models", "crash-dummy", "--tau", "0.1:0.4:0.1", "--device", "cpu")
        clips_of = ("--dataset", f"davis-layout:{clips}", "--study", STUDY)
        assert vosbench("run", *arguments, *clips_of, "--no-lockstep", "--db", db).exit_code == 0
    assert outcome(postgresql_url) == outcome(file)
    assert len(outcome(file)) == 4
    status = vosbench("status", "--db", postgresql_url, "--study", STUDY, "--watch").stdout
    assert status == "crash: 4 complete, 12/12 sequences\n"
    assert vosbench("gc", "--db", postgresql_url).exit_code == 0
    assert "sound" in vosbench("db", "check", "--db", postgresql_url).stdout
    records = json.loads(vosbench("results", "--db", postgresql_url, "--json").stdout)
    assert {record["state"] for record in records} == {"complete"}
