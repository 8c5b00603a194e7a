"""Folders of predicted masks, as ``eval`` and ``masks:`` read them.

They hold ``<sequence>/<frame>.png``, or ``<sequence>/<object>/<frame>.png`` where objects may
overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, read_labels
from vosbench.harness.datasets.layout import child, entries, frame_files
from vosbench.harness.datasets.overlap import Masks, read_overlapping

Files = Path | Mapping[int, Path]
"""The predictions of one frame: one label map, or a mask for each object."""


def prediction_files(folder: Path, sequence: str, frames: Sequence[str]) -> dict[str, Path]:
    """The prediction of each of the ``frames``, by their names, which are without suffix.

    All must be there before anything is computed; what else the folder holds doesn't matter.

    Raises:
        InputError: the sequence has no folder, or a frame has no file.
    """
    place = child(folder, sequence)
    if not place.is_dir():
        raise InputError(
            f"{place}: no such folder: the results need one for every sequence, with a PNG a frame"
        )
    present = frame_files(place, LABEL_SUFFIXES)
    missing = [name for name in frames if name not in present]
    if missing:
        raise InputError(
            f"{place} lacks {len(missing)} of {len(frames)} frames to score, first "
            f"{missing[0]}.png: predict every frame"
        )
    return {name: present[name] for name in frames}


def object_prediction_files(
    folder: Path, sequence: str, names: Mapping[int, str], wanted: Mapping[int, Collection[str]]
) -> dict[str, dict[int, Path]]:
    """Predictions with a folder for each object, ``<sequence>/<object>/<frame>.png``.

    Args:
        names: the objects' folders, by id.
        wanted: the frames that must be there, by object id; others may be.

    Returns:
        By frame name and object id, all that are there.

    Raises:
        InputError: an object has no folder, or a wanted frame has no file.
    """
    found: dict[str, dict[int, Path]] = {}
    for object_id, name in names.items():
        frames = wanted.get(object_id, ())
        place = child(child(folder, sequence), name)
        if not place.is_dir() and not frames:
            continue
        if not place.is_dir():
            raise InputError(
                f"{place}: no such folder: the results need one for every object of every "
                "sequence, with a PNG a frame"
            )
        present = frame_files(place, LABEL_SUFFIXES)
        missing = [frame for frame in frames if frame not in present]
        if missing:
            raise InputError(
                f"{place} lacks {len(missing)} of {len(frames)} frames to score, first "
                f"{missing[0]}.png: predict every frame"
            )
        for frame, path in present.items():
            found.setdefault(frame, {})[object_id] = path
    return found


def read_prediction(files: Files, size: Size) -> Masks:
    """What is predicted in a frame, from its file or from those of its objects."""
    return read_labels(files) if isinstance(files, Path) else read_overlapping(files, size)


def all_predictions(folder: Path) -> Iterator[tuple[str, Path]]:
    """All predictions of a folder by name, ``<sequence>/[<object>/]<frame>.png``, sorted."""
    for sequence, place in sorted(entries(folder).items()):
        if place.is_dir():
            for path in sorted(frame_files(place, LABEL_SUFFIXES).values()):
                yield f"{sequence}/{path.name}", path
            for name, inner in sorted(entries(place).items()):
                if inner.is_dir():
                    for path in sorted(frame_files(inner, LABEL_SUFFIXES).values()):
                        yield f"{sequence}/{name}/{path.name}", path
