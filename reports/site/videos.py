"""Videos that `vosbench render` made, beside the runs that they show."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vosbench.baselines.errors import InputError

KINDS = (".mp4", ".gif")
NAMES = "ID-SEQUENCE.mp4, or the start of the run's key in place of its id"

RunVideos = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""By dataset and sequence: ``run``, the row of the run, and ``file``, its address."""

_NAME = re.compile(r"([0-9]+|[0-9a-f]{8,64})-(.+)")


def copy_videos(
    source: Path, folder: Path, runs: pd.DataFrame
) -> tuple[dict[tuple[str, str], list[dict[str, Any]]], list[str]]:
    """Copy videos into a site; where they belong, and what is to be said of others.

    A file is named :data:`NAMES`, as in ``vosbench render 12 dog --out videos/12-dog.mp4``.

    Args:
        source: the folder of videos.
        folder: of the site.
        runs: with ``key``, ``trial_id``, ``dataset`` and ``sequences``.

    Raises:
        InputError: no such folder.
    """
    if not source.is_dir():
        raise InputError(f"--videos {source}: no such folder")
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    others = []
    files = sorted(path for path in source.iterdir() if path.suffix.lower() in KINDS)
    for number, path in enumerate(files):
        row, sequence = _owner(path.stem, runs)
        if row is None:
            others.append(path.name)
            continue
        # A number, as no file's name may lead out of the folder.
        name = f"videos/{number}{path.suffix.lower()}"
        (folder / "videos").mkdir(exist_ok=True)
        shutil.copyfile(path, folder / name)
        place = (str(runs.iloc[row]["dataset"]), sequence)
        found.setdefault(place, []).append({"run": row, "file": name})
    if others:
        return found, [f"videos of no run here: {', '.join(others)}: name them {NAMES}"]
    return found, []


def _owner(stem: str, runs: pd.DataFrame) -> tuple[int | None, str]:
    """The row of the run that a video is of, and the sequence."""
    named = _NAME.fullmatch(stem)
    if named is None:
        return None, ""
    start, sequence = named.groups()
    ours = runs["key"].str.startswith(start) if len(start) >= 8 else runs["key"] == ""
    ours |= runs["trial_id"].astype(str) == start
    ours &= pd.Series([sequence in names for names in runs["sequences"]], index=runs.index)
    rows = list(runs.index[ours])
    return (int(rows[0]), sequence) if len(rows) == 1 else (None, "")
