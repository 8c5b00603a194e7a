"""YouTube-VOS 2018 and 2019: splits with meta.json, annotations on every fifth frame.

Layout of the root: ``train/`` and ``valid/``, each with JPEGImages, Annotations and meta.json.
All frames of a split lie in ``SPLIT_all_frames/JPEGImages``, in
``SPLIT_all_frames/SPLIT/JPEGImages`` or in ``all_frames/SPLIT_all_frames/JPEGImages``. An archive
unpacked into a folder of its own name (``train/train/``) is found too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec
from vosbench.harness.datasets.davis import indexed_annotations, other_size
from vosbench.harness.datasets.decode import IMAGE_SUFFIXES, image_size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, read_labels
from vosbench.harness.datasets.layout import child, first_existing, frame_files, read_list
from vosbench.harness.datasets.objects import present_ids
from vosbench.harness.datasets.protocols import YTVOS, named
from vosbench.harness.datasets.ytvos_meta import Meta, MetaObject, categories, read_meta


@dataclass(frozen=True)
class Split:
    """Folders and objects of one split.

    Attributes:
        images, annotations: folders that hold one folder a video.
        meta: objects by video.
        training_classes: categories that were trained on; None if unknown.
        first_masks_only: annotations are public only where an object starts.
    """

    images: Path
    annotations: Path
    meta: Meta
    training_classes: frozenset[str] | None
    first_masks_only: bool

    def build(self, name: str) -> Clip:
        """Build a video's clip; InputError if its frames, annotations or ids don't match."""
        images = frame_files(child(self.images, name), IMAGE_SUFFIXES)
        folder = child(self.annotations, name)
        annotations = indexed_annotations(images, frame_files(folder, LABEL_SUFFIXES), folder)
        if not images:
            raise InputError(f"{self.images / name}: no frames")
        index = {frame: t for t, frame in enumerate(images)}
        items = self.meta[name]
        wanted = {frame for item in items for frame in item.frames}
        outputs = tuple(sorted(index[frame] for frame in wanted if frame in index))
        size = image_size(next(iter(images.values())))
        return Clip(
            name=name,
            size=size,
            frame_names=tuple(images),
            image_paths=tuple(images.values()),
            annotation_paths=annotations,
            objects={item.id: self._first(name, item, index) for item in items},
            classes={item.id: item.category for item in items if item.category},
            unseen=self._unseen(items),
            output_frames=outputs,
            first_masks_only=self.first_masks_only,
            label_size=other_size(next(iter(annotations.values())), size) if annotations else None,
        )

    def audit(self, clip: Clip) -> Iterable[str]:
        """What meta.json says that the files don't show, one line each."""
        found: dict[str, set[int]] = {
            clip.frame_names[t]: present_ids(read_labels(path))
            for t, path in clip.annotation_paths.items()
        }
        for item in self.meta[clip.name]:
            gone = [frame for frame in item.frames if frame not in clip.frame_names]
            if gone:
                yield f"object {item.id}: meta.json names frame {gone[0]}, which has no file"
            if not any(item.id in ids for ids in found.values()):
                yield f"object {item.id} of meta.json is in no annotation"
            early = [
                frame
                for frame, ids in found.items()
                if item.id in ids
                and clip.frame_names.index(frame) < clip.objects.get(item.id, len(clip))
            ]
            if early:
                yield f"object {item.id} is in annotation {early[0]}, before its first frame"

    def _first(self, video: str, item: MetaObject, index: Mapping[str, int]) -> int:
        # meta.json lists an object's frames in order; a missing one must not move its start.
        first = item.frames[0]
        if first not in index:
            raise InputError(
                f"{self.images / video}: frame {first} is missing, in which object {item.id} "
                "starts: fetch the sequence again"
            )
        return index[first]

    def _unseen(self, items: tuple[MetaObject, ...]) -> frozenset[int] | None:
        seen = self.training_classes
        if seen is None or not all(item.category for item in items):
            return None
        return frozenset(item.id for item in items if item.category not in seen)


@dataclass(frozen=True)
class YtvosFactory:
    """Opens one split of one year.

    Attributes:
        spec: what it is.
        split: "train", "valid" or "heldout" (the videos of train in a list file).
        all_frames: every frame of the video, not only the annotated ones.
    """

    spec: DatasetSpec
    split: str
    all_frames: bool

    def __call__(self, root: Path | None, argument: str | None, /) -> Dataset:
        """Open it from ``root``; ``argument``: list file of the held-out videos of train.

        The list is ``ImageSets/heldout.txt`` of the root unless it is named.
        """
        if root is None:
            raise TypeError("YouTube-VOS is opened from a folder")
        folder = "valid" if self.split == "valid" else "train"
        place = first_existing((root / folder / "meta.json", root / folder / folder / "meta.json"))
        place = place.parent
        meta_path = place / "meta.json"
        meta = read_meta(meta_path)
        names = tuple(sorted(meta))
        held_out: tuple[str, ...] = ()
        if self.split == "heldout":
            list_path = Path(argument) if argument else root / "ImageSets" / "heldout.txt"
            names = held_out = read_list(list_path)
            absent = [name for name in names if name not in meta]
            if absent:
                raise InputError(f"{list_path}: {absent[0]} is not a video of {meta_path}")
        split = Split(
            images=self._images(root, place),
            annotations=place / "Annotations",
            meta=meta,
            training_classes=_training_classes(root, held_out),
            first_masks_only=folder == "valid",
        )
        return Dataset(
            name=self.spec.name if argument is None else f"{self.spec.name}:{argument}",
            protocol=named(YTVOS, self.spec.protocol),
            root=root,
            sequences=names,
            build=split.build,
            unscorable=None if folder == "train" else _unscorable(self.spec.name),
            audit=split.audit,
        )

    def _images(self, root: Path, place: Path) -> Path:
        if not self.all_frames:
            return place / "JPEGImages"
        folder = place.name
        every = f"{folder}_all_frames"
        return first_existing(
            (
                root / every / "JPEGImages",
                root / every / folder / "JPEGImages",
                root / every / every / "JPEGImages",
                root / "all_frames" / every / "JPEGImages",
            )
        )


def _training_classes(root: Path, held_out: tuple[str, ...]) -> frozenset[str] | None:
    """Categories of train without the held-out videos; else those of training_classes.txt."""
    for train in (root / "train" / "meta.json", root / "train" / "train" / "meta.json"):
        if train.exists():
            return categories(read_meta(train), but=held_out)
    listed = root / "training_classes.txt"
    return frozenset(read_list(listed)) if listed.exists() else None


def _unscorable(name: str) -> str:
    return (
        f"{name}: its annotations are not public (first frames only): make the server's zip with "
        "`vosbench export --ytvos RUN`, or score a held-out part of train"
    )


def _factory(year: int, split: str, all_frames: bool = False) -> YtvosFactory:
    short = f"ytvos{year % 100}"
    folder = "valid" if split == "valid" else "train"
    what = {
        "train": "train, annotated every fifth frame",
        "valid": "valid, scored by the server",
        "heldout": "videos of train in a list, scored here",
    }[split]
    spec = DatasetSpec(
        name=f"{short}-{split}" + ("-all-frames" if all_frames else ""),
        protocol=f"{short}-{split}" + ("-all-frames" if all_frames else "") + "@1",
        summary=f"YouTube-VOS {year} {what}" + (", every frame read" if all_frames else ""),
        root_name=short,
        folders=(short, f"YouTube{year}", f"YouTube-VOS-{year}", f"YouTubeVOS{year}")
        + (("YouTube",) if year == 2019 else ()),
        markers=(f"{folder}/meta.json", f"{folder}/{folder}/meta.json"),
        argument="LIST" if split == "heldout" else "",
    )
    return YtvosFactory(spec, split, all_frames)


YTVOS18_TRAIN = _factory(2018, "train")
YTVOS18_TRAIN_ALL = _factory(2018, "train", all_frames=True)
YTVOS18_VALID = _factory(2018, "valid")
YTVOS18_VALID_ALL = _factory(2018, "valid", all_frames=True)
YTVOS18_HELDOUT = _factory(2018, "heldout")
YTVOS18_HELDOUT_ALL = _factory(2018, "heldout", all_frames=True)
YTVOS19_TRAIN = _factory(2019, "train")
YTVOS19_TRAIN_ALL = _factory(2019, "train", all_frames=True)
YTVOS19_VALID = _factory(2019, "valid")
YTVOS19_VALID_ALL = _factory(2019, "valid", all_frames=True)
YTVOS19_HELDOUT = _factory(2019, "heldout")
YTVOS19_HELDOUT_ALL = _factory(2019, "heldout", all_frames=True)
