"""Label maps taken apart into one small window per object, on which J and F are computed.

Nothing of an object lies outside its bounding box, and nothing that matches its contour lies
further away than the tolerance. So every count is taken inside that window.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.objects import merged, present_ids
from vosbench.harness.datasets.overlap import Overlapping
from vosbench.harness.metrics.boundary import boundary_map, dilate_disk, f_measure, tolerance_px
from vosbench.harness.metrics.region import jaccard


class FrameScore(NamedTuple):
    """J and F of one object in one frame."""

    j: float
    f: float


@dataclass(frozen=True)
class ObjectPlane:
    """One object in one frame: its mask, contour and what lies within the tolerance of it.

    Attributes:
        top, left: where the window begins in the image.
        mask, boundary, zone: bool (h, w), the window's share; nothing is set outside it.
    """

    top: int
    left: int
    mask: NDArray[np.bool_]
    boundary: NDArray[np.bool_]
    zone: NDArray[np.bool_]

    @cached_property
    def area_px(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def boundary_px(self) -> int:
        """Pixels of the contour."""
        return int(np.count_nonzero(self.boundary))


@dataclass(frozen=True)
class PackedPlane:
    """An :class:`ObjectPlane` at one bit a pixel, for keeping."""

    top: int
    left: int
    shape: tuple[int, int]
    bits: NDArray[np.uint8]

    @classmethod
    def pack(cls, plane: ObjectPlane) -> PackedPlane:
        """Keep ``plane`` in an eighth of its size."""
        bits = np.packbits(np.stack((plane.mask, plane.boundary, plane.zone)))
        height, width = plane.mask.shape
        return cls(plane.top, plane.left, (height, width), bits)

    def unpack(self) -> ObjectPlane:
        """The plane that was packed."""
        height, width = self.shape
        bits = np.unpackbits(self.bits, count=3 * height * width)
        mask, boundary, zone = bits.view(np.bool_).reshape(3, height, width)
        return ObjectPlane(self.top, self.left, mask, boundary, zone)


class _Box(NamedTuple):
    left: int
    top: int
    width: int
    height: int


def _box_of(mask: NDArray[np.uint8]) -> _Box:
    """Bounding box of the nonzero pixels."""
    return _Box(*cv2.boundingRect(mask))


def _plane(selected: NDArray[np.uint8], box: _Box, at: _Box, size: tuple[int, int]) -> ObjectPlane:
    """Plane of the pixels ``selected`` of window ``at``, whose bounding box there is ``box``."""
    radius_px = tolerance_px(*size)
    # One pixel more than the tolerance: a contour runs also just above and left of its mask.
    margin = radius_px + 1
    object_top, object_left = at.top + box.top, at.left + box.left
    top, left = max(0, object_top - margin), max(0, object_left - margin)
    bottom = min(size[0], object_top + box.height + margin)
    right = min(size[1], object_left + box.width + margin)
    mask = np.zeros((bottom - top, right - left), np.uint8)
    y, x = object_top - top, object_left - left
    mask[y : y + box.height, x : x + box.width] = selected[
        box.top : box.top + box.height, box.left : box.left + box.width
    ]
    # The official rules for the last row and column need no care here: unless they are the
    # image's own they are empty, and so is their boundary.
    boundary = boundary_map(mask.view(np.bool_))
    return ObjectPlane(top, left, mask.view(np.bool_), boundary, dilate_disk(boundary, radius_px))


class UnknownLabelsError(Exception):
    """A label map has ids that it should not have; ``ids`` names them."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        super().__init__(ids)
        self.ids = ids


def split_labels(
    labels: NDArray[np.uint8],
    wanted: Collection[int],
    *,
    merge_objects: bool = False,
    known: Collection[int] | None = None,
) -> dict[int, ObjectPlane]:
    """Planes of those ``wanted`` ids that a label map, uint8 (H, W), has pixels of.

    Args:
        labels: object id per pixel, 0 is background.
        wanted: ids to return.
        merge_objects: every nonzero label is object 1; 255 as well where no other is.
        known: ids that may occur; None for any.

    Raises:
        UnknownLabelsError: a label is not among ``known``.
    """
    at = _box_of(labels)
    if at.width == 0:
        return {}
    size = (labels.shape[0], labels.shape[1])
    window = labels[at.top : at.top + at.height, at.left : at.left + at.width]
    whole = _Box(0, 0, at.width, at.height)
    if merge_objects:
        selected = merged(window)
        box = _box_of(selected)  # void may have been at the rim
        return {1: _plane(selected, box, at, size)} if 1 in wanted and box.width else {}
    present = sorted(present_ids(window))
    if known is not None and (unknown := tuple(i for i in present if i not in known)):
        raise UnknownLabelsError(unknown)
    planes = {}
    for label in present:
        if label in wanted:
            selected = (window == label).view(np.uint8)
            box = whole if len(present) == 1 else _box_of(selected)
            planes[label] = _plane(selected, box, at, size)
    return planes


def split_masks(
    masks: Overlapping, wanted: Collection[int], *, known: Collection[int] | None = None
) -> dict[int, ObjectPlane]:
    """Planes of those ``wanted`` objects that have a pixel in masks that may overlap.

    Raises UnknownLabelsError for an object that is not among ``known``.
    """
    if known is not None and (unknown := tuple(sorted(set(masks.masks) - set(known)))):
        raise UnknownLabelsError(unknown)
    whole = _Box(0, 0, masks.size[1], masks.size[0])
    planes = {}
    for object_id, mask in masks.masks.items():
        selected = mask.view(np.uint8)
        box = _box_of(selected)
        if object_id in wanted and box.width:
            planes[object_id] = _plane(selected, box, whole, masks.size)
    return planes


def score_planes(truth: ObjectPlane | None, predicted: ObjectPlane | None) -> FrameScore:
    """J and F of one object; None where it has no pixel. Absent on both sides counts 1."""
    if truth is None or predicted is None:
        both = truth is predicted
        # A mask over the whole image has no contour, so F agrees with "absent" all the same.
        contour_px = sum(plane.boundary_px for plane in (truth, predicted) if plane is not None)
        return FrameScore(float(both), float(contour_px == 0))
    top, left = max(truth.top, predicted.top), max(truth.left, predicted.left)
    height = min(p.top + p.mask.shape[0] for p in (truth, predicted)) - top
    width = min(p.left + p.mask.shape[1] for p in (truth, predicted)) - left
    overlap_px = predicted_matched_px = truth_matched_px = 0
    if height > 0 and width > 0:
        a, b = (
            np.s_[top - p.top : top - p.top + height, left - p.left : left - p.left + width]
            for p in (truth, predicted)
        )
        overlap_px = int(np.count_nonzero(truth.mask[a] & predicted.mask[b]))
        truth_matched_px = int(np.count_nonzero(truth.boundary[a] & predicted.zone[b]))
        predicted_matched_px = int(np.count_nonzero(truth.zone[a] & predicted.boundary[b]))
    return FrameScore(
        jaccard(overlap_px, truth.area_px + predicted.area_px - overlap_px),
        f_measure(
            truth_px=truth.boundary_px,
            predicted_px=predicted.boundary_px,
            truth_matched_px=truth_matched_px,
            predicted_matched_px=predicted_matched_px,
        ),
    )


def score_frame(
    truth: NDArray[np.uint8], predicted: NDArray[np.uint8], object_ids: Collection[int]
) -> Mapping[int, FrameScore]:
    """J and F of every object of ``object_ids`` in two label maps, uint8 (H, W)."""
    truth_planes = split_labels(truth, object_ids)
    predicted_planes = split_labels(predicted, object_ids)
    return {
        i: score_planes(truth_planes.get(i), predicted_planes.get(i)) for i in sorted(object_ids)
    }
