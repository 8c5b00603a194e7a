"""LVOS, both versions: long sequences, annotated every fifth frame.

Layout of a split: ``JPEGImages/NAME``, ``Annotations/NAME`` and ``SPLIT_meta.json``, which gives
each object's range of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset, DatasetSpec, SplitFactory
from vosbench.harness.datasets.layout import read_json, read_list, safe_name, split_folder
from vosbench.harness.datasets.objects import ANY_ID, VOID
from vosbench.harness.datasets.protocols import LVOS
from vosbench.harness.datasets.sequence_files import SequenceFiles, sequence_files

STEP = 5
"""Every so many frames is annotated and may count."""

_UNSEEN = [
    "R3UJGYwy", "K3OUeINk", "058oeZ2p", "xpI7xRWN", "FiRTBMg2", "nfcT3owb", "JGG6MrhF",
    "yfzVCnvU", "6mNj04tC", "yWnanBID", "v3uNUctx", "49TNsJzk", "gw84JOqH", "711gAS21",
    "dtHbJvYy", "tAyQIobn", "vJ8W2TO5", "FmzvB44A", "8lxxCA5h", "N6CONZUW", "Oj1z5fO0",
    "gdqCcvs2", "LWVlKBlK", "yxCvN6OJ", "pMntJwSQ", "p9RjdKoh", "9NA8c5C3", "m37l7ti1",
    "nwflTTf1", "LY2zehlH", "beR0WT11", "afoR2rH6", "xQZlxhxV", "o36i3YWC", "cdzAjcuN",
    "IlvtT6D6", "YfoFnMgm", "FiQUhyRi", "9oLyy7aJ", "9RoNInYO", "wrrX6bxv", "q2HE4zaM",
    "rvwT3piq", "ZFqAoImI", "bwcKqVSN", "QE1wMR58", "eEcUJVBZ", "Qf9YVXOW", "SRRojucs",
    "PQfn7XV2", "3bvEjhOT",
]  # fmt: skip
"""Sequences of classes that training lacks, as the official tool lists them (51 of both versions);
a list ``unseen_videos.txt`` beside the meta file takes its place."""


@dataclass(frozen=True)
class Range:
    """An object's frames: numbers of the first and of the one where they end, and how many."""

    start: int
    end: int
    count: int

    @property
    def counted(self) -> tuple[int, ...]:
        """Numbers of the frames that count: all of its steps but the first and the last."""
        numbers = range(self.start, self.end, STEP)
        return tuple(n for place, n in enumerate(numbers) if 0 < place != self.count - 1)


def _open(name: str, root: Path, split: str) -> Dataset:
    base = split_folder(root, split)
    meta = read_meta(base / f"{split}_meta.json")
    listed = base / "unseen_videos.txt"
    unseen = frozenset(read_list(listed) if listed.exists() else _UNSEEN)

    def build(sequence: str) -> Clip:
        return lvos_clip(base, sequence, meta[sequence], unseen=sequence in unseen)

    return Dataset(name, LVOS, base, tuple(meta), build)


def lvos_clip(base: Path, name: str, ranges: Mapping[int, Range], *, unseen: bool) -> Clip:
    """Build a clip; its objects and the frames that count are those of the meta file.

    Raises:
        InputError: files that don't match, or a frame that counts without an annotation.
    """
    files = sequence_files(base / "JPEGImages", base / "Annotations", name)
    numbers = {_number(files, frame): t for t, frame in enumerate(files.frame_names)}
    missing = next((r.start for r in ranges.values() if r.start not in numbers), None)
    if missing is not None:
        raise InputError(f"{name}: frame {missing:08d} is missing, in which an object starts")
    starts = {i: numbers[r.start] for i, r in ranges.items()}
    first_masks_only = set(files.annotation_paths) <= set(starts.values())
    counted = {
        i: () if first_masks_only else tuple(_annotated(files, numbers, n) for n in r.counted)
        for i, r in ranges.items()
    }
    return files.clip(
        starts,
        unseen=frozenset(ranges if unseen else ()),
        first_masks_only=first_masks_only,
        others_are_background=True,
        ignored_ids=ANY_ID,
        counted=counted,
    )


def _number(files: SequenceFiles, frame: str) -> int:
    if not frame.isdecimal():
        raise InputError(f"{files.name}: frame {frame!r} is no number, as LVOS's frames are")
    return int(frame)


def _annotated(files: SequenceFiles, numbers: Mapping[int, int], number: int) -> int:
    t = numbers.get(number)
    if t is None or t not in files.annotation_paths:
        raise InputError(
            f"{files.name}: frame {number:08d} counts by the meta file, and has no annotation: "
            "fetch the sequence again"
        )
    return t


def read_meta(path: Path) -> Mapping[str, Mapping[int, Range]]:
    """Each sequence's ranges by object id, from ``SPLIT_meta.json``.

    Raises:
        InputError: a damaged file, ids outside 1..254, or a range whose number of frames is not
            that of its steps: the official tool would count frames that aren't there as 0.
    """
    videos = read_json(path).get("videos")
    if not isinstance(videos, dict) or not videos:
        raise InputError(f'{path}: holds no "videos": not a meta file of LVOS')
    return {safe_name(name, path): _ranges(path, name, video) for name, video in videos.items()}


def _ranges(path: Path, name: str, video: Any) -> Mapping[int, Range]:
    objects = video.get("objects") if isinstance(video, dict) else None
    if not isinstance(objects, dict) or not objects:
        raise InputError(f'{path}: {name} holds no "objects"')
    found: dict[int, Range] = {}
    for key, value in objects.items():
        where = f"{path}: object {key!r} of {name}"
        if not (key.isascii() and key.isdecimal() and 1 <= int(key) < VOID):
            raise InputError(f"{where}: an object's id is a number from 1 to {VOID - 1}")
        found[int(key)] = _range(where, value.get("frame_range") if value else None)
    return dict(sorted(found.items()))


def _range(where: str, value: Any) -> Range:
    texts = [str(value.get(n)) for n in ("start", "end", "frame_nums")] if value else []
    if not texts or not all(text.isascii() and text.isdecimal() for text in texts):
        raise InputError(f'{where}: its "frame_range" lacks "start", "end" or "frame_nums"')
    found = Range(*map(int, texts))
    steps = len(range(found.start, found.end, STEP))
    if found.count not in (steps, steps + 1) or steps < 2:
        raise InputError(
            f"{where}: {found.count} frames from {found.start} to {found.end}, which are {steps} "
            f"steps of {STEP}: correct its frame_nums"
        )
    return found


def _factory(name: str, split: str, version: str) -> SplitFactory:
    spec = DatasetSpec(
        name=name,
        protocol=LVOS.name,
        summary=f"LVOS {version} {split}: long sequences; J, F and V of seen and unseen classes",
        root_name=name,
        folders=(f"lvos-{version}", f"LVOS_{version.upper()}", f"LVOS{version}", "LVOS"),
        markers=(f"{split}_meta.json", f"{split}/{split}_meta.json"),
    )
    return SplitFactory(spec, split, _open)


LVOS_VALID = _factory("lvos", "valid", "v2")
LVOS_V1_VALID = _factory("lvos-v1", "valid", "v1")
