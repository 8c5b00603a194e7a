"""Archives that leaderboards' servers score, written and then verified by reading them back."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class ExportLayout:
    """How a server wants a submission.

    Attributes:
        folder: what its sequences lie in, "" for the root.
        by_object: a folder for each object of a sequence, a mask of 0 and 255 in each frame; else
            palette PNGs.
        frames: indices of the frames that it wants of a sequence.
    """

    folder: str = ""
    by_object: bool = False
    frames: Callable[[Clip], Sequence[int]] = lambda clip: range(len(clip))

    def entries(self, clip: Clip) -> Iterator[tuple[str, int, int]]:
        """Each file's name in the archive, with its frame and its object, 0 for all."""
        for t in self.frames(clip):
            name = f"{clip.frame_names[t]}.png"
            if not self.by_object:
                yield f"{self.folder}{clip.name}/{name}", t, 0
                continue
            for i in clip.objects:
                yield f"{self.folder}{clip.name}/{clip.object_names.get(i, f'{i:03}')}/{name}", t, i


def export_archive(
    layout: ExportLayout, clips: Iterable[Clip], predictions: Iterable[Prediction], path: Path
) -> Exported:
    """Write ``path`` from the frames that the server wants; others in ``predictions`` are skipped.

    The file appears only when it has been read back and every map was found as it was given.

    Raises:
        InputError: a frame that is wanted is missing or given twice, has another size than its
            clip, or holds ids that the clip's objects don't have.
    """
    clips = list(clips)
    wanted = {entry for clip in clips for entry, _, _ in layout.entries(clip)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        written = _write(layout, temporary, predictions)
        missing = sorted(wanted - {*written})
        if missing:
            raise InputError(
                f"no prediction for {missing[0]} ({len(missing)} of {len(wanted)} frames are "
                "missing): finish the run before exporting it"
            )
        verify(temporary, {entry: written[entry] for entry in wanted})
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    return Exported(path, digest, len(clips), len(written))


def output_frames(clip: Clip) -> tuple[int, ...]:
    """Indices of the frames that the server wants: those that meta.json lists for the video."""
    if clip.output_frames is not None:
        return clip.output_frames
    return tuple(range(len(clip)))


YTVOS = ExportLayout("Annotations/", frames=output_frames)
ALL_FRAMES = ExportLayout()
SAV = ExportLayout(by_object=True, frames=lambda clip: tuple(clip.annotation_paths))
LAYOUTS: Mapping[str, ExportLayout] = {
    "davis17-test-dev": ALL_FRAMES,
    "ytvos18-valid": YTVOS,
    "ytvos19-valid": YTVOS,
    "ytvos18-valid-all-frames": YTVOS,
    "ytvos19-valid-all-frames": YTVOS,
    "ytvos-layout": YTVOS,
    "mose": ALL_FRAMES,
    "mosev2": ALL_FRAMES,
    "lvos": ALL_FRAMES,
    "lvos-v1": ALL_FRAMES,
    "sav": SAV,
    "sav-test": SAV,
}
"""By dataset: what its server, or the official tool for its predictions, takes."""


def layout_of(dataset: str) -> ExportLayout:
    """The layout of a dataset's server; raises InputError for one without."""
    name = dataset.partition(":")[0]
    if name not in LAYOUTS:
        raise InputError(f"{name} has no server whose archive is known: {', '.join(LAYOUTS)} have")
    return LAYOUTS[name]


def verify(path: Path, expected: Mapping[str, str]) -> None:
    """Read a submission back; ``expected`` holds the SHA-256 of every map by entry.

    Raises:
        RuntimeError: what is read is not what was written.
    """
    with zipfile.ZipFile(path) as archive:
        if sorted(archive.namelist()) != sorted(expected):
            raise RuntimeError(f"{path}: the archive's entries are not those that were written")
        for entry, digest in expected.items():
            with Image.open(io.BytesIO(archive.read(entry))) as image:
                labels = np.array(image)
                if image.mode not in ("P", "L") or _digest(labels) != digest:
                    raise RuntimeError(f"{path}: {entry} is not the label map that was written")


def _write(layout: ExportLayout, path: Path, predictions: Iterable[Prediction]) -> dict[str, str]:
    written: dict[str, str] = {}
    wanted: dict[str, dict[int, list[tuple[str, int]]]] = {}
    # PNGs are compressed already.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for clip, t, labels in predictions:
            if clip.name not in wanted:
                wanted[clip.name] = {}
                for entry, frame, object_id in layout.entries(clip):
                    wanted[clip.name].setdefault(frame, []).append((entry, object_id))
            for entry, object_id in wanted[clip.name].get(t, ()):
                if entry in written:
                    raise InputError(f"{entry}: predicted twice: export one run at a time")
                _check(entry, clip, labels)
                plane = (labels == object_id).astype(np.uint8) * 255 if object_id else labels
                encoded = encode_mask(plane) if object_id else encode_labels(plane)
                archive.writestr(zipfile.ZipInfo(entry, _TIME), encoded)
                written[entry] = _digest(plane)
    return written


def _check(entry: str, clip: Clip, labels: NDArray[np.uint8]) -> None:
    if labels.shape != clip.size:
        raise InputError(f"{entry}: a prediction of {labels.shape}, its frames are {clip.size}")
    unknown = present_ids(labels) - set(clip.objects)
    if unknown:
        raise InputError(f"{entry}: predicts object {min(unknown)}, which {clip.name} doesn't have")


def encode_mask(plane: NDArray[np.uint8]) -> bytes:
    """A mask of 0 and 255, (H, W), as a grey PNG."""
    stream = io.BytesIO()
    Image.fromarray(plane, "L").save(stream, "PNG")
    return stream.getvalue()


def _digest(labels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(repr(labels.shape).encode() + labels.tobytes()).hexdigest()
