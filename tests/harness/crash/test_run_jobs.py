"""``vosbench run`` in several processes, and options that don't go together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from crash_sweep import STUDY, outcome
from typer.testing import CliRunner

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app


def run(db: Path, clips: Path, *arguments: str) -> None:
    base = ("run", "--models", "crash-dummy", "--tau", "0.1:0.4:0.1", "--device", "cpu")
    where = ("--dataset", f"davis-layout:{clips}", "--study", STUDY, "--db", str(db))
    result = CliRunner().invoke(app, [*base, *where, "--no-lockstep", *arguments])
    if isinstance(result.exception, InputError):
        raise result.exception
    assert result.exit_code == 0, result.output


@pytest.mark.slow
def test_two_processes_give_what_one_gives(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["vosbench"])
    run(tmp_path / "one.db", clips)
    run(tmp_path / "two.db", clips, "--jobs", "2")
    assert outcome(str(tmp_path / "two.db")) == outcome(str(tmp_path / "one.db"))
    assert len(outcome(str(tmp_path / "two.db"))) == 4


def test_options_of_one_executor_are_refused_for_the_other(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--address is for --executor ray"):
        run(tmp_path / "r.db", clips, "--address", "auto")
    with pytest.raises(InputError, match="--jobs is for this machine"):
        run(tmp_path / "r.db", clips, "--executor", "ray", "--jobs", "2")
    assert not (tmp_path / "r.db").exists()
