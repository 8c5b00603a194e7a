"""What ``--help`` shows of every command: words, whole lines, examples that parse; completion."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cli_outcome import Vosbench
from typer.main import get_group

from vosbench.harness.cli.app import COMMANDS, app
from vosbench.harness.cli.examples import EXAMPLES
from vosbench.harness.cli.help import Group


def _paths() -> Iterator[str]:
    """Every command, and every command of a group."""
    yield ""
    root = get_group(app)
    for name in COMMANDS:
        yield name
        command: Any = root.get_command(None, name)  # type: ignore[arg-type]
        for inner in getattr(command, "commands", ()):
            yield f"{name} {inner}"


PATHS = tuple(_paths())


@pytest.mark.parametrize("path", PATHS)
def test_help_is_for_people(vosbench: Vosbench, path: str) -> None:
    shown = vosbench(*path.split(), "--help")
    assert shown.code == 0
    noise = re.findall(r"<(?:str|path|int|float|list)[^>]*>|\bx[<>]=?|INTEGER|RANGE", shown.out)
    assert not noise
    for line in shown.out.splitlines():
        assert len(line) <= 80, line
        assert line.startswith("Usage") or not line.endswith(("...", "…")), line
    assert shown.out.count("\n  vosbench ") == 2


def test_only_commands_have_examples() -> None:
    assert set(EXAMPLES) == set(PATHS)


@pytest.mark.parametrize(
    ("path", "line"), [(path, line) for path, lines in EXAMPLES.items() for line in lines]
)
def test_an_example_parses(path: str, line: str) -> None:
    """Its command is there, and takes these options and values."""
    assert line.startswith(path)
    command: Any = get_group(app)
    words = shlex.split(line)
    while isinstance(command, Group) and words and words[0] in command.commands:
        command = command.get_command(None, words.pop(0))
    assert not command.make_context("vosbench", words).args


def test_the_version_is_said(vosbench: Vosbench) -> None:
    assert vosbench("--version").out == f"vosbench {version('vosbench')}\n"


def test_old_names_of_options_still_work(vosbench: Vosbench) -> None:
    for word in ("--sequence", "--sequences"):
        outcome = vosbench("profile", "frtm-lite", word, "none")
        assert (outcome.code, "none" in outcome.err) == (2, True)
    assert "--sequence NAME" not in vosbench("profile", "--help").out


def test_a_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def completed(line: str) -> list[str]:
        environment = os.environ | {
            "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1),
            "_VOSBENCH_COMPLETE": "complete_bash", "HOME": str(tmp_path),
        }  # fmt: skip
        program = (
            "import sys; sys.argv = ['vosbench']; from vosbench.harness.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        return done.stdout.split()

    assert completed("vosbench res") == ["results"]
    assert completed("vosbench results --so") == ["--sort"]


def test_completion_is_installed_where_it_is_asked_for(
    vosbench: Vosbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    # Else the shell is the one that this process began in, which under make is sh.
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    installed = vosbench("--install-completion")
    assert installed.code == 0
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert "_VOSBENCH_COMPLETE" in script.read_text()
