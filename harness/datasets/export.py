"""The zip that the YouTube-VOS server scores, written and then verified by reading it back."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.objects import present_ids
from vosbench.harness.datasets.palette import encode_labels

Prediction = tuple[Clip, int, NDArray[np.uint8]]
"""A clip, a frame's index, its label map uint8 (H, W)."""

# A fixed time, so that equal predictions make equal files; it is the earliest a zip can hold.
_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Exported:
    """What a submission holds: its file, its hash, and how many videos and frames."""

    path: Path
    sha256: str
    videos: int
    frames: int


def export_ytvos(clips: Iterable[Clip], predictions: Iterable[Prediction], path: Path) -> Exported:
    """Write ``path`` from the frames that the server wants; others in ``predictions`` are skipped.

    Entries are ``Annotations/VIDEO/FRAME.png``, palette PNGs. The file appears only when it has
    been read back and every label map was found as it was given.

    Raises:
        InputError: a frame that is wanted is missing or given twice, has another size than its
            clip, or holds ids that the clip's objects don't have.
    """
    wanted = {_entry(clip, t): clip for clip in clips for t in output_frames(clip)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        written = _write(temporary, wanted, predictions)
        missing = [entry for entry in wanted if entry not in written]
        if missing:
            raise InputError(
                f"no prediction for {missing[0]} ({len(missing)} of {len(wanted)} frames are "
                "missing): finish the run before exporting it"
            )
        verify_ytvos(temporary, written)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    return Exported(path, digest, len({clip.name for clip in wanted.values()}), len(written))


def output_frames(clip: Clip) -> tuple[int, ...]:
    """Indices of the frames that the server wants: those that meta.json lists for the video."""
    if clip.output_frames is not None:
        return clip.output_frames
    return tuple(range(len(clip)))


def verify_ytvos(path: Path, expected: Mapping[str, str]) -> None:
    """Read a submission back; ``expected`` holds the SHA-256 of every label map by entry.

    Raises:
        RuntimeError: what is read is not what was written.
    """
    with zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) != sorted(expected):
            raise RuntimeError(f"{path}: the archive's entries are not those that were written")
        for entry, digest in expected.items():
            with Image.open(io.BytesIO(archive.read(entry))) as image:
                labels = np.array(image)
                if image.mode != "P" or _digest(labels) != digest:
                    raise RuntimeError(f"{path}: {entry} is not the label map that was written")


def _write(
    path: Path, wanted: Mapping[str, Clip], predictions: Iterable[Prediction]
) -> dict[str, str]:
    written: dict[str, str] = {}
    # PNGs are compressed already.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for clip, t, labels in predictions:
            entry = _entry(clip, t)
            if entry not in wanted:
                continue
            if entry in written:
                raise InputError(f"{entry}: predicted twice: export one run at a time")
            _check(entry, clip, labels)
            archive.writestr(zipfile.ZipInfo(entry, _TIME), encode_labels(labels))
            written[entry] = _digest(labels)
    return written


def _check(entry: str, clip: Clip, labels: NDArray[np.uint8]) -> None:
    if labels.shape != clip.size:
        raise InputError(f"{entry}: a prediction of {labels.shape}, its frames are {clip.size}")
    unknown = present_ids(labels) - set(clip.objects)
    if unknown:
        raise InputError(f"{entry}: predicts object {min(unknown)}, which {clip.name} doesn't have")


def _entry(clip: Clip, t: int) -> str:
    return f"Annotations/{clip.name}/{clip.frame_names[t]}.png"


def _digest(labels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(labels.shape).encode() + labels.tobytes()).hexdigest()
