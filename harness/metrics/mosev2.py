"""MOSEv2: J that forgives one pixel, a narrower F for small objects, disappearance, reappearance.

Source: the official tool's rules, henghuiding/MOSE-api at 241977ae, ``MOSEv2/sam2_rcms/tools``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.metrics.boundary import TOLERANCE_OF_DIAGONAL, f_measure
from vosbench.harness.metrics.planes import ObjectPlane

SERIES = ("j", "f", "f_new", "truth_empty")
"""What is measured in each frame."""

_NARROW = 0.1
"""Share of the root of an object's area that its contour may be off by, for F_new."""

Figures = dict[str, float | None]
_Edge = NDArray[np.bool_]


def frame_values(
    truth: ObjectPlane | None, predicted: ObjectPlane | None, size: tuple[int, int]
) -> tuple[float, ...]:
    """J, F, F_new, and 1.0 where the truth lacks the object, else 0.0: see :data:`SERIES`.

    J is (intersection + 1) / (union + 1) in pixels, so that a false alarm costs by its size. F
    takes the tolerance of DAVIS, F_new a narrower one where the object is small.

    Args:
        truth, predicted: the object in one frame; None where it has no pixel.
        size: height and width of the frame in pixels.
    """
    shared_px, truth_edge, predicted_edge = _aligned(truth, predicted)
    area_px = 0 if truth is None else truth.area_px
    union_px = area_px + (0 if predicted is None else predicted.area_px) - shared_px
    diagonal_px = TOLERANCE_OF_DIAGONAL * float(np.linalg.norm(size))
    narrow_px = math.ceil(math.sqrt(area_px) * _NARROW)
    if truth is not None and narrow_px < diagonal_px:
        f = _f(truth_edge, predicted_edge, float(math.ceil(diagonal_px)))
        f_new = _f(truth_edge, predicted_edge, float(narrow_px))
    else:
        f = f_new = _f(truth_edge, predicted_edge, diagonal_px)
    return (shared_px + 1) / (union_px + 1), f, f_new, float(truth is None)


def appearance_runs(truth_empty: Sequence[bool]) -> tuple[list[slice], list[slice]]:
    """Runs of counted frames without an object that was seen before, and with one that came back.

    A late object's first run is a reappearance, its absence before is no disappearance.

    Args:
        truth_empty: of each counted frame, whether the truth lacks the object.

    Returns:
        Disappearances and reappearances, each as slices of the counted frames.
    """
    edges = [t for t in range(1, len(truth_empty)) if truth_empty[t] != truth_empty[t - 1]]
    starts = [0, *edges][: len(truth_empty)]
    found = [slice(a, b) for a, b in zip(starts, [*edges, len(truth_empty)], strict=False)]
    # Runs take turns: any but the first follows one of the other kind.
    gone = [run for run in found[1:] if truth_empty[run.start]]
    back = [run for run in found[1:] if not truth_empty[run.start]]
    return gone, back


def object_figures(series: Mapping[str, NDArray[np.float64]]) -> Figures:
    """The figures of one object, in 0..1; None for runs that it does not have."""
    gone, back = appearance_runs([bool(empty) for empty in series["truth_empty"]])
    figures: Figures = {f"{name}_mean": _mean(series[name]) for name in ("j", "f", "f_new")}
    for kind, runs in (("disappear", gone), ("reappear", back)):
        for name in ("j", "f_new"):
            figures[f"{kind}_{name}"] = _mean([float(series[name][run].mean()) for run in runs])
    return with_halves(figures)


def summarise(objects: Iterable[Figures]) -> Figures:
    """Means over the objects of all sequences alike, each over the objects that have the figure."""
    found = list(objects)
    names = ("j_mean", "f_mean", "f_new_mean")
    runs = ("disappear_j", "disappear_f_new", "reappear_j", "reappear_f_new")
    figures: Figures = {
        name: _mean([value for o in found if (value := o[name]) is not None])
        for name in (*names, *runs)
    }
    return with_halves(figures)


def with_halves(figures: Figures) -> Figures:
    """The same with each J&F, half the sum of its two means."""
    pairs = {
        "jf_mean": ("j_mean", "f_mean"),
        "jf_new_mean": ("j_mean", "f_new_mean"),
        "disappear_jf_new": ("disappear_j", "disappear_f_new"),
        "reappear_jf_new": ("reappear_j", "reappear_f_new"),
    }
    halves: Figures = {}
    for name, (first, second) in pairs.items():
        j, f = figures[first], figures[second]
        halves[name] = None if j is None or f is None else (j + f) / 2
    return figures | halves


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _aligned(truth: ObjectPlane | None, predicted: ObjectPlane | None) -> tuple[int, _Edge, _Edge]:
    """Pixels that both masks share, and their contours in one window that holds both."""
    planes = [plane for plane in (truth, predicted) if plane is not None]
    top = min((p.top for p in planes), default=0)
    left = min((p.left for p in planes), default=0)
    height = max((p.top + p.mask.shape[0] for p in planes), default=top) - top
    width = max((p.left + p.mask.shape[1] for p in planes), default=left) - left
    masks, edges = np.zeros((2, height, width), np.bool_), np.zeros((2, height, width), np.bool_)
    for k, plane in enumerate((truth, predicted)):
        if plane is not None:
            y, x = plane.top - top, plane.left - left
            place = np.s_[k, y : y + plane.mask.shape[0], x : x + plane.mask.shape[1]]
            masks[place], edges[place] = plane.mask, plane.boundary
    return int(np.count_nonzero(masks[0] & masks[1])), edges[0], edges[1]


def _f(truth: _Edge, predicted: _Edge, radius_px: float) -> float:
    """F of two contours with a disc of ``radius_px``, which may be a fraction."""
    counts = int(np.count_nonzero(truth)), int(np.count_nonzero(predicted))
    matched = (0, 0)
    if all(counts):
        matched = (
            int(np.count_nonzero(truth & _grown(predicted, radius_px))),
            int(np.count_nonzero(predicted & _grown(truth, radius_px))),
        )
    return f_measure(
        truth_px=counts[0],
        predicted_px=counts[1],
        truth_matched_px=matched[0],
        predicted_matched_px=matched[1],
    )


def _grown(edge: _Edge, radius_px: float) -> _Edge:
    # The anchor is the cell at side // 2, also where the side is even: OpenCV's own choice.
    return np.asarray(cv2.dilate(edge.view(np.uint8), _disc(radius_px)), np.uint8).view(np.bool_)


@lru_cache(maxsize=64)
def _disc(radius_px: float) -> NDArray[np.uint8]:
    """Cells of a grid, from -radius in steps of 1 while below radius + 1, within radius of 0.

    With a fraction, its side may be even, and it lies off the centre: as the official tool's does.
    """
    steps = np.arange(-radius_px, radius_px + 1)
    return (steps[:, None] ** 2 + steps[None, :] ** 2 <= radius_px**2).astype(np.uint8)
