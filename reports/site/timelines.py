"""The gate along each clip: what it said and did, frame by frame, for every run that stored it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.store.catalog import object_ids
from vosbench.harness.trials import PATH_CODES
from vosbench.reports.site.script import float_list

VALUES = ("p_gate", "adjacent_iou", "full_iou")
"""Series of shape (T, K), kept digit for digit."""
_J_DIGITS = 4
_Arrays = Mapping[tuple[str, str], NDArray[np.generic]]


def timelines(
    source: Readable, keys: Sequence[str]
) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Of some runs, clip by clip: the clip, the keys of its runs, and their timelines as data.

    The data is ``{"arrays": [[…], …], "runs": {key: …}}``. A run has its ``objects`` and, for
    ``path``, ``p_gate``, ``adjacent_iou``, ``full_iou`` and ``j``, one index into the arrays per
    object, where it is stored; runs that agree share arrays. ``scored`` are the frames of ``j``,
    which is rounded. Runs of one clip may have several datasets.
    """
    where = Selection(keys=list(keys))
    found = {name: series(source, name, where) for name in ("path", *VALUES, "j", "scored_frames")}
    ids = object_ids(source, where)
    clips = dict.fromkeys(sequence for _, sequence in found["path"])
    for sequence in clips:
        pool = _Pool()
        runs = {
            key: _run(key, sequence, found, ids.get((key, sequence), ()), pool)
            for key, clip in found["path"]
            if clip == sequence
        }
        yield sequence, tuple(runs), {"arrays": pool.arrays, "runs": runs}


class _Pool:
    """Lists of numbers, equal ones once."""

    def __init__(self) -> None:
        self.arrays: list[list[Any]] = []
        self._places: dict[tuple[str, bytes], int] = {}

    def add(self, values: NDArray[np.generic]) -> int:
        """The place of a list of numbers, (T,)."""
        key = (values.dtype.str, values.tobytes())
        if key not in self._places:
            self._places[key] = len(self.arrays)
            whole = np.issubdtype(values.dtype, np.integer)
            self.arrays.append(values.tolist() if whole else float_list(values))
        return self._places[key]


def _run(
    key: str, sequence: str, found: Mapping[str, _Arrays], ids: tuple[int, ...], pool: _Pool
) -> dict[str, Any]:
    run: dict[str, Any] = {"objects": list(ids)}
    for name in ("path", *VALUES):
        array = found[name].get((key, sequence))
        if array is not None and not _empty(array):
            run[name] = [pool.add(column) for column in np.ascontiguousarray(array.T)]
    j = found["j"].get((key, sequence))
    scored = found["scored_frames"].get((key, sequence))
    if j is not None and scored is not None and len(scored) == len(j):
        rounded = np.round(j.astype(np.float64), _J_DIGITS)
        run["j"] = [pool.add(column) for column in np.ascontiguousarray(rounded.T)]
        run["scored"] = pool.add(scored)
    return run


def _empty(array: NDArray[np.generic]) -> bool:
    """Whether nothing is known in it, as of a network without a gate."""
    return np.issubdtype(array.dtype, np.floating) and bool(np.isnan(array.astype(float)).all())


PATH_NAMES = {code: name for name, code in PATH_CODES.items()}
"""How the series ``path`` spells a path."""
