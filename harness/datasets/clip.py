"""One clip: its frames, its annotations, its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import Size, read_image, read_labels


@dataclass(frozen=True)
class Clip:
    """A sequence as an evaluation sees it; files are read only when asked for.

    Attributes:
        name: the sequence's name in its dataset.
        size: height and width of every frame and annotation in pixels.
        frame_names: file names without suffix, in order; an index t counts in this order.
        image_paths: one file per frame; none where there are annotations alone, to score with.
        annotation_paths: label maps by frame index; frames without one are left out.
        objects: first frame's index by object id, ids ascending.
        merge_objects: any label but 0 is object 1.
        classes: category by object id, where the dataset knows it.
        unseen: objects whose category is not among the training classes; None if unknown.
        output_frames: frames that a submission must hold; None for all of them.
        first_masks_only: an annotation shows only the objects that start in it, so that no
            frame can be scored.
    """

    name: str
    size: Size
    frame_names: tuple[str, ...]
    image_paths: tuple[Path, ...]
    annotation_paths: Mapping[int, Path]
    objects: Mapping[int, int]
    merge_objects: bool = False
    classes: Mapping[int, str] = field(default_factory=dict)
    unseen: frozenset[int] | None = None
    output_frames: tuple[int, ...] | None = None
    first_masks_only: bool = False

    def __post_init__(self) -> None:
        for object_id, first in self.objects.items():
            if first not in self.annotation_paths:
                raise InputError(
                    f"sequence {self.name}: object {object_id} starts in frame "
                    f"{self.frame_names[first]}, which has no annotation: add the file"
                )

    def __len__(self) -> int:
        return len(self.frame_names)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects' ids, ascending."""
        return tuple(sorted(self.objects))

    def starting(self, t: int) -> tuple[int, ...]:
        """Ids of the objects whose first frame is ``t``, ascending."""
        return tuple(sorted(i for i, first in self.objects.items() if first == t))

    def image(self, t: int) -> NDArray[np.uint8]:
        """Frame ``t``, uint8 RGB (H, W, 3); InputError if damaged, of another size or absent."""
        self.require_images()
        return read_image(self.image_paths[t], self.size)

    def require_images(self) -> None:
        """Raise InputError where there are annotations only."""
        if not self.image_paths:
            raise InputError(
                f"sequence {self.name} has annotations but no JPEGImages, which is enough to "
                "score masks but not to run a model: give the folder that holds both"
            )

    def annotation(self, t: int) -> NDArray[np.uint8] | None:
        """Label map of frame ``t``, uint8 (H, W) with 0 for background; None if it has none.

        Raises:
            InputError: the file is damaged, of another size, RGB or 16-bit, holds ids that are
                not among ``objects``, or lacks an object that starts in this frame.
        """
        path = self.annotation_paths.get(t)
        if path is None:
            return None
        labels = read_labels(path, self.size)
        if self.merge_objects:
            labels = (labels != 0).astype(np.uint8)
        present = present_ids(labels)
        unknown = present - set(self.objects)
        if unknown:
            raise InputError(
                f"{path}: unknown object id {min(unknown)}; the objects of {self.name} are "
                f"{', '.join(map(str, self.object_ids)) or 'none'}"
            )
        absent = set(self.starting(t)) - present
        if absent:
            raise InputError(
                f"{path}: no pixel of object {min(absent)}, whose first frame this is: "
                "a first mask is needed to track it"
            )
        return labels

    def cut(self, max_frames: int | None) -> Clip:
        """The clip's first ``max_frames`` frames; objects that start later are left out."""
        if max_frames is None or max_frames >= len(self):
            return self
        if max_frames < 1:
            raise InputError(f"max_frames is {max_frames}; a clip has at least one frame")
        kept = {i: first for i, first in self.objects.items() if first < max_frames}
        outputs = self.output_frames
        return replace(
            self,
            frame_names=self.frame_names[:max_frames],
            image_paths=self.image_paths[:max_frames],
            annotation_paths={t: p for t, p in self.annotation_paths.items() if t < max_frames},
            objects=kept,
            classes={i: name for i, name in self.classes.items() if i in kept},
            unseen=None if self.unseen is None else self.unseen & set(kept),
            output_frames=None if outputs is None else tuple(t for t in outputs if t < max_frames),
        )


def present_ids(labels: NDArray[np.uint8]) -> set[int]:
    """Object ids in a label map, 0 left out."""
    seen = np.zeros(256, dtype=bool)
    seen[labels.ravel()] = True
    return {int(i) for i in np.flatnonzero(seen[1:]) + 1}
