"""A clip's annotations while it is walked: masks for oracles, IoU between frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks, areas_of, mask_of

Labels = NDArray[np.uint8]
_KEPT = 64


class Annotations:
    """Masks of a clip by frame; those of the last few stay in memory, others are read again."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._kept: dict[int, Masks | None] = {}
        self._ious: dict[tuple[int, int, int], float] = {}
        self._areas: dict[int, list[float]] = {i: [] for i in clip.scored_ids}

    def put(self, t: int, masks: Masks | None) -> None:
        """Keep masks that were decoded anyway; None where the frame has none."""
        self._kept[t] = masks
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def masks(self, t: int) -> Masks | None:
        """The masks of frame ``t``, or None."""
        if t not in self._kept:
            self.put(t, self._clip.masks(t))
        return self._kept[t]

    def observe(self, t: int, masks: Masks | None) -> None:
        """Take a frame in, once each and in order: IoU with frame t − 1, and areas."""
        self.put(t, masks)
        if masks is None or self._clip.first_masks_only:
            return
        shares = areas_of(masks)
        for object_id, areas in self._areas.items():
            if shares.get(object_id):
                areas.append(shares[object_id])
        for object_id, first in self._clip.objects.items():
            if first < t and t - 1 in self._clip.annotation_paths:
                self.iou(object_id, t - 1, t)

    def area(self, object_id: int) -> float:
        """Mean share of the picture over the observed frames that show the object, or NaN."""
        shown = self._areas[object_id]
        return float(np.mean(shown)) if shown else float("nan")

    def iou(self, object_id: int, before: int, now: int) -> float:
        """IoU of an object's annotated masks in two frames.

        NaN where one isn't annotated, and where both are empty: what is absent is not still.
        """
        key = (object_id, before, now)
        if key not in self._ious:
            self._ious[key] = self._iou(object_id, before, now)
        return self._ious[key]

    def _iou(self, object_id: int, before: int, now: int) -> float:
        first, second = self.masks(before), self.masks(now)
        if first is None or second is None or self._clip.first_masks_only:
            return float("nan")
        a, b = mask_of(first, object_id), mask_of(second, object_id)
        union = np.count_nonzero(a | b)
        return np.count_nonzero(a & b) / union if union else float("nan")
