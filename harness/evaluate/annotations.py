"""A clip's annotations while it is walked: masks for oracles, IoU between frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip

Labels = NDArray[np.uint8]
_KEPT = 64


class Annotations:
    """Label maps of a clip by frame; the last few stay in memory, others are read again."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._kept: dict[int, Labels | None] = {}
        self._ious: dict[tuple[int, int, int], float] = {}
        self._areas: dict[int, list[float]] = {i: [] for i in clip.scored_ids}

    def put(self, t: int, labels: Labels | None) -> None:
        """Keep a label map that was decoded anyway; None where the frame has none."""
        self._kept[t] = labels
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]

    def labels(self, t: int) -> Labels | None:
        """The label map of frame ``t``, (H, W), or None."""
        if t not in self._kept:
            self.put(t, self._clip.annotation(t))
        return self._kept[t]

    def observe(self, t: int, labels: Labels | None) -> None:
        """Take a frame in, once each and in order: IoU with frame t − 1, and areas."""
        self.put(t, labels)
        if labels is None or self._clip.first_masks_only:
            return
        counts = np.bincount(labels.ravel(), minlength=256)
        for object_id, areas in self._areas.items():
            if counts[object_id]:
                areas.append(counts[object_id] / labels.size)
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
        first, second = self.labels(before), self.labels(now)
        if first is None or second is None or self._clip.first_masks_only:
            return float("nan")
        a, b = first == object_id, second == object_id
        union = np.count_nonzero(a | b)
        return np.count_nonzero(a & b) / union if union else float("nan")
