"""Where tests find the data that is not part of the project, and how they skip without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run: what passed once can't fail by chance in another's CI. To look for
# new ones: HYPOTHESIS_SEARCH=1.
hypothesis.settings.register_profile("steady", derandomize=True)
if not os.environ.get("HYPOTHESIS_SEARCH"):
    hypothesis.settings.load_profile("steady")


def _place(variable: str, default: Path) -> Path:
    return Path(os.environ.get(variable, default)).resolve()


def shared_root() -> Path:
    """Folder of the shared data: ``VOSBENCH_SHARED``, by default ``../shared`` of the checkout."""
    return _place("VOSBENCH_SHARED", ROOT.parent / "shared")


def vectors_root() -> Path:
    """Folder of the conformance vectors: ``VOSBENCH_VECTORS``, else beside the shared data."""
    return _place("VOSBENCH_VECTORS", shared_root() / "conformance")


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """``shared("davis16")``: that folder of the shared data, or a skip that names it."""

    def find(name: str) -> Path:
        path = shared_root() / name
        if not path.exists():
            pytest.skip(f"no {path}: set VOSBENCH_SHARED to the folder that holds '{name}'")
        return path

    return find


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Path]:
    """``vectors("ttvos")``: that folder of conformance vectors, or a skip that names it."""

    def find(name: str) -> Path:
        path = vectors_root() / name
        if not path.exists():
            pytest.skip(f"no {path}: set VOSBENCH_VECTORS to the folder that holds '{name}'")
        return path

    return find
