"""What this copy of the program calls itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """The installed version, e.g. ``0.1.0``."""
    try:
        return version("vosbench")
    except PackageNotFoundError:
        return "unknown"
