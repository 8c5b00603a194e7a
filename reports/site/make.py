"""Write the site: pages and scripts as they are, data as scripts, pictures as files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from vosbench.baselines.errors import InputError
from vosbench.harness.metric import SHARE, further_metrics
from vosbench.harness.store import (
    Database,
    Readable,
    Selection,
    catalog,
    objects,
    opened,
    sequences,
)
from vosbench.harness.trials import PATH_CODES, Kind
from vosbench.reports.site import tables
from vosbench.reports.site.footage import FootageOf, RunClip, no_footage
from vosbench.reports.site.script import packed, plain, write_script
from vosbench.reports.site.strips import StripRun, draw_strips
from vosbench.reports.site.timelines import timelines
from vosbench.reports.site.trainings import write_trainings
from vosbench.reports.style import PATH_COLOURS

STRIPS = 8
"""So many runs of each clip get an overlay strip by default."""
_CHUNK = 100
"""Runs in a file of details; a page loads one such file for a run."""
_MARK = "data/site.js"


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes:
        index: the page to open.
        runs, clips, strips: how many of each.
    """

    index: Path
    runs: int
    clips: int
    strips: int


@dataclass(frozen=True)
class _Made:
    """What a site is made with besides its results; see :func:`write_site`."""

    title: str
    footage_of: FootageOf
    strips: int


def write_site(
    source: Readable,
    out: Path,
    where: Selection = Selection(),  # noqa: B008 - immutable
    *,
    footage_of: FootageOf = no_footage,
    strips: int = STRIPS,
    title: str = "",
) -> Site:
    """Write a site of all trials of ``where`` into the folder ``out``.

    It is made beside ``out`` and moved there when complete: a site that was there is replaced as
    a whole, and nothing has changed if this fails.

    Args:
        source: a file, a URL, or an open database.
        out: a new or empty folder, or one with a site.
        where: which trials.
        footage_of: the frames for overlay strips.
        strips: of so many runs of each clip.
        title: of the front page; "Results" if empty.

    Raises:
        InputError: no trial matches, a database that can't be read, another thing than a site at
            ``out``, or a place that can't be written.
    """
    _check(out)
    with opened(source) as database:
        made = _Made(title, footage_of, strips)
        return _write_beside(database, out, where, made)


def _write_beside(source: Database, out: Path, where: Selection, made_with: _Made) -> Site:
    runs = tables.runs(source, where)
    if runs.empty:
        raise InputError("no trial matches: see what there is with `vosbench results`")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
            folder = Path(beside) / "site"
            made = _write(source, folder, where, runs, made_with)
            _replace(out, folder, Path(beside) / "old")
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror or error}") from None
    return Site(out / "index.html", *made)


def _check(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder with --out")
    if out.is_dir() and not (out / _MARK).is_file() and any(out.iterdir()):
        raise InputError(f"{out} holds other files: name a new folder, or one with a site")


def _replace(out: Path, folder: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    folder.rename(out)


def _write(
    source: Readable,
    folder: Path,
    where: Selection,
    runs: pd.DataFrame,
    made_with: _Made,
) -> tuple[int, int, int]:
    """Everything into ``folder``; counts runs, clips and strips."""
    strips, footage_of = made_with.strips, made_with.footage_of
    with resources.as_file(resources.files("vosbench.reports.site") / "static") as static:
        shutil.copytree(static, folder)
    per_clip = sequences(source, where)
    clips = tables.clips(per_clip)
    _write_main(source, folder, where, runs, clips, title=made_with.title)
    _write_details(source, folder, where, runs, per_clip)
    files = _write_timelines(source, folder, runs, clips)
    drawable = catalog.with_series(source, where, "labels") if strips else {}
    by_key = {row["key"]: row for row in runs.to_dict("records")}
    groups = dict(iter(per_clip.groupby(["dataset", "sequence"])))
    drawn = 0
    for number, place in enumerate(zip(clips["dataset"], clips["sequence"], strict=True)):
        group = groups[place]
        masked = [key for key in group["key"] if key in drawable.get(place[1], ())]
        chosen = [StripRun(key, _run_clip(by_key[key], place[1])) for key in masked[:strips]]
        pictures, remarks = draw_strips(source, chosen, footage_of, folder)
        if len(masked) > len(chosen):
            remarks.append(f"strips of {len(chosen)} of {len(masked)} runs with saved masks")
        drawn += len(chosen)
        data = {
            "rows": packed(group.drop(columns=["model", "dataset", "tau", "policy", "sequence"])),
            "series": files.get(number, {}),
            "strips": pictures,
            "remarks": remarks,
        }
        write_script(folder, f"data/clips/{number}", data)
    return len(runs), len(clips), drawn


def _write_main(
    source: Readable,
    folder: Path,
    where: Selection,
    runs: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    title: str,
) -> None:
    """What every page needs; the mark of a site."""
    settings = tables.settings(source, where)
    data: dict[str, Any] = {
        "title": title,
        "filters": {name: list(map(str, value)) for name, value in vars(where).items() if value},
        "runs": packed(runs),
        "settings": packed(settings),
        "models": packed(tables.models(settings)),
        "clips": packed(clips),
        "looks": tables.looks(settings),
        "timing": tables.timing_names(settings),
        "studies": catalog.studies(source, where),
        "trainings": write_trainings(source, folder),
        "environments": plain(catalog.environments(source)),
        "checkpoints": plain(catalog.checkpoints(source)),
        "metrics": [
            {"name": m.name, "label": m.axis, "kind": "percent" if m.unit == SHARE else "number"}
            for m in further_metrics()
            if m.name in runs and runs[m.name].notna().any()
        ],
        "paths": {code: name for name, code in PATH_CODES.items()},
        "path_colours": dict(PATH_COLOURS),
        "chunk": _CHUNK,
    }
    write_script(folder, _MARK.removesuffix(".js"), data)


def _chunks(runs: pd.DataFrame) -> Iterator[tuple[int, Sequence[str]]]:
    keys = list(runs["key"])
    for start in range(0, len(keys), _CHUNK):
        yield start // _CHUNK, keys[start : start + _CHUNK]


def _write_details(
    source: Readable, folder: Path, where: Selection, runs: pd.DataFrame, per_clip: pd.DataFrame
) -> None:
    """What a run's own page shows: its last attempt, its clips, and their objects."""
    of_key = dict(iter(per_clip.groupby("key", sort=False)))
    per_object = dict(iter(_of_several(objects(source, where)).groupby("key", sort=False)))
    attempts = catalog.attempts(source, where)
    for chunk, keys in _chunks(runs):
        details: dict[str, dict[str, Any]] = {}
        for key in keys:
            attempt = {n: v for n, v in attempts.get(key, {}).items() if n != "key"}
            details[key] = {"attempt": plain(attempt)}
            if key in of_key:
                shown = of_key[key].drop(columns=["key", "model", "dataset", "tau", "policy"])
                details[key]["clips"] = packed(shown.dropna(axis="columns", how="all"))
            if key in per_object:
                shown = per_object[key].drop(columns=["key", "model", "dataset", "tau", "policy"])
                details[key]["objects"] = packed(shown.dropna(axis="columns", how="all"))
        write_script(folder, f"data/runs/{chunk}", details)


def _of_several(per_object: pd.DataFrame) -> pd.DataFrame:
    """Objects that share their clip with another one: a lone object's scores are the clip's."""
    return per_object[per_object.groupby(["key", "sequence"])["object_id"].transform("size") > 1]


def _write_timelines(
    source: Readable, folder: Path, runs: pd.DataFrame, clips: pd.DataFrame
) -> dict[int, dict[str, str]]:
    """Timelines of accuracy runs; returns, by clip and key, the file that holds a timeline."""
    numbers = {
        place: number
        for number, place in enumerate(zip(clips["dataset"], clips["sequence"], strict=True))
    }
    files: dict[int, dict[str, str]] = {}
    accurate = runs[runs["kind"] == Kind.ACCURACY.value]
    for dataset, of_dataset in accurate.groupby("dataset", sort=False):
        for chunk, keys in _chunks(of_dataset):
            for sequence, found, data in timelines(source, keys):
                number = numbers[dataset, sequence]
                name = f"data/series/{number}-{chunk}"
                write_script(folder, name, data)
                files.setdefault(number, {}).update(dict.fromkeys(found, name))
    return files


def _run_clip(run: dict[Any, Any], sequence: str) -> RunClip:
    cut = run["max_frames"]
    return RunClip(
        dataset=run["dataset"],
        protocol=run["protocol"],
        sequence=sequence,
        sequences=run["sequences"],
        max_frames=None if pd.isna(cut) else int(cut),
        manifest_sha256=run["manifest_sha256"],
    )
