"""Reading what a person or another program wrote: JSON, TOML, whole numbers, paths with ``~``.

Python's readers raise more than their own errors: a number of ten thousand digits is a
ValueError, deep nesting a RecursionError, an unknown user's home a RuntimeError.
"""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError

MOST = 2**31 - 1
"""The largest whole number that every database's INTEGER can hold."""


def parse_json(text: str | bytes, source: str, *, strict: bool = False) -> Any:
    """JSON's values; InputError, beginning with ``source``, for what is none.

    Args:
        strict: NaN, infinity and names that come twice in an object are refused as well.
    """
    stricter: dict[str, Any] = {}
    if strict:
        stricter = {"parse_constant": _no_number, "object_pairs_hook": _once_each}
    try:
        return json.loads(text, **stricter)
    except RecursionError:
        raise InputError(f"{source}: no valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"{source}: no valid JSON ({error})") from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"'{twice}' comes twice in one object")
    return found


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """TOML's values; InputError, beginning with ``source``, for what is none."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{source}: no TOML (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"{source}: no TOML ({error})") from error


def whole_number(text: str) -> int | None:
    """The number that digits 0 to 9 write, up to :data:`MOST`; None for anything else."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        return None
    number = int(text)
    return number if number <= MOST else None


def user_path(text: str) -> Path:
    """A path in which ``~`` and ``~NAME`` are home folders; InputError for an unknown user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(f"{text}: no home folder is known for its ~: write the path out") from None


def user_folder(variable: str, default: str) -> Path:
    """A folder of the user by the XDG specification: ``variable``, else ``default`` in the home.

    Raises:
        InputError: there is no home.
    """
    named = os.environ.get(variable, "")
    if Path(named).is_absolute():  # the specification has relative ones ignored
        return Path(named)
    try:
        return Path.home() / default
    except RuntimeError:
        raise InputError(
            f"no home folder is known: set HOME, or {variable} to a folder that can be written"
        ) from None
