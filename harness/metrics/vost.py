"""VOST: J, and J_tr over the last quarter of a sequence, after the transformation; no F.

Source: the official tool's rules, TRI-ML/VOST at fe274574, ``evaluation``, where J_tr is J_last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.metrics.statistics import series_statistics

_LAST_FROM = 0.75
_NAMES = tuple(f"{j}_{what}" for j in ("j", "j_tr") for what in ("mean", "recall", "decay"))

Figures = dict[str, float | None]


def last_from(count: int) -> int:
    """Place, from 0, of the first of ``count`` counted frames that J_tr takes."""
    return int(_LAST_FROM * count)


def object_figures(series: Mapping[str, NDArray[np.float64]]) -> Figures:
    """Mean, recall and decay of J and of J_tr, from ``j`` (N,); None without a frame."""
    j = series["j"]
    whole, last = series_statistics(j), series_statistics(j[last_from(len(j)) :])
    values = (whole.mean, whole.recall, whole.decay, last.mean, last.recall, last.decay)
    return dict(zip(_NAMES, values, strict=True))


def summarise(objects: Iterable[Figures]) -> Figures:
    """Means over the objects of all sequences alike."""
    found = list(objects)
    means: Figures = {}
    for name in _NAMES:
        known = [value for figures in found if (value := figures[name]) is not None]
        means[name] = float(np.mean(known)) if known else None
    return means
