"""Datasets by name, through the entry-point group ``vosbench.datasets``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import plain_name
from vosbench.harness.datasets.dataset import Dataset, DatasetFactory, DatasetSpec
from vosbench.harness.datasets.roots import find_root, remember_root
from vosbench.runners.plugins import Plugin, Registry

DATASETS = Registry("vosbench.datasets", "dataset")


@dataclass(frozen=True)
class Listing:
    """A registered name: what it stands for, or why it cannot be used.

    Attributes:
        name: the registered name.
        package: the distribution that registers it.
        spec: what it is; None if it is broken.
        problem: one line saying why it cannot be used; None if it can.
    """

    name: str
    package: str
    spec: DatasetSpec | None
    problem: str | None


def listings() -> tuple[Listing, ...]:
    """All registered datasets by name, the broken ones included; no plug-in can break it."""
    return tuple(_listing(plugin) for plugin in DATASETS.plugins().values())


def factory(name: str) -> DatasetFactory:
    """The factory behind a name (what follows a colon is ignored).

    Raises:
        InputError: the name is unknown (with the nearest one), taken twice, or its plug-in broken.
    """
    plain = name.partition(":")[0]
    made: DatasetFactory = DATASETS.get(plain)
    defect = _defect(plain, made)
    if defect is not None:
        raise InputError(f"dataset '{plain}' can't be used: {defect}")
    return made


def open(name: str, root: Path | None = None, protocol: str | None = None) -> Dataset:
    """Open a dataset: ``davis16``, ``davis-layout:DIR``, ``ytvos19-heldout:LIST``, ...

    Args:
        name: registered name, with an argument behind a colon where the dataset takes one.
        root: its folder; None: see :func:`vosbench.harness.datasets.roots.find_root`.
        protocol: what its numbers are to mean; None for the dataset's own.

    Raises:
        InputError: unknown name, missing folder, a folder that does not hold the dataset, or a
            protocol that doesn't fit it.
    """
    plain_name(name, "dataset")
    made = factory(name)
    spec = made.spec
    _, colon, argument = name.partition(":")
    if colon and not spec.argument:
        raise InputError(f"{spec.name} takes nothing after a colon: write {spec.name}")
    folder = find_root(spec, root) if spec.root_name else None
    return made(folder, argument or None).under(protocol)


def reopen(name: str, root: Path | None, protocol: str) -> Dataset:
    """Open the dataset of a stored result, by the protocol that it names.

    A protocol of an earlier version is gone: the dataset's own takes its place, and the hash of
    the frames tells whether they are the same. Raises InputError as :func:`open`.
    """
    opened = open(name, root)
    known = {opened.protocol.name, *(p.name for p in opened.choices)}
    return opened.under(protocol) if protocol in known else opened


def add_root(name: str, folder: Path) -> Path:
    """Remember a dataset's folder (``vosbench data add NAME DIR``); returns the folder found."""
    return remember_root(factory(name).spec, folder)


def _listing(plugin: Plugin) -> Listing:
    problem = plugin.problem or _defect(plugin.name, plugin.value)
    spec = None if problem is not None else plugin.value.spec
    return Listing(plugin.name, plugin.package, spec, problem)


def _defect(name: str, made: Any) -> str | None:
    spec = getattr(made, "spec", None)
    if not callable(made) or not isinstance(spec, DatasetSpec):
        return "it is no dataset factory: that has a DatasetSpec named spec and can be called"
    if spec.name != name:
        return f"it is registered as {name} but calls itself {spec.name}"
    return None
