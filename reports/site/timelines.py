"""The gate along each sequence: what it said and did, frame by frame, for runs that stored it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.store.catalog import object_ids
from vosbench.harness.trials import PATH_CODES

VALUES = ("p_gate", "adjacent_iou", "full_iou")
"""Series of shape (T, K) with values in 0..1."""
STEPS = 10_000
"""A timeline's values are whole numbers of so many parts: four digits, and small files."""
PATH_NAMES = {code: name for name, code in PATH_CODES.items()}
"""How the series ``path`` spells a path."""

_UNKNOWN = -1
_Arrays = Mapping[tuple[str, str], NDArray[np.generic]]


def timelines(
    source: Readable, rows: Mapping[str, int]
) -> Iterator[tuple[str, Mapping[int, Any], list[Any]]]:
    """Of some runs, sequence by sequence: its name, the timeline of each run, and their arrays.

    A run has its ``objects`` and, for ``path``, ``p_gate``, ``adjacent_iou``, ``full_iou`` and
    ``j``, one index into the arrays per object, where it is stored; runs that agree share arrays.
    Values are in parts of :data:`STEPS`; ``scored`` are the frames of ``j``.

    Args:
        source: a file, a URL, or an open database.
        rows: what each run is called, by its key; all of one dataset.
    """
    where = Selection(keys=list(rows))
    found = {name: series(source, name, where) for name in ("path", *VALUES, "j", "scored_frames")}
    ids = object_ids(source, where)
    of_sequence: dict[str, list[str]] = {}
    for key, sequence in found["path"]:
        of_sequence.setdefault(sequence, []).append(key)
    for sequence, keys in of_sequence.items():
        pool = _Pool()
        runs = {
            rows[key]: _run((key, sequence), found, ids.get((key, sequence), ()), pool)
            for key in keys
        }
        yield sequence, runs, pool.arrays


class _Pool:
    """Lists of whole numbers, equal ones once."""

    def __init__(self) -> None:
        self.arrays: list[list[Any]] = []
        self._places: dict[bytes, int] = {}

    def add(self, values: NDArray[np.generic]) -> list[int]:
        """The places of the columns of (T, K): whole numbers, or parts of :data:`STEPS`."""
        if values.dtype.kind == "f":
            parts = np.rint(values.astype(np.float32) * np.float32(STEPS))
            unknown = np.isnan(parts)
            exact = np.where(unknown, _UNKNOWN, parts).astype(np.int32)
        else:
            exact, unknown = values.astype(np.int32), np.zeros(values.shape, dtype=bool)
        return [
            self._add(exact[:, k], unknown[:, k].nonzero()[0].tolist())
            for k in range(exact.shape[1])
        ]

    def _add(self, column: NDArray[np.int32], unknown: list[int]) -> int:
        known = column.tobytes()
        if known not in self._places:
            self._places[known] = len(self.arrays)
            listed: list[Any] = column.tolist()
            for place in unknown:
                listed[place] = None
            self.arrays.append(listed)
        return self._places[known]


def _run(
    place: tuple[str, str], found: Mapping[str, _Arrays], ids: tuple[int, ...], pool: _Pool
) -> dict[str, Any]:
    run: dict[str, Any] = {"objects": list(ids)}
    for name in ("path", *VALUES):
        array = found[name].get(place)
        if array is not None and not _empty(array):
            run[name] = pool.add(array)
    j, scored = found["j"].get(place), found["scored_frames"].get(place)
    if j is not None and scored is not None and len(scored) == len(j):
        run["j"] = pool.add(j)
        (run["scored"],) = pool.add(scored[:, None])
    return run


def _empty(array: NDArray[np.generic]) -> bool:
    """Whether nothing is known in it, as of a network without a gate."""
    return array.dtype.kind == "f" and bool(np.isnan(array.astype(np.float64)).all())
