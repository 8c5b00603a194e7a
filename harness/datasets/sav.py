"""SA-V: a folder of binary masks for each object, which may overlap; annotated at 6 of 24 fps.

Layout of a split: ``SPLIT.txt``, ``JPEGImages_24fps/NAME``, ``Annotations_6fps/NAME/OBJECT``. A
sequence whose annotation folder holds PNGs alone has label maps, as in DAVIS; ``JPEGImages`` and
``Annotations`` are then the folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec, SplitFactory
from vosbench.harness.datasets.decode import IMAGE_SUFFIXES, image_size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, label_size, read_labels
from vosbench.harness.datasets.layout import (
    child,
    entries,
    frame_files,
    listed_or_all,
    natural,
    split_folder,
)
from vosbench.harness.datasets.objects import ANY_ID, VOID, first_frames, present_ids
from vosbench.harness.datasets.overlap import read_mask
from vosbench.harness.datasets.protocols import SAV
from vosbench.harness.datasets.sequence_files import sequence_files

_IMAGES = ("JPEGImages_24fps", "JPEGImages")
_ANNOTATIONS = ("Annotations_6fps", "Annotations")


def _open(name: str, root: Path, split: str) -> Dataset:
    base = split_folder(root, split)
    images, annotations = (
        next((base / folder for folder in folders if (base / folder).is_dir()), base / folders[0])
        for folders in (_IMAGES, _ANNOTATIONS)
    )

    def build(sequence: str) -> Clip:
        return sav_clip(images, annotations, sequence)

    return Dataset(name, SAV, base, listed_or_all(base / f"{split}.txt", annotations), build)


def sav_clip(images: Path, annotations: Path, name: str) -> Clip:
    """Build a clip, of objects with a folder each or of label maps.

    Raises:
        InputError: files that don't match, an object that no frame that counts shows, or 255 in a
            label map, which the official tool takes for an object.
    """
    inside = entries(child(annotations, name))
    folders = {key: path for key, path in inside.items() if path.is_dir()}
    clip = _of_objects(images, name, folders) if folders else _labelled(images, annotations, name)
    return replace(clip, ignored_ids=ANY_ID, counts_early=True)


def _of_objects(images: Path, name: str, folders: Mapping[str, Path]) -> Clip:
    """Masks by object: ids are the places of the folders, from 1."""
    masks = {key: frame_files(folder, LABEL_SUFFIXES) for key, folder in folders.items()}
    empty = next((folders[key] for key, files in masks.items() if not files), None)
    if empty is not None or len(folders) >= VOID:
        raise InputError(
            f"{empty}: no mask (.png)" if empty else f"{name}: {len(folders)} objects, at most 254"
        )
    photographed = images.is_dir()
    annotated = sorted({frame for files in masks.values() for frame in files}, key=natural)
    frames = frame_files(child(images, name), IMAGE_SUFFIXES) if photographed else {}
    names = tuple(frames) or tuple(annotated)
    index = {frame: t for t, frame in enumerate(names)}
    stray = [frame for frame in annotated if frame not in index]
    if stray:
        raise InputError(f"{name}: mask {stray[0]}.png is without its frame: frames are missing")
    labels = label_size(next(iter(next(iter(masks.values())).values())))
    size = image_size(next(iter(frames.values()))) if frames else labels
    paths: dict[int, dict[int, Path]] = {}
    objects, counted = {}, {}
    for object_id, (key, files) in enumerate(masks.items(), start=1):
        shown = [index[frame] for frame, path in files.items() if read_mask(path, labels).any()]
        counted[object_id] = tuple(index[frame] for frame in list(files)[1:-1])
        if not set(shown) & set(counted[object_id]):
            raise InputError(
                f"{folders[key]}: no frame that counts shows the object: the official evaluation "
                "stops there; leave the sequence out"
            )
        objects[object_id] = shown[0]
        for frame, path in files.items():
            paths.setdefault(index[frame], {})[object_id] = path
    return Clip(
        name=name,
        size=size,
        frame_names=names,
        image_paths=tuple(frames.values()),
        annotation_paths={t: next(iter(paths[t].values())) for t in sorted(paths)},
        objects=objects,
        label_size=None if labels == size else labels,
        counted=counted,
        mask_paths={t: paths[t] for t in sorted(paths)},
        object_names=dict(enumerate(masks, start=1)),
    )


def _labelled(images: Path, annotations: Path, name: str) -> Clip:
    """Label maps: the objects are the ids that a frame that counts shows."""
    files = sequence_files(images, annotations, name)
    ids = {t: present_ids(read_labels(path)) for t, path in sorted(files.annotation_paths.items())}
    void = next((t for t, present in ids.items() if VOID in present), None)
    if void is not None:
        raise InputError(
            f"{files.annotation_paths[void]}: holds {VOID}, which is void elsewhere and an object "
            "for SA-V's evaluation: give the object another id, or make void 0"
        )
    between = sorted(ids)[1:-1]
    objects = first_frames(ids)
    counted = {i: tuple(between) if any(i in ids[t] for t in between) else () for i in objects}
    return files.clip(objects, counted=counted)


def _factory(split: str) -> SplitFactory:
    name = "sav" if split == "val" else f"sav-{split}"
    folder = f"sav_{split}"
    spec = DatasetSpec(
        name=name,
        protocol=SAV.name,
        summary=f"SA-V {split}: objects that may overlap, annotated at 6 of 24 frames a second",
        root_name=name,
        folders=("sav", "SA-V", "sa-v", folder),
        markers=(f"{folder}.txt", f"{folder}/{folder}.txt", *_ANNOTATIONS),
    )
    return SplitFactory(spec, folder, _open)


SAV_VAL = _factory("val")
SAV_TEST = _factory("test")
