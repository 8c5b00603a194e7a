"""Registries by entry points: ours and other people's, in one group each.

A name that is taken twice is an error for that name alone; a plug-in that can't be imported is
listed as broken and breaks nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError, suggestion
from vosbench.baselines.text import error_text


@dataclass(frozen=True)
class Plugin:
    """One registered name: the object behind it, or why there is none."""

    name: str
    package: str
    value: Any
    problem: str | None = None


@contextmanager
def in_this_folder() -> Iterator[None]:
    """Around a plug-in's code: relative paths mean the same afterwards, wherever it went."""
    try:
        before = Path.cwd()
    except OSError:  # it was deleted: nothing is relative to it any more
        before = None
    try:
        yield
    finally:
        if before is not None:
            with suppress(OSError):
                os.chdir(before)


def _load(entry: EntryPoint) -> Plugin:
    package = entry.dist.name if entry.dist is not None else "?"
    try:
        with in_this_folder():
            return Plugin(entry.name, package, entry.load())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # some check a licence, and exit
        return Plugin(entry.name, package, None, error_text(error))


@cache
def _entries(group: str, path: tuple[str, ...]) -> Mapping[str, tuple[EntryPoint, ...]]:  # noqa: ARG001
    """The group's entry points by name; looked up once for each search path of modules."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=group):
        found[entry.name] = (*found.get(entry.name, ()), entry)
    return dict(sorted(found.items()))


class Registry:
    """The plug-ins of one entry-point group.

    Args:
        group: e.g. ``vosbench.runners``.
        kind: what a plug-in is called in messages, e.g. ``model``.
    """

    def __init__(self, group: str, kind: str) -> None:
        self.group = group
        self.kind = kind

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted; nothing is imported."""
        return tuple(_entries(self.group, tuple(sys.path)))

    def plugins(self) -> Mapping[str, Plugin]:
        """Import every plug-in; broken and contested ones carry their problem."""
        return {name: self._find(name) for name in self.names()}

    def get(self, name: str) -> Any:
        """Import one plug-in; raises InputError if it is unknown, contested or broken."""
        if name not in self.names():
            raise InputError(f"unknown {self.kind} '{name}'{suggestion(name, self.names())}")
        plugin = self._find(name)
        if plugin.problem:
            raise InputError(
                f"{self.kind} '{name}' of package {plugin.package} can't be used: {plugin.problem}"
            )
        return plugin.value

    def _find(self, name: str) -> Plugin:
        found = {
            (entry.value, entry.dist.name if entry.dist else "?"): entry
            for entry in _entries(self.group, tuple(sys.path))[name]
        }
        owners = ", ".join(sorted(package for _, package in found))
        if len(found) > 1:
            return Plugin(name, owners, None, f"the name is taken by several packages: {owners}")
        if not name.isprintable():
            return Plugin(name, owners, None, "its name holds unprintable characters: rename it")
        return _load(next(iter(found.values())))
