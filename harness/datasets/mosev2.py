"""MOSEv2 and MOSE: crowded scenes whose objects leave, hide and come back.

Layout of a split: ``JPEGImages/NAME``, ``Annotations/NAME``, and for MOSEv2 ``meta.json``, which
says how many frames a sequence has and which ids count. The first version has neither a rule nor
public masks of its validation split but the first ones; where there are masks, sequences of it are
scored as own ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec, SplitFactory
from vosbench.harness.datasets.generic import only_first, scanned_clip
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.layout import (
    child,
    first_existing,
    listed_or_all,
    read_json,
    safe_name,
    split_folder,
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


def _open_v2(name: str, root: Path, split: str) -> Dataset:
    base = split_folder(root, split)
    meta = read_meta(first_existing([base / name for name in _META]))

    def build(sequence: str) -> Clip:
        return mosev2_clip(base, sequence, meta[sequence])

    return Dataset(name, MOSEV2, base, tuple(sorted(meta)), build)


def mosev2_clip(base: Path, name: str, meta: MetaSequence) -> Clip:
    """Build a clip; its objects are those of meta.json, each from the first mask that shows it.

    Raises:
        InputError: files that don't match, or another number of annotations than meta.json says:
            the official tool would compare masks of different frames.
    """
    files = sequence_files(base / "JPEGImages", base / "Annotations", name)
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
    return files.clip(
        objects,
        first_masks_only=first_masks_only,
        ungiven=meta.ids - set(objects),
        others_are_background=True,
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


def _open_v1(name: str, root: Path, split: str) -> Dataset:
    base = split_folder(root, split)
    images, annotations = base / "JPEGImages", base / "Annotations"

    def build(sequence: str) -> Clip:
        return scanned_clip(sequence, child(images, sequence), child(annotations, sequence))

    names = listed_or_all(None, images)
    return Dataset(name, OWN_CLIPS, base, names, build, OF_LAYOUTS)


def _spec(name: str, protocol: str, summary: str, markers: tuple[str, ...]) -> DatasetSpec:
    version = "v2" if "v2" in name else ""
    folders = (f"mose{version}", f"MOSE{version}", f"MOSE{version}_release")
    root_name = name.removesuffix("-train")
    return DatasetSpec(name, protocol, summary, root_name, folders, markers)


MOSEV2_VALID = SplitFactory(
    _spec(
        "mosev2",
        MOSEV2.name,
        "MOSEv2 valid: objects that leave and come back, by the ids of meta.json",
        tuple(f"{place}{name}" for name in _META[:2] for place in ("", "valid/")),
    ),
    "valid",
    _open_v2,
)
MOSEV2_TRAIN = SplitFactory(
    _spec(
        "mosev2-train",
        MOSEV2.name,
        "MOSEv2 train",
        tuple(f"{place}{name}" for name in _META[::2] for place in ("", "train/")),
    ),
    "train",
    _open_v2,
)
MOSE_VALID = SplitFactory(
    _spec(
        "mose",
        OWN_CLIPS.name,
        "MOSE valid: first masks only, scored where there are more",
        ("valid/JPEGImages", "JPEGImages"),
    ),
    "valid",
    _open_v1,
)
MOSE_TRAIN = SplitFactory(
    _spec("mose-train", OWN_CLIPS.name, "MOSE train", ("train/JPEGImages", "JPEGImages")),
    "train",
    _open_v1,
)
