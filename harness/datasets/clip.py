"""One sequence: its frames, its annotations, its objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import Size, read_image
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.objects import VOID, strangers, without, without_void
from vosbench.harness.datasets.overlap import Masks, flat, ids_of, read_overlapping


@dataclass(frozen=True)
class Clip:
    """A sequence as an evaluation sees it; files are read only when asked for.

    Attributes:
        name: the sequence's name in its dataset.
        size: height and width of every frame in pixels.
        frame_names: file names without suffix, in order; an index t counts in this order.
        image_paths: one file per frame; none where there are annotations alone, to score with.
        annotation_paths: label maps by frame index; frames without one are left out.
        objects: by object id, ascending, the index of the frame whose mask is given.
        merge_objects: any label but 0 (and void) is object 1.
        classes: category by object id, where the dataset knows it.
        unseen: objects whose category is not among the training classes; None if unknown.
        output_frames: frames that a submission must hold; None for all of them.
        first_masks_only: an annotation shows only the objects that start in it, so that no
            frame can be scored.
        binary: its masks hold no values but 0 and 255, and 255 is the object.
        ungiven: ids that count although no mask of them is given (DAVIS 2017).
        others_are_background: annotations may hold further ids, which are background.
        label_size: height and width of the annotations, where they aren't those of the frames.
        ignored_ids: ids that predictions may hold though they are background: void, and objects
            that start after the frames that the clip was cut to.
        counts_early: predictions of an object count before its first mask is given too.
        counted: by object id, the frames that count, where files beside the masks say so; None
            where the protocol says it of the annotations.
        mask_paths: by frame index and object id, a mask each, where objects may overlap;
            ``annotation_paths`` names the first one of every frame then.
        object_names: what the objects are called, where that isn't their ids.
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
    binary: bool = False
    ungiven: frozenset[int] = frozenset()
    others_are_background: bool = False
    label_size: Size | None = None
    ignored_ids: frozenset[int] = frozenset({VOID})
    counts_early: bool = False
    counted: Mapping[int, tuple[int, ...]] | None = None
    mask_paths: Mapping[int, Mapping[int, Path]] = field(default_factory=dict)
    object_names: Mapping[int, str] = field(default_factory=dict)

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

    @property
    def scored_ids(self) -> tuple[int, ...]:
        """The ids that a protocol may count, given or not, ascending."""
        return tuple(sorted({*self.objects, *self.ungiven}))

    @cached_property
    def _scored(self) -> frozenset[int]:
        return frozenset(self.scored_ids)

    @property
    def early_ids(self) -> frozenset[int]:
        """Ids that predictions may show before a mask of them is given, and that count then."""
        return self.ungiven | frozenset(self.objects if self.counts_early else ())

    def object_name(self, object_id: int) -> str:
        """What an object is called in its dataset."""
        return self.object_names.get(object_id, str(object_id))

    def starting(self, t: int) -> tuple[int, ...]:
        """Ids of the objects whose first frame is ``t``, ascending."""
        return tuple(sorted(i for i, first in self.objects.items() if first == t))

    def image(self, t: int) -> NDArray[np.uint8]:
        """Frame ``t``, uint8 RGB (H, W, 3); InputError if damaged, of another size or absent."""
        self.require_images()
        return read_image(self.image_paths[t], self.size)

    def require_images(self) -> None:
        """Raise InputError where no model could run.

        There are annotations only, or they are of another size than the frames.
        """
        if not self.image_paths:
            raise InputError(
                f"sequence {self.name} has annotations but no JPEGImages, which is enough to "
                "score masks but not to run a model: give the folder that holds both"
            )
        if self.label_size is not None:
            (height, width), (label_height, label_width) = self.size, self.label_size
            raise InputError(
                f"sequence {self.name} has frames of {width}x{height} and annotations of "
                f"{label_width}x{label_height}: `vosbench eval` scores predictions of the "
                "annotations' size; to run a model, bring both to one size"
            )

    def annotation(self, t: int) -> NDArray[np.uint8] | None:
        """Label map of frame ``t``, uint8 (H, W), background and void 0; None if it has none.

        Where masks overlap, the lowest id is in front: :meth:`masks` has all of them.

        Raises:
            InputError: the file is damaged, of another size, no label map, holds ids that are not
                among the sequence's, or lacks an object that starts in this frame.
        """
        if self.mask_paths:
            found = self.masks(t)
            return None if found is None else flat(found)
        path = self.annotation_paths.get(t)
        if path is None:
            return None
        labels = read_labels(path, self.label_size or self.size)
        if self.binary:
            self._require_binary(path, labels)
        elif not self.merge_objects:
            labels = self._known(path, without_void(labels))
        else:
            labels = without_void(labels)
        if self.merge_objects:
            labels = (labels != 0).view(np.uint8)
        self._require_first_masks(t, labels)
        return labels

    def masks(self, t: int) -> Masks | None:
        """The masks of frame ``t``, a label map or such as overlap; None if it has none.

        Raises:
            InputError: as :meth:`annotation`.
        """
        if not self.mask_paths:
            return self.annotation(t)
        paths = self.mask_paths.get(t)
        if paths is None:
            return None
        found = read_overlapping(paths, self.label_size or self.size)
        self._require_first_masks(t, found)
        return found

    def _require_first_masks(self, t: int, masks: Masks) -> None:
        starting = self.starting(t)
        absent = set(starting) - ids_of(masks) if starting else ()
        if absent:
            path = self.mask_paths.get(t, {}).get(min(absent), self.annotation_paths[t])
            raise InputError(
                f"{path}: no pixel of object {min(absent)}, whose first frame this is: "
                "a first mask is needed to track it"
            )

    def mask_files(self) -> dict[Path, tuple[int, int | None]]:
        """Every mask file: its frame, and its object where it shows one alone."""
        if not self.mask_paths:
            return {path: (t, None) for t, path in self.annotation_paths.items()}
        return {path: (t, i) for t, ps in self.mask_paths.items() for i, path in ps.items()}

    def _known(self, path: Path, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        unknown = strangers(labels, self._scored)
        if not unknown:
            return labels
        if self.others_are_background:
            return without(labels, unknown)
        raise InputError(
            f"{path}: unknown object id {min(unknown)}; the objects of {self.name} are "
            f"{', '.join(map(str, self.object_ids)) or 'none'}"
        )

    def _require_binary(self, path: Path, labels: NDArray[np.uint8]) -> None:
        other = strangers(labels, ())
        if other:
            raise InputError(
                f"{path}: holds id {min(other)}, where the first mask of {self.name} holds 0 and "
                "255 alone: is 255 its object, or void?"
            )

    def cut(self, max_frames: int | None) -> Clip:
        """The clip's first ``max_frames`` frames; objects that start later are left out."""
        if max_frames is None or max_frames >= len(self):
            return self
        if max_frames < 1:
            raise InputError(f"max_frames is {max_frames}; a sequence has at least one frame")
        kept = {i: first for i, first in self.objects.items() if first < max_frames}
        outputs = self.output_frames
        counted = self.counted
        return replace(
            self,
            frame_names=self.frame_names[:max_frames],
            image_paths=self.image_paths[:max_frames],
            annotation_paths={t: p for t, p in self.annotation_paths.items() if t < max_frames},
            mask_paths={t: paths for t, paths in self.mask_paths.items() if t < max_frames},
            objects=kept,
            counted=None
            if counted is None
            else {i: tuple(t for t in ts if t < max_frames) for i, ts in counted.items()},
            ignored_ids=self.ignored_ids | (set(self.objects) - set(kept)),
            classes={i: name for i, name in self.classes.items() if i in kept},
            unseen=None if self.unseen is None else self.unseen & set(kept),
            output_frames=None if outputs is None else tuple(t for t in outputs if t < max_frames),
        )
