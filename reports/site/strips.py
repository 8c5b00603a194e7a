"""Frames and masks of sequences: a picture a frame, and the label maps of each run as data.

The pages lay masks over frames by themselves, so that a frame is written once for all its runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection, series
from vosbench.reports.overlay import Pixels
from vosbench.reports.site.footage import Footage, FootageOf, RunClip
from vosbench.reports.site.script import compressed, write_script
from vosbench.reports.site.timelines import PATH_NAMES

MOST_FRAMES = 60
"""So many frames of a sequence are shown at most, evenly spaced, the last one among them."""
_HEIGHT_PX = 240
_QUALITY = 80


@dataclass(frozen=True)
class StripRun:
    """A run whose label maps of the sequence are stored; ``row`` is its place among the runs."""

    row: int
    key: str
    clip: RunClip


@dataclass(frozen=True)
class Strips:
    """What was written for one sequence.

    Attributes:
        sets: of runs that show the same frames, as the page has them.
        remarks: what is to be said.
        size: of all files, in bytes.
    """

    sets: list[dict[str, Any]]
    remarks: list[str]
    size: int


def draw_strips(
    source: Readable,
    runs: Sequence[StripRun],
    footage_of: FootageOf,
    folder: Path,
    number: int,
    *,
    most_frames: int = MOST_FRAMES,
) -> Strips:
    """Write the frames and masks of sequence ``number`` below ``folder``.

    A set is ``{"frames", "size", "image", "annotation", "runs", "cut"}``: indices of frames,
    their height and width, the start of their pictures' addresses or None, the name of the
    annotation's data or None, the runs' rows, and after how many frames they were cut. The masks of
    run R are ``data/masks/{number}-R``: ``labels`` (frames, height, width) and, of each frame and
    object, its ``paths`` and ``p_gate``. Without frames a remark says why.
    """
    sets: dict[tuple[str, int | None, int], dict[str, Any]] = {}
    remarks: dict[str, None] = {}
    written = 0
    for run in runs:
        place = (run.key, run.clip.sequence)
        where, only = Selection(keys=[run.key]), (run.clip.sequence,)
        labels = series(source, "labels", where, sequences=only).get(place)
        if labels is None:
            continue
        frames = spread(len(labels), most_frames)
        small = _small(labels[list(frames)].astype(np.uint8))
        shown = (run.clip.manifest_sha256, run.clip.max_frames, len(labels))
        if shown not in sets:
            made = _Pictures(run.clip, frames, small.shape[1:], folder, remarks)
            sets[shown], size = made.write(footage_of, f"{number}-annotation-{len(sets)}")
            written += size
        sets[shown]["runs"].append(run.row)
        told = {
            name: series(source, name, where, sequences=only).get(place)
            for name in ("path", "p_gate")
        }
        written += write_script(
            folder, f"data/masks/{number}-{run.row}", _masks(small) | _told(told, frames)
        )
    return Strips(list(sets.values()), list(remarks), written)


def spread(length: int, count: int) -> tuple[int, ...]:
    """At most ``count`` of ``length`` frames, evenly spaced, first and last among them."""
    places = np.linspace(0, length - 1, max(1, min(count, length)))
    return tuple(int(place) for place in np.rint(places))


class _Pictures:
    """The frames of a set, and their annotation."""

    def __init__(
        self,
        clip: RunClip,
        frames: tuple[int, ...],
        size: tuple[int, ...],
        folder: Path,
        remarks: dict[str, None],
    ) -> None:
        self._clip, self._frames, self._size = clip, frames, size
        self._folder, self._remarks = folder, remarks

    def write(self, footage_of: FootageOf, annotation: str) -> tuple[dict[str, Any], int]:
        """The set without its runs, and the size of what was written."""
        shown: dict[str, Any] = {
            "frames": list(self._frames), "size": list(self._size), "cut": self._clip.max_frames,
            "image": None, "annotation": None, "runs": [],
        }  # fmt: skip
        try:
            footage = footage_of(self._clip)
            shown["image"], size = self._images(footage)
        except InputError as error:
            self._remarks[f"masks without their frames: {error}"] = None
            return shown, 0
        try:
            truth = [footage.annotation(t) for t in self._frames]
        except InputError as error:
            self._remarks[f"annotation not shown: {error}"] = None
            return shown, size
        if any(one is not None for one in truth):
            shown["annotation"] = f"data/masks/{annotation}"
            size += write_script(self._folder, shown["annotation"], self._annotated(truth))
        return shown, size

    def _images(self, footage: Footage) -> tuple[str, int]:
        # A hash, as no sequence's name may lead out of the folder.
        text = f"{self._clip.manifest_sha256}{self._clip.sequence}{self._frames}"
        stem = f"frames/{hashlib.sha256(text.encode()).hexdigest()[:16]}-"
        (self._folder / "frames").mkdir(exist_ok=True)
        height, width = self._size
        written = 0
        for t in self._frames:
            file = self._folder / f"{stem}{t}.jpg"
            picture = cv2.resize(footage.image(t), (width, height), interpolation=cv2.INTER_AREA)
            Image.fromarray(np.asarray(picture, dtype=np.uint8)).save(file, quality=_QUALITY)
            written += file.stat().st_size
        return stem, written

    def _annotated(self, truth: Sequence[Pixels | None]) -> dict[str, Any]:
        blank = np.zeros(self._size, dtype=np.uint8)
        height, width = self._size
        masks = [
            blank if one is None
            else cv2.resize(one, (width, height), interpolation=cv2.INTER_NEAREST)
            for one in truth
        ]  # fmt: skip
        known = [place for place, one in enumerate(truth) if one is not None]
        return _masks(np.stack(masks)) | {"known": known}


def _small(labels: Pixels) -> Pixels:
    """Label maps (T, H, W) brought to a height that pages show."""
    count, height, width = labels.shape
    if height <= _HEIGHT_PX:
        return labels
    size = (max(1, round(width * _HEIGHT_PX / height)), _HEIGHT_PX)
    small = [cv2.resize(labels[t], size, interpolation=cv2.INTER_NEAREST) for t in range(count)]
    return np.stack(small).astype(np.uint8)


def _masks(labels: Pixels) -> dict[str, Any]:
    return {"labels": compressed(np.ascontiguousarray(labels).tobytes())}


def _told(told: Mapping[str, NDArray[np.generic] | None], frames: Sequence[int]) -> dict[str, Any]:
    """What was done and said in each frame, a value per object."""
    paths, p_gate = told["path"], told["p_gate"]
    found: dict[str, Any] = {"paths": [[] for _ in frames], "p_gate": [[] for _ in frames]}
    if paths is not None:
        found["paths"] = [[PATH_NAMES[int(code)] for code in paths[t]] for t in frames]
    if p_gate is not None:
        found["p_gate"] = [
            [None if np.isnan(p) else round(float(p), 3) for p in p_gate[t].astype(float)]
            for t in frames
        ]
    return found
