"""LVOS: J, F and the wavering V, means over seen and unseen sequences apart.

Source: the official tool's rules, LingyiHongfd/lvos-evaluation at 25cb02d1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.metrics.statistics import RECALL_THRESHOLD

Figures = dict[str, float | None]
_LETTERS = ("j", "f", "v")


def wavering(j: NDArray[np.float64], f: NDArray[np.float64]) -> float:
    """V of one object: how far (J + F) / 2 strays from its mean, over the counted frames (N,).

    The root of the mean square, which the official tool rounds to four places before the root.
    """
    both = (j + f) / 2
    return math.sqrt(round(float(np.mean((both - both.mean()) ** 2)), 4))


def object_figures(series: Mapping[str, NDArray[np.float64]]) -> Figures:
    """Means, recalls and V of one object, from its ``j`` and ``f`` (N,); None without a frame."""
    j, f = series["j"], series["f"]
    if not len(j):
        return dict.fromkeys(("j_mean", "f_mean", "v_mean", "j_recall", "f_recall", "jf_mean"))
    j_mean, f_mean = float(j.mean()), float(f.mean())
    return {
        "j_mean": j_mean,
        "f_mean": f_mean,
        "v_mean": wavering(j, f),
        "j_recall": float((j > RECALL_THRESHOLD).mean()),
        "f_recall": float((f > RECALL_THRESHOLD).mean()),
        "jf_mean": (j_mean + f_mean) / 2,
    }


def summarise(objects: Iterable[tuple[bool, Figures]]) -> Figures:
    """Half the sum of the mean over objects of seen sequences and that over unseen ones.

    Args:
        objects: of each, whether its sequence is unseen, and its figures.

    Returns:
        By ``j_mean``, ``j_seen``, ``j_unseen``, …; None where there is no such object, and for
        the sums of what is None.
    """
    groups: dict[bool, list[Figures]] = {False: [], True: []}
    for unseen, figures in objects:
        groups[unseen].append(figures)
    total: Figures = {}
    for letter in _LETTERS:
        seen, other = (_mean_of(groups[unseen], f"{letter}_mean") for unseen in (False, True))
        total |= {
            f"{letter}_mean": None if seen is None or other is None else (seen + other) / 2,
            f"{letter}_seen": seen,
            f"{letter}_unseen": other,
        }
    j, f = total["j_mean"], total["f_mean"]
    return {"jf_mean": None if j is None or f is None else (j + f) / 2} | total


def _mean_of(objects: Sequence[Figures], name: str) -> float | None:
    known = [value for figures in objects if (value := figures[name]) is not None]
    return float(np.mean(known)) if known else None
