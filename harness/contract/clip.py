"""What the contract suite plays: clips as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class ContractClip:
    """Frames and annotations in memory.

    Attributes:
        name: what messages call it.
        frames: uint8 RGB (T, H, W, 3).
        labels: annotated label maps, uint8 (H, W), by frame index.
        objects: first frame by object id; that frame is annotated.
        frame_names: file names without suffix, where there are files.
        merged: all annotated objects were made one, id 1.
    """

    name: str
    frames: NDArray[np.uint8]
    labels: Mapping[int, Labels]
    objects: Mapping[int, int]
    frame_names: tuple[str, ...] = ()
    merged: bool = False

    @classmethod
    def of(cls, name: str, frames: NDArray[np.uint8], labels: Labels) -> ContractClip:
        """A clip with a label map for every frame, (T, H, W); objects start where they appear."""
        objects: dict[int, int] = {}
        for t, plane in enumerate(labels):
            for object_id in np.unique(plane):
                if object_id:
                    objects.setdefault(int(object_id), t)
        return cls(name, frames, dict(enumerate(labels)), dict(sorted(objects.items())))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.frames.shape[1], self.frames.shape[2]

    @property
    def start(self) -> int:
        """The frame in which the first objects come."""
        return min(self.objects.values())

    def starting(self, t: int) -> tuple[int, ...]:
        """Ids of the objects that start in frame ``t``."""
        return tuple(i for i, first in self.objects.items() if first == t)

    def known(self, t: int) -> tuple[int, ...]:
        """Ids of the objects that started in frame ``t`` or before, ascending."""
        return tuple(sorted(i for i, first in self.objects.items() if first <= t))

    def mask(self, t: int, object_id: int) -> NDArray[np.bool_]:
        """An object's annotated mask, bool (H, W)."""
        return np.asarray(self.labels[t] == object_id)

    def as_one_object(self) -> ContractClip:
        """The clip with all that its first annotation shows as object 1, for single-object runners.

        Objects that come later are left out.
        """
        first = set(self.starting(self.start))
        labels = {
            t: np.isin(plane, sorted(first)).astype(np.uint8) for t, plane in self.labels.items()
        }
        return replace(self, labels=labels, objects={1: self.start}, merged=True)
