"""This copy of the program as a folder that another machine can import."""

from __future__ import annotations

import importlib
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOMS = ("baselines", "runners", "harness", "reports")


def write_code(folder: Path) -> Path:
    """Copy the package and its entry points into ``folder``, to be put on a Python path.

    The models and datasets that it registers are found there as in an installed package.
    """
    for room in ROOMS:
        package = importlib.import_module(f"vosbench.{room}")
        source = Path(next(iter(package.__path__)))
        shutil.copytree(
            source,
            folder / "vosbench" / room,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
        )
    try:
        installed = distribution("vosbench")
    except PackageNotFoundError:
        return folder
    metadata = folder / f"vosbench-{installed.version}.dist-info"
    metadata.mkdir()
    # Written anew: what is installed may be an egg-info, which has a PKG-INFO instead.
    facts = f"Metadata-Version: 2.1\nName: vosbench\nVersion: {installed.version}\n"
    (metadata / "METADATA").write_text(facts, encoding="utf-8")
    entries = installed.read_text("entry_points.txt")
    if entries is not None:
        (metadata / "entry_points.txt").write_text(entries, encoding="utf-8")
    return folder
