"""The table of commands: complete, and nothing heavy behind it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_group
from typer.testing import CliRunner

from vosbench.harness.cli.app import COMMANDS, app

GOLDEN = Path(__file__).parents[2] / "golden"
NEWEST = max(path.name for path in GOLDEN.glob("store-*.db"))


def test_nothing_heavy_is_loaded_before_a_command_is_known() -> None:
    program = (
        "import sys, vosbench.harness.cli.app as cli\n"
        "try: cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "without"),
    [
        (["models"], {"torch", "pandas", "sqlalchemy"}),
        (["datasets"], {"torch", "pandas", "sqlalchemy"}),
        (["results", "--db", NEWEST], {"torch", "pandas", "matplotlib"}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_listing_loads_no_more_than_it_needs(command: list[str], without: set[str]) -> None:
    program = (
        "import sys, vosbench.harness.cli.app as cli\n"
        "cli.app(sys.argv[1:], standalone_mode=False)\n"
        f"print(sorted({without!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *command],
        capture_output=True, text=True, check=True, cwd=GOLDEN,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_a_module_registers_what_the_table_says(module: str) -> None:
    made = typer.Typer()
    import_module(f"vosbench.harness.cli.{module}").register(made)
    listed = {name for name, (where, _) in COMMANDS.items() if where == module}
    assert set(get_group(made).commands) == listed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_how_it_is_used(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"vosbench {command}" in shown.output


def test_the_nearest_command_is_named() -> None:
    shown = CliRunner().invoke(app, ["resuls"])
    assert shown.exit_code == 2
    assert "'results'" in shown.output
