"""The masks of one frame, which a label map holds unless they overlap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.objects import Labels, present_ids

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Overlapping:
    """Masks, bool (H, W), by object id; one pixel may be part of several objects.

    An object without a mask has no pixel.
    """

    size: Size
    masks: Mapping[int, Mask]

    def flat(self) -> Labels:
        """A label map, uint8 (H, W), to look at: where masks overlap, the lowest id is in front."""
        labels = np.zeros(self.size, np.uint8)
        for object_id in sorted(self.masks, reverse=True):
            labels[self.masks[object_id]] = object_id
        return labels


Masks = Labels | Overlapping
"""All masks of one frame: a label map, uint8 (H, W), or masks that may overlap."""


def flat(masks: Masks) -> Labels:
    """The masks as a label map, uint8 (H, W)."""
    return masks.flat() if isinstance(masks, Overlapping) else masks


def mask_of(masks: Masks, object_id: int) -> Mask:
    """One object's mask, bool (H, W)."""
    if not isinstance(masks, Overlapping):
        return np.asarray(masks == object_id)
    found = masks.masks.get(object_id)
    return np.zeros(masks.size, np.bool_) if found is None else found


def ids_of(masks: Masks) -> set[int]:
    """The objects that have a pixel."""
    if not isinstance(masks, Overlapping):
        return present_ids(masks)
    return {object_id for object_id, mask in masks.masks.items() if mask.any()}


def areas_of(masks: Masks) -> dict[int, float]:
    """Each object's share of the picture; objects without a pixel may be left out."""
    if isinstance(masks, Overlapping):
        return {i: float(mask.mean()) for i, mask in masks.masks.items()}
    counts = np.bincount(masks.ravel())
    return {i: int(counts[i]) / masks.size for i in range(1, len(counts)) if counts[i]}


def read_mask(path: Path, size: Size | None = None) -> Mask:
    """One object's mask, bool (H, W), from a PNG of at most one value beside 0.

    Raises:
        InputError: as :func:`vosbench.harness.datasets.labels.read_labels`, or several values.
    """
    labels = read_labels(path, size)
    values = present_ids(labels)
    if len(values) > 1:
        shown = ", ".join(map(str, sorted(values)[:3]))
        raise InputError(
            f"{path}: holds the values {shown}, where one object's mask holds 0 and one other: "
            "write a file for each object"
        )
    return np.asarray(labels != 0)


def read_overlapping(paths: Mapping[int, Path], size: Size) -> Overlapping:
    """One frame's masks from a file for each object; see :func:`read_mask`."""
    return Overlapping(size, {i: read_mask(path, size) for i, path in paths.items()})
