from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest
from fuzz_commands import Command, Ended, write_clip

from vosbench.harness.cli import main
from vosbench.harness.store import Storage


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["vosbench", *arguments])
        code, fault = 0, ""
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 99
        except BaseException:
            code, fault = 99, traceback.format_exc()
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err, fault)

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "data")


@pytest.fixture
def places(tmp_path: Path, clip: Path) -> dict[str, str]:
    Storage.open(str(tmp_path / "r.db")).close()
    results = clip / "Annotations"
    return {
        "model": f"masks:{results}",
        "dataset": f"davis-layout:{clip}",
        "results": str(results),
        "db": str(tmp_path / "r.db"),
    }
