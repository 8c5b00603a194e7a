"""The adapters of examples/adapters: each is served with random weights and held to the contract.

A package that isn't installed skips its adapter. ``VOSBENCH_ADAPTERS`` names a folder with an
environment for each, ``sam2/bin/python`` and so on, as they don't go together.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from vosbench.harness.contract import CHECKS, Status, Subject, run_checks
from vosbench.harness.contract.clip import ContractClip
from vosbench.runners.external.config import read_config

ADAPTERS = Path(__file__).resolve().parents[1] / "examples" / "adapters"
PACKAGES = {"sam2": "sam2", "cutie": "cutie", "deaot": "aot"}
LINES = 80
CHEAP = {"declared", "runs", "labels", "objects", "first-frame", "late-objects", "reset"}


def python_of(name: str) -> Path | None:
    """An interpreter that has the adapter's package, or None."""
    chosen = os.environ.get("VOSBENCH_ADAPTERS")
    if chosen:
        found = Path(chosen) / name / "bin" / "python"
        return found if found.exists() else None
    installed = shutil.which("python") if find_spec(PACKAGES[name]) else None
    return Path(installed) if installed else None


def clip() -> ContractClip:
    """Odd sides, an object from the start and one that comes later with a lower id."""
    frames = np.random.default_rng(0).integers(0, 256, (3, 61, 90, 3), dtype=np.uint8)
    labels = np.zeros((3, 61, 90), np.uint8)
    labels[:, 10:30, 10:40] = 3
    labels[1:, 40:55, 50:80] = 1
    return ContractClip.of("late", frames, labels)


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.timeout(300)
def test_it_keeps_the_contract_with_random_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = python_of(name)
    if python is None:
        pytest.skip(
            f"{PACKAGES[name]} isn't installed: examples/adapters/{name}/README.md says how"
        )
    monkeypatch.setenv("PATH", f"{python.parent}{os.pathsep}{os.environ['PATH']}")
    shutil.copytree(ADAPTERS / name, tmp_path / name)
    subject = Subject.of(f"subprocess:{tmp_path / name / 'random.toml'}", [clip()])
    checks = [check for check in CHECKS if check.name in CHEAP]
    found = {o.check.name: o for o in run_checks(checks, subject)}
    assert {o.status for o in found.values()} == {Status.PASSED}, [o.line for o in found.values()]


@pytest.mark.parametrize("name", PACKAGES)
def test_programs_are_short_and_configs_are_read(name: str) -> None:
    folder = ADAPTERS / name
    assert len((folder / "serve.py").read_text().splitlines()) < LINES
    assert not read_config(folder / "random.toml").trained
    assert read_config(folder / "model.toml").trained
    weights = tomllib.loads((folder / "model.toml").read_text())["files"][-1]
    said = (folder / "README.md").read_text()
    assert weights in said
    assert "**Licence**" in said
    assert "pip install" in said
