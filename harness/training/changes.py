"""Changes of plain values by ``key=value``, before records are made of them."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from vosbench.baselines.errors import InputError

Change: TypeAlias = tuple[str, Any]
"""The way to a field, with dots, and its new value."""


def parse_change(text: str) -> Change:
    """Parse ``key=value``; the value is JSON, or a text that needs no quotes."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise InputError(f"--set {text}: write KEY=VALUE, e.g. reuse.stage.batch=16")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Change a field of plain values; those on the way are made where they are missing.

    Raises:
        InputError: the way leads through something that has no fields.
    """
    *way, last = key.split(".")
    here = values
    for depth, name in enumerate(way):
        if name in here and here[name] is None:
            gone = ".".join(way[: depth + 1])
            raise InputError(f"--set {key}: there is no {gone} in this training (it is null)")
        inner = here.setdefault(name, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {key}: {'.'.join(way[: depth + 1])} has no fields")
        here = inner
    here[last] = value
    if last == "steps":
        here.pop("epochs", None)  # two ways to give a stage's length: the newer one counts
