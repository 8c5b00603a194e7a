"""A list of named things to choose from, and what to say to a name that isn't on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from vosbench.baselines.errors import InputError, suggestion

Choice = TypeVar("Choice")


def choose(kind: str, name: str, known: Mapping[str, Choice]) -> Choice:
    """``known[name]``.

    Raises:
        InputError: there is none; names the nearest, or all where none is near.
    """
    if name in known:
        return known[name]
    raise InputError(f"unknown {kind} '{name}'{suggestion(name, known)}")
