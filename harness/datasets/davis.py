"""DAVIS 2016 and 2017: lists under ImageSets, frames at 480p, one folder a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.decode import IMAGE_SUFFIXES, Size, image_size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, label_size, read_labels
from vosbench.harness.datasets.layout import (
    child,
    first_existing,
    frame_files,
    read_frame_list,
    read_list,
)
from vosbench.harness.datasets.objects import first_frames, is_binary, present_ids
from vosbench.harness.datasets.protocols import DAVIS16, DAVIS17, named

_FIRST_ONLY = (
    "its annotations are not public (first frames only): send the predictions to the server of "
    "the DAVIS challenge"
)


@dataclass(frozen=True)
class DavisFactory:
    """Opens one split of one year.

    Attributes:
        spec: what it is.
        year: 2016 (objects merged into one) or 2017.
        split: name of the list file.
    """

    spec: DatasetSpec
    year: int
    split: str

    def __call__(self, root: Path | None, _argument: str | None, /) -> Dataset:
        """Open it from ``root``, a folder with JPEGImages, Annotations and ImageSets."""
        if root is None:
            raise TypeError("a DAVIS dataset is opened from a folder")
        first_only = self.split == "test-dev"

        def build(name: str) -> Clip:
            return davis_clip(root, name, first_only=first_only)

        return Dataset(
            name=self.spec.name,
            protocol=named(DAVIS16 if self.year == 2016 else DAVIS17, self.spec.protocol),
            root=root,
            sequences=self._sequences(root),
            build=build,
            unscorable=f"{self.spec.name}: {_FIRST_ONLY}" if first_only else None,
        )

    def _sequences(self, root: Path) -> tuple[str, ...]:
        by_name = root / "ImageSets" / str(self.year) / f"{self.split}.txt"
        if self.year == 2017:
            return read_list(by_name)
        by_frame = root / "ImageSets" / "480p" / f"{self.split}.txt"
        found = first_existing((by_name, by_frame))
        return read_list(found) if found == by_name else read_frame_list(found)


def davis_clip(root: Path, name: str, *, first_only: bool) -> Clip:
    """Build a clip from the 480p folders; its objects are those of the first annotation.

    Where the root has no JPEGImages at all, a clip is its annotations: enough for scoring.

    Raises:
        InputError: frames and annotations don't match.
    """
    folder = child(root / "Annotations" / "480p", name)
    labels = frame_files(folder, LABEL_SUFFIXES)
    photographed = first_only or (root / "JPEGImages").exists()
    frames = child(root / "JPEGImages" / "480p", name)
    images = frame_files(frames, IMAGE_SUFFIXES) if photographed else labels
    annotations = indexed_annotations(images, labels, folder)
    if not images:
        raise InputError(f"{frames if photographed else folder}: no frames")
    needed = range(1) if first_only else range(len(images))
    missing = [t for t in needed if t not in annotations]
    if missing:
        absent = folder / f"{list(images)[missing[0]]}.png"
        raise InputError(f"{absent}: no such file, but its frame is there: {name} needs it")
    size = image_size(next(iter(images.values())))
    first = present_ids(read_labels(annotations[0]))
    binary = is_binary([first])
    return Clip(
        name=name,
        size=size,
        frame_names=tuple(images),
        image_paths=tuple(images.values()) if photographed else (),
        annotation_paths={0: annotations[0]} if first_only else annotations,
        objects={1: 0} if binary else first_frames({0: first}),
        first_masks_only=first_only,
        binary=binary,
        label_size=other_size(annotations[0], size),
    )


def other_size(annotation: Path, size: Size) -> Size | None:
    """The size of a mask where it isn't that of the frames."""
    found = label_size(annotation)
    return None if found == size else found


def indexed_annotations(
    images: Mapping[str, Path], labels: Mapping[str, Path], folder: Path
) -> dict[int, Path]:
    """Annotation files by frame index; InputError for one that has no frame."""
    index = {name: t for t, name in enumerate(images)}
    stray = sorted(set(labels) - set(index))
    if stray:
        raise InputError(
            f"{folder / stray[0]}.png: an annotation without its frame "
            f"({len(stray)} of them): frames are missing"
        )
    return {index[name]: path for name, path in labels.items()}


def _factory(year: int, split: str, name: str, summary: str) -> DavisFactory:
    short = f"davis{year % 100}"
    spec = DatasetSpec(
        name=name,
        protocol=f"{short}-{split}@1",
        summary=summary,
        root_name=short if split != "test-dev" else f"{short}-test-dev",
        folders=(short, f"DAVIS{year % 100}", f"DAVIS{year}", f"DAVIS-{year}", "DAVIS"),
        markers=(f"ImageSets/{year}/{split}.txt",)
        + ((f"ImageSets/480p/{split}.txt",) if year == 2016 else ()),
    )
    return DavisFactory(spec, year, split)


DAVIS16_VAL = _factory(2016, "val", "davis16", "DAVIS 2016 val: 20 sequences, objects merged")
DAVIS16_TRAIN = _factory(2016, "train", "davis16-train", "DAVIS 2016 train: 30 sequences, merged")
DAVIS17_VAL = _factory(2017, "val", "davis17", "DAVIS 2017 val: 30 sequences, several objects")
DAVIS17_TRAIN = _factory(2017, "train", "davis17-train", "DAVIS 2017 train: 60 sequences")
DAVIS17_TEST_DEV = _factory(
    2017, "test-dev", "davis17-test-dev", "DAVIS 2017 test-dev: 30 sequences, scored by the server"
)
