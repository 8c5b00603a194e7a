"""Folders of predicted masks, as ``eval`` and ``masks:`` read them: ``<sequence>/<frame>.png``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.labels import LABEL_SUFFIXES
from vosbench.harness.datasets.layout import child, entries, frame_files


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


def all_predictions(folder: Path) -> Iterator[tuple[str, Path]]:
    """All ``<sequence>/<frame>.png`` of a folder by that name, sequence by sequence, sorted."""
    for sequence, place in sorted(entries(folder).items()):
        if place.is_dir():
            for path in sorted(frame_files(place, LABEL_SUFFIXES).values()):
                yield f"{sequence}/{path.name}", path
