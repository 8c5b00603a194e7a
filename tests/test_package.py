"""What the installed package holds, and which room imports which."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from vosbench.harness.datasets import protocols

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("baselines", "runners", "harness", "reports")


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_rooms_import_only_what_they_may() -> None:
    """The contracts in pyproject.toml."""
    assert lint_imports(str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {
        "vosbench." + ".".join(init.parent.relative_to(ROOT).parts)
        for room in ROOMS
        for init in (ROOT / room).rglob("__init__.py")
    }
    assert set(project["tool"]["setuptools"]["packages"]) == folders
    data = project["tool"]["setuptools"]["package-data"]
    read_by_path = {
        (ROOT.joinpath(*package.split(".")[1:]) / pattern).parent
        for package, patterns in data.items()
        for pattern in patterns
        if pattern.endswith(".py")
    }
    modules = {path.parent for room in ROOMS for path in sources(room)}
    assert {folder for folder in modules if not (folder / "__init__.py").exists()} == read_by_path


def test_files_stay_small() -> None:
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for room in ROOMS
        for path in sources(room)
    }
    assert {str(path): n for path, n in lengths.items() if n > 400} == {}


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in (path for room in ROOMS for path in sources(room)):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize(
    "module", ["reports", "baselines", "runners.policies", "harness.cli", "harness.store"]
)
def test_importing_costs_no_torch(module: str) -> None:
    code = f"import sys, vosbench.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_protocol_is_explained() -> None:
    page = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    known = [each.name for each in vars(protocols).values() if isinstance(each, protocols.Protocol)]
    assert len(known) >= 8
    assert [name for name in known if f"| `{name}` |" not in page] == []
