"""Systems other than Linux: the main path without what Linux alone has; Windows in one line."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_outcome import Vosbench

LINUX_ONLY = ("sched_getaffinity", "sched_setaffinity", "posix_fadvise", "memfd_create")


def _hidden(path: Path) -> bool:
    return path.parts[:2] in (("/", "proc"), ("/", "sys"))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No glibc, no /proc, no /sys, no affinity."""
    for name in LINUX_ONLY:
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    read, listed, there = Path.read_text, Path.iterdir, Path.exists

    def read_text(path: Path, *arguments: Any, **options: Any) -> str:
        if _hidden(path):
            raise FileNotFoundError(path)
        return read(path, *arguments, **options)

    def iterdir(path: Path) -> Iterator[Path]:
        if _hidden(path):
            raise FileNotFoundError(path)
        return listed(path)

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(Path, "iterdir", iterdir)
    monkeypatch.setattr(Path, "exists", lambda path: not _hidden(path) and there(path))


def test_the_main_path_needs_nothing_of_linux(vosbench: Vosbench, elsewhere: None) -> None:
    ran = vosbench(
        *("run", "--models", "ttvos-lite", "--weights", "random:0", "--kind", "both"),
        *("--sequences", "deform", "--max-frames", "3", "--allow-busy", "--no-breakdown"),
    )
    assert ran.code == 0, ran.err
    rows = json.loads(vosbench("results", "--json").out)
    assert {row["kind"]: row["state"] for row in rows} == {
        "accuracy": "complete",
        "timing": "complete",
    }
    assert rows[-1]["fps"] > 0
    assert vosbench("report", "--fig", "reuse-vs-jf", "--out", "a.png").code == 0


def test_windows_is_told_to_use_wsl(vosbench: Vosbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    outcome = vosbench("--help")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("\n") == 1
    assert "WSL" in outcome.err
