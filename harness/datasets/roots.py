"""Where a dataset's folder is: named, in ``VOSBENCH_DATA``, or remembered."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.dataset import DatasetSpec
from vosbench.harness.datasets.layout import read_json
from vosbench.harness.datasets.places import config_dir, write_atomically

VARIABLE = "VOSBENCH_DATA"


def find_root(spec: DatasetSpec, explicit: Path | None = None) -> Path:
    """Folder of a dataset: ``explicit``, else in ``VOSBENCH_DATA``, else as remembered.

    Each may name the dataset's own folder or one that holds it under a usual name.

    Raises:
        InputError: there is none, or the named one does not hold the dataset.
    """
    if explicit is not None:
        return _located(spec, explicit)
    named = os.environ.get(VARIABLE)
    if named:
        found = _search(spec, Path(named))
        if found is not None:
            return found
    remembered = remembered_roots().get(spec.root_name)
    if remembered is not None:
        return _located(spec, remembered)
    looked = f" ({VARIABLE}={named} does not hold it)" if named else ""
    raise InputError(
        f"no folder for {spec.name}{looked}: give --data-root DIR, set {VARIABLE}, or run "
        f"`vosbench data add {spec.name} DIR`"
    )


def remember_root(spec: DatasetSpec, folder: Path) -> Path:
    """Remember ``folder`` for the dataset (``vosbench data add``); returns the folder found.

    Raises:
        InputError: it does not hold the dataset, or the dataset needs no folder.
    """
    if not spec.root_name:
        raise InputError(f"{spec.name} needs no folder: nothing to add")
    found = _located(spec, folder).absolute()
    roots = {**remembered_roots(), spec.root_name: found}
    content = json.dumps({name: str(path) for name, path in sorted(roots.items())}, indent=2)
    path = _config_path()
    try:
        write_atomically(path, content.encode() + b"\n")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}): set XDG_CONFIG_HOME, or give "
            "--data-root instead"
        ) from error
    return found


def remembered_roots() -> Mapping[str, Path]:
    """Remembered folders by root name; InputError if the file that holds them is damaged."""
    try:
        path = _config_path()
        if not path.exists():
            return {}
    except (InputError, OSError):  # no home, or none that we may look into
        return {}
    content = read_json(path)
    if not all(isinstance(folder, str) for folder in content.values()):
        raise InputError(f"{path}: not a list of folders by name: correct it or delete it")
    return {name: Path(folder) for name, folder in content.items()}


def _config_path() -> Path:
    return config_dir() / "data.json"


def _located(spec: DatasetSpec, folder: Path) -> Path:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder: give the folder of {spec.name} with --data-root DIR, "
            f"{VARIABLE} or `vosbench data add {spec.name} DIR`"
        )
    found = _search(spec, folder)
    if found is None:
        raise InputError(
            f"{folder}: does not hold {spec.name} (no {' nor '.join(spec.markers)}): give its "
            f"folder with --data-root DIR, {VARIABLE} or `vosbench data add {spec.name} DIR`"
        )
    return found


def _search(spec: DatasetSpec, folder: Path) -> Path | None:
    for candidate in (folder, *(folder / name for name in spec.folders)):
        if not spec.markers and candidate.is_dir():
            return candidate
        if any((candidate / marker).exists() for marker in spec.markers):
            return candidate
    return None
