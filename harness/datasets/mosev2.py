"""MOSEv2 and MOSE: crowded scenes whose objects leave, hide and come back.

Layout of a split: ``JPEGImages/NAME``, ``Annotations/NAME``, and for MOSEv2 ``meta.json``, which
says how many frames a sequence has and which ids count. The first version has neither a rule nor
public masks of its validation split but the first ones; where there are masks, sequences of it are
scored as own ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.generic import only_first, scanned_clip
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.layout import (
    child,
    first_existing,
    read_json,
    safe_name,
    subfolders,
)
from vosbench.harness.datasets.objects import ANY_ID, VOID, first_frames, present_ids
from vosbench.harness.datasets.protocols import MOSEV2, OF_LAYOUTS, OWN_CLIPS
from vosbench.harness.datasets.sequence_files import sequence_files

_META = ("meta.json", "meta_valid.json", "meta_train.json")


@dataclass(frozen=True)
class MetaSequence:
    """What meta.json says of a sequence: its number of frames, and the ids that count."""

    length: int
    ids: frozenset[int]


@dataclass(frozen=True)
class Mosev2Factory:
    """Opens one split."""

    spec: DatasetSpec
    split: str

    def __call__(self, root: Path | None, _argument: str | None, /) -> Dataset:
        """Open it from ``root``, which holds the split or is it."""
        if root is None:
            raise TypeError("MOSEv2 is opened from a folder")
        base = root / self.split if (root / self.split).is_dir() else root
        meta = read_meta(first_existing([base / name for name in _META]))

        # Building reads every annotation of the clip, and a clip is asked for more than once.
        @lru_cache(maxsize=64)
        def build(name: str) -> Clip:
            return mosev2_clip(base, name, meta[name])

        return Dataset(self.spec.name, MOSEV2, base, tuple(sorted(meta)), build)


def mosev2_clip(base: Path, name: str, meta: MetaSequence) -> Clip:
    """Build a clip; its objects are those of meta.json, each from the first mask that shows it.

    Raises:
        InputError: files that don't match, or another number of annotations than meta.json says:
            the official tool would compare masks of different frames.
    """
    files = sequence_files(base / "JPEGImages", base / "Annotations", name)
    size, label_size = files.sizes()
    ids = {
        t: (present_ids(read_labels(path)) - {VOID}) & meta.ids
        for t, path in files.annotation_paths.items()
    }
    objects = first_frames(ids)
    first_masks_only = only_first(ids, objects) and len(ids) < meta.length
    frames = len(files.frame_names) if first_masks_only else len(files.annotation_paths)
    if frames != meta.length:
        raise InputError(
            f"{child(base / 'Annotations', name)}: {frames} frames, where the meta file says "
            f"{meta.length}: fetch the sequence again"
        )
    return Clip(
        name=name,
        size=size,
        frame_names=files.frame_names,
        image_paths=files.image_paths,
        annotation_paths=files.annotation_paths,
        objects=objects,
        first_masks_only=first_masks_only,
        ungiven=meta.ids - set(objects),
        others_are_background=True,
        label_size=label_size,
        ignored_ids=ANY_ID,
        counts_early=True,
    )


def read_meta(path: Path) -> Mapping[str, MetaSequence]:
    """Read meta.json; InputError if it is damaged or has ids outside 1..254."""
    videos = read_json(path).get("videos")
    if not isinstance(videos, dict) or not videos:
        raise InputError(f'{path}: holds no "videos": not a meta.json of MOSEv2')
    return {safe_name(name, path): _sequence(path, name, video) for name, video in videos.items()}


def _sequence(path: Path, name: str, video: Any) -> MetaSequence:
    length = video.get("length") if isinstance(video, dict) else None
    if not isinstance(length, int) or isinstance(length, bool) or length < 1:
        raise InputError(f'{path}: {name} has no "length", its number of frames')
    objects = video.get("objects")
    named = list(objects) if isinstance(objects, list | dict) else []
    ids = [int(i) for i in named if isinstance(i, int | str) and str(i).isdecimal()]
    if not ids or len(ids) < len(named) or not all(1 <= i < VOID for i in ids):
        raise InputError(f'{path}: {name} has no "objects", ids from 1 to {VOID - 1}')
    return MetaSequence(length, frozenset(ids))


@dataclass(frozen=True)
class MoseFactory:
    """Opens one split of the first version."""

    spec: DatasetSpec
    split: str

    def __call__(self, root: Path | None, _argument: str | None, /) -> Dataset:
        """Open it from ``root``, which holds the split or is it."""
        if root is None:
            raise TypeError("MOSE is opened from a folder")
        base = root / self.split if (root / self.split).is_dir() else root
        images, annotations = base / "JPEGImages", base / "Annotations"

        @lru_cache(maxsize=64)
        def build(name: str) -> Clip:
            return scanned_clip(name, child(images, name), child(annotations, name))

        names = subfolders(images)
        if not names:
            raise InputError(f"{images}: no sequences: is the data root the right one?")
        return Dataset(self.spec.name, OWN_CLIPS, base, names, build, OF_LAYOUTS)


def _spec(name: str, protocol: str, summary: str, markers: tuple[str, ...]) -> DatasetSpec:
    version = "v2" if "v2" in name else ""
    folders = (f"mose{version}", f"MOSE{version}", f"MOSE{version}_release")
    root_name = name.removesuffix("-train")
    return DatasetSpec(name, protocol, summary, root_name, folders, markers)


MOSEV2_VALID = Mosev2Factory(
    _spec(
        "mosev2",
        MOSEV2.name,
        "MOSEv2 valid: objects that leave and come back, by the ids of meta.json",
        tuple(f"{place}{name}" for name in _META[:2] for place in ("", "valid/")),
    ),
    "valid",
)
MOSEV2_TRAIN = Mosev2Factory(
    _spec(
        "mosev2-train",
        MOSEV2.name,
        "MOSEv2 train",
        tuple(f"{place}{name}" for name in _META[::2] for place in ("", "train/")),
    ),
    "train",
)
MOSE_VALID = MoseFactory(
    _spec(
        "mose",
        OWN_CLIPS.name,
        "MOSE valid: first masks only, scored where there are more",
        ("valid/JPEGImages", "JPEGImages"),
    ),
    "valid",
)
MOSE_TRAIN = MoseFactory(
    _spec("mose-train", OWN_CLIPS.name, "MOSE train", ("train/JPEGImages", "JPEGImages")), "train"
)
