"""SA-V: an object counts from the first frame in which truth or prediction shows it.

Source: the official tool's rules, facebookresearch/sam2 at 2b90b9f5, ``sav_dataset``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

SERIES = ("j", "f", "shown")
"""What is measured in each frame; ``shown``: whether truth or prediction has the object."""

Figures = dict[str, float | None]


def counted(series: Mapping[str, NDArray[np.float64]]) -> slice:
    """Which of the annotated frames between an object's first and last count for it."""
    shown = np.flatnonzero(series["shown"])
    return slice(int(shown[0]) if len(shown) else len(series["shown"]), None)


def object_figures(series: Mapping[str, NDArray[np.float64]]) -> Figures:
    """Means of J and F over the counted frames, and half their sum; None without a frame."""
    if not len(series["j"]):
        return dict.fromkeys(("j_mean", "f_mean", "jf_mean"))
    j, f = float(series["j"].mean()), float(series["f"].mean())
    return {"j_mean": j, "f_mean": f, "jf_mean": (j + f) / 2}


def summarise(objects: Iterable[Figures]) -> Figures:
    """Means over the objects of all sequences alike, and half their sum."""
    found = [figures for figures in objects if figures["j_mean"] is not None]
    if not found:
        return dict.fromkeys(("j_mean", "f_mean", "jf_mean"))
    j, f = (float(np.mean([o[name] for o in found])) for name in ("j_mean", "f_mean"))
    return {"j_mean": j, "f_mean": f, "jf_mean": (j + f) / 2}
