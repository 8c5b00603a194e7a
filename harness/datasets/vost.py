"""VOST: objects that are cut, melted and peeled; annotated at gaps, with void around them.

Layout of the root: ``ImageSets/SPLIT.txt``, ``JPEGImages/NAME``, ``Annotations/NAME``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.layout import read_list
from vosbench.harness.datasets.objects import first_frames, present_ids
from vosbench.harness.datasets.protocols import VOST
from vosbench.harness.datasets.sequence_files import sequence_files


@dataclass(frozen=True)
class VostFactory:
    """Opens one split."""

    spec: DatasetSpec
    split: str

    def __call__(self, root: Path | None, _argument: str | None, /) -> Dataset:
        """Open it from ``root``, a folder with JPEGImages, Annotations and ImageSets."""
        if root is None:
            raise TypeError("VOST is opened from a folder")
        names = read_list(root / "ImageSets" / f"{self.split}.txt")
        return Dataset(self.spec.name, VOST, root, names, lambda name: vost_clip(root, name))


def vost_clip(root: Path, name: str) -> Clip:
    """Build a clip; its objects are those of the first annotation.

    Raises:
        InputError: frames and annotations don't match.
    """
    files = sequence_files(root / "JPEGImages", root / "Annotations", name)
    size, label_size = files.sizes()
    start = min(files.annotation_paths)
    objects = first_frames({start: present_ids(read_labels(files.annotation_paths[start]))})
    return Clip(
        name=name,
        size=size,
        frame_names=files.frame_names,
        image_paths=files.image_paths,
        annotation_paths=files.annotation_paths,
        objects=objects,
        first_masks_only=len(files.annotation_paths) == 1,
        label_size=label_size,
    )


def _factory(split: str) -> VostFactory:
    spec = DatasetSpec(
        name="vost" if split == "val" else f"vost-{split}",
        protocol=VOST.name,
        summary=f"VOST {split}: objects that change shape, J and J_tr",
        root_name="vost",
        folders=("vost", "VOST"),
        markers=(f"ImageSets/{split}.txt",),
    )
    return VostFactory(spec, split)


VOST_VAL = _factory("val")
VOST_TEST = _factory("test")
VOST_TRAIN = _factory("train")
