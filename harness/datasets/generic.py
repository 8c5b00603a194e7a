"""Anyone's own clips in the folder layout of DAVIS or of YouTube-VOS.

``davis-layout:DIR`` takes ``JPEGImages[/480p]/NAME`` and ``Annotations[/480p]/NAME``;
``ytvos-layout:DIR`` takes ``JPEGImages/NAME``, ``Annotations/NAME`` and, where it is there,
``meta.json``. Objects may start in any frame. Without meta.json they are read from the
annotations themselves; a clip whose annotations are grey, 0 and 255 only, has one object.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip, present_ids
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec, Rules
from vosbench.harness.datasets.davis import indexed_annotations
from vosbench.harness.datasets.decode import (
    IMAGE_SUFFIXES,
    LABEL_SUFFIXES,
    image_size,
    label_mode,
    read_labels,
)
from vosbench.harness.datasets.layout import (
    first_existing,
    frame_files,
    read_list,
    subfolders,
)
from vosbench.harness.datasets.youtube_vos import Split
from vosbench.harness.datasets.ytvos_meta import read_meta


@dataclass(frozen=True)
class LayoutFactory:
    """Opens a folder by its layout.

    Attributes:
        spec: what it is.
        rules: whose rules score it.
    """

    spec: DatasetSpec
    rules: Rules

    def __call__(self, _root: Path | None, argument: str | None, /) -> Dataset:
        """Open the folder ``argument``."""
        if argument is None:
            raise InputError(f"{self.spec.name} needs a folder: write {self.spec.name}:DIR")
        folder = Path(argument).expanduser()
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder: write {self.spec.name}:DIR")
        name = f"{self.spec.name}:{argument}"
        meta_path = folder / "meta.json"
        if self.rules is Rules.YTVOS and meta_path.exists():
            return self._with_meta(name, folder, meta_path)
        images = _resolution(folder / "JPEGImages")
        annotations = _resolution(folder / "Annotations")

        # Building reads every annotation of the clip, and a clip is asked for more than once.
        @lru_cache(maxsize=64)
        def build(sequence: str) -> Clip:
            return scanned_clip(sequence, images / sequence, annotations / sequence)

        list_path = folder / "ImageSets" / "val.txt"
        names = read_list(list_path) if list_path.exists() else subfolders(images)
        if not names:
            raise InputError(f"{images}: no sequences: one folder of frames each is needed")
        return Dataset(name, self.spec.protocol, folder, names, build, self.rules)

    def _with_meta(self, name: str, folder: Path, meta_path: Path) -> Dataset:
        meta = read_meta(meta_path)
        images, annotations = folder / "JPEGImages", folder / "Annotations"
        split = Split(images, annotations, meta, None, first_masks_only=False)
        sequences = tuple(sorted(meta))
        return Dataset(
            name,
            self.spec.protocol,
            folder,
            sequences,
            split.build,
            self.rules,
            audit=split.audit,
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
    objects = _first_frames(ids)
    if not objects:
        raise InputError(f"{annotation_folder}: no annotation with an object: nothing to track")
    grey = set(objects) == {255} and all(label_mode(p) != "P" for p in annotations.values())
    return Clip(
        name=name,
        size=size,
        frame_names=tuple(images),
        image_paths=tuple(images.values()),
        annotation_paths=annotations,
        objects={1: objects[255]} if grey else objects,
        merge_objects=grey,
        first_masks_only=all(
            present == {i for i, first in objects.items() if first == t}
            for t, present in ids.items()
        ),
    )


def _first_frames(ids: dict[int, set[int]]) -> dict[int, int]:
    first: dict[int, int] = {}
    for t, present in sorted(ids.items()):
        for object_id in present:
            first.setdefault(object_id, t)
    return dict(sorted(first.items()))


def _resolution(folder: Path) -> Path:
    return first_existing((folder / "480p", folder))


DAVIS_LAYOUT = LayoutFactory(
    DatasetSpec(
        name="davis-layout",
        protocol="davis-layout@1",
        summary="your own clips in the layout of DAVIS: davis-layout:DIR",
        argument="DIR",
    ),
    Rules.DAVIS,
)
YTVOS_LAYOUT = LayoutFactory(
    DatasetSpec(
        name="ytvos-layout",
        protocol="ytvos-layout@1",
        summary="your own clips in the layout of YouTube-VOS: ytvos-layout:DIR",
        argument="DIR",
    ),
    Rules.YTVOS,
)
