"""How much objects move and how large they are, from the annotations alone.

The adjacent-mask IoU of the paper's figure 1(a): an object's annotated mask against its previous
annotated mask (the next frame in DAVIS, five frames on in YouTube-VOS).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import mask_of

HIGH_IOU = 0.7
"""Pairs above it count as similar (section 1 of the paper: 73.3 % of those of DAVIS 2017)."""
STILL_IOU = 0.9
"""Our own bound between slow and still objects."""
SMALL_AREA = 0.02
LARGE_AREA = 0.1
"""Our own bounds between small, medium and large objects: shares of the frame."""


class Motion(StrEnum):
    """An object's motion class, by its mean adjacent-mask IoU."""

    STILL = "still"
    """At least :data:`STILL_IOU`."""
    SLOW = "slow"
    """At least :data:`HIGH_IOU`."""
    FAST = "fast"
    """Less than that."""


class SizeClass(StrEnum):
    """An object's size class, by its mean share of the frame where it is visible."""

    SMALL = "small"
    """Below :data:`SMALL_AREA`."""
    MEDIUM = "medium"
    LARGE = "large"
    """At least :data:`LARGE_AREA`."""


@dataclass(frozen=True)
class ObjectStats:
    """One object's annotations in numbers.

    Attributes:
        sequence, object_id: whose.
        frames: indices of the annotated frames from the object's first one on.
        iou: IoU of each of them with the one before; NaN for the first and where both are empty.
        area: each mask's share of the frame, 0..1.
    """

    sequence: str
    object_id: int
    frames: NDArray[np.int64]
    iou: NDArray[np.float64]
    area: NDArray[np.float64]

    @property
    def mean_iou(self) -> float:
        """Mean adjacent-mask IoU; NaN if no two annotations can be compared."""
        known = self.iou[~np.isnan(self.iou)]
        return float(known.mean()) if known.size else float("nan")

    @property
    def mean_area(self) -> float:
        """Mean share of the frame over the frames that show the object."""
        shown = self.area[self.area > 0]
        return float(shown.mean()) if shown.size else 0.0

    @property
    def motion(self) -> Motion | None:
        """Motion class; None where there is no pair of annotations to tell it."""
        return None if np.isnan(self.mean_iou) else motion_class(self.mean_iou)

    @property
    def size(self) -> SizeClass:
        """Size class."""
        return size_class(self.mean_area)


@dataclass(frozen=True)
class IouHistogram:
    """Data of figure 1(a): pairs of adjacent masks by IoU.

    Attributes:
        edges: bounds of the bins from 0 to 1; the last bin holds 1.
        counts: pairs in each bin.
        above_high: share of the pairs whose IoU is greater than :data:`HIGH_IOU`; NaN without any.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    above_high: float


def motion_class(mean_iou: float) -> Motion:
    """Motion class of a mean adjacent-mask IoU."""
    if mean_iou >= STILL_IOU:
        return Motion.STILL
    return Motion.SLOW if mean_iou >= HIGH_IOU else Motion.FAST


def size_class(mean_area: float) -> SizeClass:
    """Size class of a mean share of the frame."""
    if mean_area >= LARGE_AREA:
        return SizeClass.LARGE
    return SizeClass.SMALL if mean_area < SMALL_AREA else SizeClass.MEDIUM


def clip_stats(clip: Clip) -> tuple[ObjectStats, ...]:
    """Statistics of a clip's objects, ids ascending; reads all of its annotations once.

    Where annotations show first masks only, nothing can be compared and ``iou`` is all NaN.
    """
    counters = {i: _Counter() for i in clip.object_ids}
    for t in sorted(clip.annotation_paths):
        masks = clip.masks(t)
        assert masks is not None
        for object_id, counter in counters.items():
            first = clip.objects[object_id]
            if t == first or (t > first and not clip.first_masks_only):
                counter.add(t, mask_of(masks, object_id))
    return tuple(counter.stats(clip.name, i) for i, counter in counters.items())


def iou_histogram(stats: Iterable[ObjectStats], bins: int = 10) -> IouHistogram:
    """Histogram of the adjacent-mask IoU over all pairs of ``stats``."""
    parts = [np.zeros(0), *(item.iou[~np.isnan(item.iou)] for item in stats)]
    pairs = np.concatenate(parts)
    edges = np.arange(bins + 1) / bins
    counts, _ = np.histogram(pairs, bins=edges)
    above = float((pairs > HIGH_IOU).mean()) if pairs.size else float("nan")
    return IouHistogram(tuple(edges.tolist()), tuple(counts.tolist()), above)


class _Counter:
    """Walks over one object's masks and keeps only the previous one."""

    def __init__(self) -> None:
        self._previous: NDArray[np.bool_] | None = None
        self._frames: list[int] = []
        self._iou: list[float] = []
        self._area: list[float] = []

    def add(self, t: int, mask: NDArray[np.bool_]) -> None:
        self._frames.append(t)
        self._area.append(float(mask.mean()))
        self._iou.append(float("nan") if self._previous is None else _iou(self._previous, mask))
        self._previous = mask

    def stats(self, sequence: str, object_id: int) -> ObjectStats:
        return ObjectStats(
            sequence,
            object_id,
            np.asarray(self._frames, dtype=np.int64),
            np.asarray(self._iou, dtype=np.float64),
            np.asarray(self._area, dtype=np.float64),
        )


def _iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    union = np.count_nonzero(a | b)
    # An object that stays away says nothing about its motion.
    return float("nan") if union == 0 else np.count_nonzero(a & b) / union
