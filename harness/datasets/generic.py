"""Anyone's own clips in the folder layout of DAVIS or of YouTube-VOS.

``davis-layout:DIR`` takes ``JPEGImages[/480p]/NAME`` and ``Annotations[/480p]/NAME``;
``ytvos-layout:DIR`` takes ``JPEGImages/NAME``, ``Annotations/NAME`` and, where it is there,
``meta.json``. Objects may start in any frame. Without meta.json they are read from the
annotations themselves; where these hold 0 and 255 alone, there is one object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import user_path
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.davis import indexed_annotations, other_size
from vosbench.harness.datasets.decode import IMAGE_SUFFIXES, image_size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, read_labels
from vosbench.harness.datasets.layout import (
    child,
    first_existing,
    frame_files,
    listed_or_all,
)
from vosbench.harness.datasets.objects import VOID, first_frames, is_binary, present_ids
from vosbench.harness.datasets.protocols import OF_LAYOUTS, OWN_CLIPS
from vosbench.harness.datasets.youtube_vos import Split
from vosbench.harness.datasets.ytvos_meta import read_meta


@dataclass(frozen=True)
class LayoutFactory:
    """Opens a folder by its layout.

    Attributes:
        spec: what it is.
        meta: a meta.json is read, where there is one.
    """

    spec: DatasetSpec
    meta: bool

    def __call__(self, _root: Path | None, argument: str | None, /) -> Dataset:
        """Open the folder ``argument``."""
        if argument is None:
            raise InputError(f"{self.spec.name} needs a folder: write {self.spec.name}:DIR")
        folder = user_path(argument)
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder: write {self.spec.name}:DIR")
        name = f"{self.spec.name}:{argument}"
        meta_path = folder / "meta.json"
        if self.meta and meta_path.exists():
            return self._with_meta(name, folder, meta_path)
        images = _resolution(folder / "JPEGImages")
        annotations = _resolution(folder / "Annotations")

        # Building reads every annotation of the clip, and a clip is asked for more than once.
        @lru_cache(maxsize=64)
        def build(sequence: str) -> Clip:
            return scanned_clip(sequence, child(images, sequence), child(annotations, sequence))

        names = listed_or_all(folder / "ImageSets" / "val.txt", images)
        return Dataset(name, OWN_CLIPS, folder, names, build, OF_LAYOUTS)

    def _with_meta(self, name: str, folder: Path, meta_path: Path) -> Dataset:
        meta = read_meta(meta_path)
        images, annotations = folder / "JPEGImages", folder / "Annotations"
        split = Split(images, annotations, meta, None, first_masks_only=False)

        @lru_cache(maxsize=64)
        def build(sequence: str) -> Clip:
            clip = split.build(sequence)
            ids = {t: present_ids(read_labels(p)) for t, p in clip.annotation_paths.items()}
            return replace(clip, first_masks_only=only_first(ids, clip.objects))

        return Dataset(
            name, OWN_CLIPS, folder, tuple(sorted(meta)), build, OF_LAYOUTS, audit=split.audit
        )


def scanned_clip(name: str, image_folder: Path, annotation_folder: Path) -> Clip:
    """Build a clip whose objects are found by reading all of its annotations.

    An object starts in the first annotation that shows it.

    Raises:
        InputError: no frames, no annotated object, or files that don't match.
    """
    images = frame_files(image_folder, IMAGE_SUFFIXES)
    if not images:
        raise InputError(f"{image_folder}: no frames (.jpg or .png)")
    annotations = indexed_annotations(
        images, frame_files(annotation_folder, LABEL_SUFFIXES), annotation_folder
    )
    size = image_size(next(iter(images.values())))
    # Sizes are checked where a label map is used, so that a cut leaves out what it cuts.
    ids = {t: present_ids(read_labels(path)) for t, path in sorted(annotations.items())}
    binary = is_binary(ids.values())
    if binary:
        ids = {t: {1} if present else set() for t, present in ids.items()}
    objects = first_frames(ids)
    if not objects:
        raise InputError(f"{annotation_folder}: no annotation with an object: nothing to track")
    return Clip(
        name=name,
        size=size,
        frame_names=tuple(images),
        image_paths=tuple(images.values()),
        annotation_paths=annotations,
        objects=objects,
        merge_objects=binary,
        first_masks_only=only_first(ids, objects),
        binary=binary,
        label_size=other_size(next(iter(annotations.values())), size),
    )


def only_first(ids: Mapping[int, set[int]], objects: Mapping[int, int]) -> bool:
    """Whether annotations of these ids show each object in its first frame and nowhere else."""
    return all(
        present - {VOID} == {i for i, first in objects.items() if first == t}
        for t, present in ids.items()
    )


def _resolution(folder: Path) -> Path:
    return first_existing((folder / "480p", folder))


DAVIS_LAYOUT = LayoutFactory(
    DatasetSpec(
        name="davis-layout",
        protocol=OWN_CLIPS.name,
        summary="your own sequences in the layout of DAVIS: davis-layout:DIR",
        argument="DIR",
    ),
    meta=False,
)
YTVOS_LAYOUT = LayoutFactory(
    DatasetSpec(
        name="ytvos-layout",
        protocol=OWN_CLIPS.name,
        summary="your own sequences in the layout of YouTube-VOS: ytvos-layout:DIR",
        argument="DIR",
    ),
    meta=True,
)
