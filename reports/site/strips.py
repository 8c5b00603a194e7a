"""Overlay strips of clips: predicted masks over their frames, a file a picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection, series
from vosbench.reports.overlay import Pixels, overlay, resized
from vosbench.reports.site.footage import Footage, FootageOf, RunClip
from vosbench.reports.site.script import float_list
from vosbench.reports.site.timelines import PATH_NAMES
from vosbench.reports.style import PATH_COLOURS

FRAMES = 6
"""So many frames of a clip are shown, evenly spaced, the last one among them."""
_HEIGHT_PX = 200
_QUALITY = 84
_FOLDER = "strips"


@dataclass(frozen=True)
class StripRun:
    """A run whose label maps of the clip are stored."""

    key: str
    clip: RunClip


def draw_strips(
    source: Readable, runs: Sequence[StripRun], footage_of: FootageOf, folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write the pictures of one clip below ``folder``; returns strips and what is to be said.

    A strip is ``{"key": …, "tiles": [{"frame", "file", "path", "p_gate"}]}``; that of the
    annotation has None for its key and comes before the first run with the same frames. ``path``
    and ``p_gate`` have a value per object. Without frames the masks lie on grey, and a remark
    says why.
    """
    strips: list[dict[str, Any]] = []
    remarks: dict[str, None] = {}
    annotated: set[tuple[str, tuple[int, ...]]] = set()
    for run in runs:
        where, only = Selection(keys=[run.key]), (run.clip.sequence,)
        place = (run.key, run.clip.sequence)
        found = {
            name: series(source, name, where, sequences=only).get(place)
            for name in ("labels", "path", "p_gate")
        }
        if found["labels"] is None:
            continue
        frames = spread(len(found["labels"]), FRAMES)
        footage, images = _images(run.clip, frames, footage_of, remarks)
        shown = (run.clip.manifest_sha256, frames)
        if footage is not None and shown not in annotated:
            annotated.add(shown)
            strips += _annotation(footage, run.clip, frames, folder, remarks)
        tiles = list(_tiles(run, found, images, folder))
        strips.append({"key": run.key, "tiles": tiles})
    return strips, list(remarks)


def spread(length: int, count: int) -> tuple[int, ...]:
    """``count`` frames of 1 … length - 1, evenly spaced; the first frame is given, not found."""
    if length < 2:
        return (0,)
    places = np.linspace(1, length - 1, min(count, length - 1))
    return tuple(int(place) for place in np.rint(places))


def _images(
    clip: RunClip, frames: Sequence[int], footage_of: FootageOf, remarks: dict[str, None]
) -> tuple[Footage | None, dict[int, Pixels | None]]:
    """Frames by index; all None, with a remark, where they can't be had."""
    try:
        footage = footage_of(clip)
        return footage, {t: footage.image(t) for t in frames}
    except InputError as error:
        remarks[f"masks without their frames: {error}"] = None
        return None, dict.fromkeys(frames)


def _annotation(
    footage: Footage,
    clip: RunClip,
    frames: Sequence[int],
    folder: Path,
    remarks: dict[str, None],
) -> Iterator[dict[str, Any]]:
    tiles = []
    stem = _stem(f"{clip.manifest_sha256}{clip.sequence}")
    try:
        for t in frames:
            truth = footage.annotation(t)
            if truth is not None:
                file = _save(overlay(footage.image(t), truth), folder, f"{stem}-{t}")
                tiles.append({"frame": t, "file": file, "path": [], "p_gate": []})
    except InputError as error:
        remarks[f"annotation not shown: {error}"] = None
        return
    if tiles:
        yield {"key": None, "tiles": tiles}


def _tiles(
    run: StripRun,
    found: Mapping[str, NDArray[np.generic] | None],
    images: Mapping[int, Pixels | None],
    folder: Path,
) -> Iterator[dict[str, Any]]:
    labels, paths, p_gate = found["labels"], found["path"], found["p_gate"]
    assert labels is not None, "only runs with label maps are drawn"
    for t in images:
        taken = [] if paths is None else [PATH_NAMES[int(code)] for code in paths[t]]
        picture = overlay(images[t], labels[t].astype(np.uint8), _border(taken))
        file = _save(picture, folder, f"{_stem(run.key + run.clip.sequence)}-{t}")
        said = [] if p_gate is None else float_list(np.round(p_gate[t].astype(float), 3))
        yield {"frame": t, "file": file, "path": taken, "p_gate": said}


def _border(taken: Sequence[str]) -> str | None:
    kinds = set(taken) - {"absent"}
    if not kinds:
        return None
    return PATH_COLOURS[kinds.pop() if len(kinds) == 1 else "mixed"]


def _stem(text: str) -> str:
    """A file's name that no clip's name can lead out of its folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _save(picture: Pixels, folder: Path, name: str) -> str:
    """The file's address as the page has it."""
    file = folder / _FOLDER / f"{name}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    small = resized(picture, _HEIGHT_PX) if picture.shape[0] > _HEIGHT_PX else picture
    Image.fromarray(small).save(file, quality=_QUALITY)
    return f"{_FOLDER}/{file.name}"
