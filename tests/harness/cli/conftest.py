from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cli_outcome import Outcome, Vosbench

from vosbench.harness.cli import main


@pytest.fixture
def vosbench(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Vosbench:
    """Run the command in this process, in an empty folder, with 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("VOSBENCH_LOCK_DIR", str(tmp_path / "locks"))

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["vosbench", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run
