"""How sure a run's means are: intervals over its sequences, drawn again with replacement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, object_columns

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 3
"""With fewer sequences there is no interval."""

NOTE = "intervals: 95 %, over sequences drawn again with replacement"
COLUMNS = ("jf_low", "jf_high", "reuse_low", "reuse_high")

_DRAWS = 2000
_AT_ONCE = 500
"""Runs whose draws are in memory together."""
_SAME = 1e-6
_MEANS: Mapping[str, str] = {"jf_mean": "jf", "reuse_rate": "reuse"}


def with_intervals(source: Readable, found: pd.DataFrame) -> pd.DataFrame:
    """``found`` with 95 % intervals of J&F and reuse rate, as :data:`COLUMNS`.

    NaN with fewer than :data:`FEWEST` sequences, and for a score that isn't the mean over objects
    (as YouTube-VOS's, which weighs seen and unseen categories).

    Args:
        source: a file, a URL, or an open database.
        found: runs by ``key``, with ``jf_mean`` and ``reuse_rate``.
    """
    stored = found.drop_duplicates("key").set_index("key")
    means: dict[str, dict[str, float]] = {
        name: {str(key): float(value) for key, value in stored[name].items()} for name in _MEANS
    }
    limits = key_intervals(source, means)
    columns = {name: found["key"].map(values).astype(float) for name, values in limits.items()}
    return found.assign(**columns)


def key_intervals(
    source: Readable, stored: Mapping[str, Mapping[str, float]]
) -> Mapping[str, Mapping[str, float]]:
    """The same by trial key, for each of :data:`COLUMNS`; needs no pandas.

    Args:
        source: a file, a URL, or an open database.
        stored: ``jf_mean`` and ``reuse_rate`` of each trial, by its key.
    """
    limits = {name: dict[str, float]() for name in COLUMNS}
    keys = list(dict.fromkeys(key for values in stored.values() for key in values))
    each = object_columns(source, Selection(keys=keys)) if keys else {}
    if {"j_mean", "f_mean"} <= set(each):
        pairs = zip(each["j_mean"], each["f_mean"], strict=True)
        each["jf_mean"] = [(j + f) / 2 for j, f in pairs]
    for name, short in _MEANS.items():
        if name in each:
            of_objects = zip(each["key"], each["sequence"], each[name], strict=True)
            known = [row for row in of_objects if row[2] == row[2]]
            for key, low, high in _limits(known, stored[name]):
                limits[f"{short}_low"][key], limits[f"{short}_high"][key] = low, high
    return limits


def _limits(
    each: Sequence[tuple[str, str, float]], stored: Mapping[str, float]
) -> Iterator[tuple[str, float, float]]:
    """Key, lower and upper limit of each run; runs on the same objects are drawn at once."""
    values: dict[str, list[float]] = {}
    places: dict[str, list[str]] = {}
    for key, sequence, value in each:
        values.setdefault(key, []).append(value)
        places.setdefault(key, []).append(sequence)
    alike: dict[tuple[str, ...], list[str]] = {}
    for key, sequences in places.items():
        if len(set(sequences)) >= FEWEST and abs(np.mean(values[key]) - stored[key]) < _SAME:
            alike.setdefault(tuple(sequences), []).append(key)
    for place, keys in alike.items():
        low, high = interval(np.array([values[key] for key in keys]), place)
        yield from zip(keys, low.tolist(), high.tolist(), strict=True)


def interval(
    table: NDArray[np.float64], sequences: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % limits of each run's mean over objects, (runs,) each.

    Args:
        table: a value of each object, (runs, objects).
        sequences: each object's sequence; all objects of a sequence are drawn together.
    """
    _, index = np.unique(sequences, return_inverse=True)
    count = int(index.max()) + 1
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    weight = times[:, index].astype(float)
    limits = [
        np.percentile(part @ weight.T / weight.sum(axis=1), (2.5, 97.5), axis=1)
        for part in np.array_split(table, -(-len(table) // _AT_ONCE))
    ]
    low, high = np.concatenate(limits, axis=1)
    return low, high
