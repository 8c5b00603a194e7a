"""A list of named things to choose from, and what to say to a name that isn't on it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from vosbench.baselines.errors import InputError

Choice = TypeVar("Choice")


def choose(kind: str, name: str, known: Mapping[str, Choice]) -> Choice:
    """``known[name]``.

    Raises:
        InputError: there is none; names the nearest, or all where none is near.
    """
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
    raise InputError(f"unknown {kind} '{name}'; {hint}")
