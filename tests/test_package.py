"""What the installed package holds, and which room imports which."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "baselines": {"baselines"},
    "runners": {"runners", "baselines"},
    "harness": {"harness", "runners", "baselines"},
    "reports": {
        "reports",
        "harness.store",
        "harness.text",
        "harness.sweep.trials",
        "runners.plugins",
        "runners.policy",
        "runners.policy_registry",
        "baselines.errors",
        "baselines.atomic",
    },
}


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a file imports, without the leading ``vosbench.``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("vosbench."):
                yield name.removeprefix("vosbench.")


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_only_what_they_may(room: str) -> None:
    for path in sources(room):
        for name in imported(path):
            allowed = any(f"{name}.".startswith(f"{other}.") for other in MAY_IMPORT[room])
            # The command line is where everything meets.
            command = path.is_relative_to(ROOT / "harness" / "cli") and name.startswith("reports.")
            assert allowed or command, f"{path.relative_to(ROOT)} imports vosbench.{name}"


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        "vosbench." + ".".join(init.parent.relative_to(ROOT).parts)
        for room in MAY_IMPORT
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert set(project["tool"]["setuptools"]["packages"]) == folders
    modules = {path.parent for room in MAY_IMPORT for path in sources(room)}
    assert all((folder / "__init__.py").exists() for folder in modules)


def test_files_stay_small() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for room in MAY_IMPORT
        for path in sources(room)
    }
    assert {str(path): n for path, n in lengths.items() if n > 400} == {}


@pytest.mark.parametrize(
    "module", ["reports", "baselines", "runners.policies", "harness.cli", "harness.store"]
)
def test_importing_costs_no_torch(module: str) -> None:
    code = f"import sys, vosbench.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
