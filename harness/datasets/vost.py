"""VOST: objects that are cut, melted and peeled; annotated at gaps, with void around them.

Layout of the root: ``ImageSets/SPLIT.txt``, ``JPEGImages/NAME``, ``Annotations/NAME``.
"""

from __future__ import annotations

from pathlib import Path

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec, SplitFactory
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.layout import read_list
from vosbench.harness.datasets.objects import first_frames, present_ids
from vosbench.harness.datasets.protocols import VOST
from vosbench.harness.datasets.sequence_files import sequence_files


def _open(name: str, root: Path, split: str) -> Dataset:
    names = read_list(root / "ImageSets" / f"{split}.txt")
    return Dataset(name, VOST, root, names, lambda sequence: vost_clip(root, sequence))


def vost_clip(root: Path, name: str) -> Clip:
    """Build a clip; its objects are those of the first annotation.

    Raises:
        InputError: frames and annotations don't match.
    """
    files = sequence_files(root / "JPEGImages", root / "Annotations", name)
    start = min(files.annotation_paths)
    objects = first_frames({start: present_ids(read_labels(files.annotation_paths[start]))})
    return files.clip(objects, first_masks_only=len(files.annotation_paths) == 1)


def _factory(split: str) -> SplitFactory:
    spec = DatasetSpec(
        name="vost" if split == "val" else f"vost-{split}",
        protocol=VOST.name,
        summary=f"VOST {split}: objects that change shape, J and J_tr",
        root_name="vost",
        folders=("vost", "VOST"),
        markers=(f"ImageSets/{split}.txt",),
    )
    return SplitFactory(spec, split, _open)


VOST_VAL = _factory("val")
VOST_TEST = _factory("test")
VOST_TRAIN = _factory("train")
