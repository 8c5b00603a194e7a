"""What this copy of the program calls itself."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def program_version(commit: str | None = None, dirty: bool | None = None) -> str:
    """The installed version, e.g. ``0.1.0``, with the commit it was run from where there is one:
    ``0.1.0+g1a2b3c4d5``, and ``.dirty`` if files were changed since."""
    try:
        number = version("vosbench")
    except PackageNotFoundError:
        number = "unknown"
    if commit is None:
        return number
    return f"{number}+g{commit[:9]}{'.dirty' if dirty else ''}"
