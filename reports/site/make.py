"""Write the site: pages and scripts as they are, data as scripts, pictures as files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from vosbench.baselines.errors import InputError
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
from vosbench.reports.overlay import davis_colours
from vosbench.reports.site import front, tables
from vosbench.reports.site.details import CHUNK, clip_rows, write_runs
from vosbench.reports.site.footage import FootageOf, RunClip, no_footage
from vosbench.reports.site.history import baselines, history, verdicts
from vosbench.reports.site.script import packed, plain, rounded, write_script
from vosbench.reports.site.strips import MOST_FRAMES, StripRun, Strips, draw_strips
from vosbench.reports.site.timelines import STEPS, timelines
from vosbench.reports.site.trainings import write_trainings
from vosbench.reports.site.videos import RunVideos, copy_videos
from vosbench.reports.style import PATH_COLOURS

STRIPS = 8
"""So many runs of each sequence get their masks shown by default."""
MOST_MB = 100
"""A site is no larger, whatever it is of: timelines of the oldest runs are left out."""
_PICTURES = 0.4
"""The share of it that frames and masks may take."""
_FRAME_BYTES = 12_000
"""Of a frame with its masks, about."""
_MARK = "data/site.js"

Progress = Callable[[str, int, int], None]
"""Told what is being written, how many parts of it are done, and how many there are."""


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes:
        index: the page to open.
        runs, clips, strips: how many of each.
        size: of all data, in bytes.
        remarks: what the caller should know.
    """

    index: Path
    runs: int
    clips: int
    strips: int
    size: int = 0
    remarks: tuple[str, ...] = ()


def _quiet(what: str, done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Making:
    """What a site is made with besides its results.

    Attributes:
        footage_of: the frames below masks.
        strips: masks of so many runs of each sequence.
        title: of the front page; "Results" if empty.
        videos: a folder of videos that ``vosbench render`` made.
        live: it is remade while it is read: pages look for a newer one.
        progress: told how far it is.
    """

    footage_of: FootageOf = no_footage
    strips: int = STRIPS
    title: str = ""
    videos: Path | None = None
    live: str = ""
    progress: Progress = _quiet


def write_site(
    source: Readable,
    out: Path,
    where: Selection = Selection(),  # noqa: B008 - immutable
    how: Making = Making(),
) -> Site:
    """Write a site of all trials of ``where`` into the folder ``out``.

    It is made beside ``out`` and moved there when complete: a site that was there is replaced as
    a whole, and nothing has changed if this fails.

    Args:
        source: a file, a URL, or an open database.
        out: a new or empty folder, or one with a site.
        where: which trials.
        how: what it is made with.

    Raises:
        InputError: no trial matches, a database that can't be read, another thing than a site at
            ``out``, or a place that can't be written.
    """
    check_folder(out)
    with opened(source) as database, database.snapshot() as snapshot:
        runs = tables.runs(snapshot, where)
        if runs.empty:
            raise InputError("no trial matches: see what there is with `vosbench results`")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
                folder = Path(beside) / "site"
                made = _Writing(snapshot, folder, where, runs, how).write()
                _replace(out, folder, Path(beside) / "old")
        except OSError as error:
            raise InputError(f"can't write {out}: {error.strerror or error}") from None
    return Site(out / "index.html", **made)


def check_folder(out: Path) -> None:
    """Raises InputError for a folder that holds anything but a site."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a folder with --out")
    if out.is_dir() and not (out / _MARK).is_file() and any(out.iterdir()):
        raise InputError(f"{out} holds other files: name a new folder, or one with a site")


def _replace(out: Path, folder: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    folder.rename(out)


class _Writing:
    """One site in the making; ``size`` is what its data take so far, in bytes."""

    def __init__(
        self, source: Database, folder: Path, where: Selection, runs: pd.DataFrame, how: Making
    ) -> None:
        self._source, self._folder, self._where, self._how = source, folder, where, how
        self._runs = runs
        self._rows: dict[str, int] = {key: row for row, key in enumerate(runs["key"])}
        self._size = 0
        self._remarks: list[str] = []

    def write(self) -> dict[str, Any]:
        """Everything; what :class:`Site` says of it."""
        said = self._how.progress
        with resources.as_file(resources.files("vosbench.reports.site") / "static") as static:
            shutil.copytree(static, self._folder)
        said("reading", 0, 1)
        per_clip = sequences(self._source, self._where)
        per_object = objects(self._source, self._where)
        clips = tables.clips(per_clip)
        places = list(zip(clips["dataset"], clips["sequence"], strict=True))
        numbers = {place: number for number, place in enumerate(places)}
        said("runs", 0, 1)
        attempts = catalog.attempts(self._source, self._where)
        self._size += write_runs(self._folder, self._rows, per_clip, per_object, attempts)
        videos = self._videos()
        strips = self._strips(per_clip, places)
        drawn = self._timelines(numbers)
        self._clips(per_clip, numbers, strips, drawn, videos)
        said("front page", 0, 1)
        self._main(per_clip, clips)
        said("front page", 1, 1)
        shown = sum(len(one["runs"]) for strip in strips.values() for one in strip.sets)
        return {
            "runs": len(self._runs), "clips": len(clips), "strips": shown, "size": self._size,
            "remarks": tuple(self._remarks),
        }  # fmt: skip

    def _data(self, name: str, data: Any) -> None:
        self._size += write_script(self._folder, f"data/{name}", data)

    def _main(self, per_clip: pd.DataFrame, clips: pd.DataFrame) -> None:
        """What the front page needs, the mark of a site; and what pages of many runs need."""
        source, where, runs = self._source, self._where, self._runs
        settings = tables.settings(source, where, runs)
        looked_at = rounded(settings).assign(key=settings["key"].str[:16])
        self._data("runs", packed(runs))
        self._data("settings", packed(looked_at))
        self._data("models", packed(rounded(tables.models(settings))))
        self._data("checkpoints", plain(catalog.checkpoints(source)))
        past, judged = history(source, runs), verdicts(source, runs)
        self._data("history", past)
        self._data("verdicts", {"baselines": baselines(source), "rows": packed(judged)})
        trained = write_trainings(source, self._folder)
        self._data("trainings", trained)
        main: dict[str, Any] = {
            "title": self._how.title,
            "live": self._how.live,
            "filters": {
                name: list(map(str, value)) for name, value in vars(where).items() if value
            },
            "headline": front.headline(settings, per_clip),
            "failures": front.failures(runs),
            "summary": tables.summary(runs, catalog.measured_at(source, where)),
            "clips": packed(clips),
            "looks": tables.looks(settings),
            "timing": tables.timing_names(settings),
            "studies": catalog.studies(source, where),
            "counts": {"trainings": len(trained), "history": len(past), "verdicts": len(judged)},
            "environments": plain(catalog.environments(source)),
            "metrics": tables.metrics(runs),
            "paths": {code: name for name, code in PATH_CODES.items()},
            "path_colours": dict(PATH_COLOURS),
            "object_colours": davis_colours(),
            "chunk": CHUNK,
            "steps": STEPS,
            "remarks": self._remarks,
        }
        self._data("site", main)

    def _videos(self) -> RunVideos:
        if self._how.videos is None:
            return {}
        found, remarks = copy_videos(self._how.videos, self._folder, self._runs)
        self._remarks += remarks
        return found

    def _strips(
        self, per_clip: pd.DataFrame, places: Sequence[tuple[str, str]]
    ) -> Mapping[int, Strips]:
        """Frames and masks of each sequence where any run kept its masks."""
        if not self._how.strips:
            return {}
        drawable = catalog.with_series(self._source, self._where, "labels")
        by_place = dict(iter(per_clip.groupby(["dataset", "sequence"])["key"]))
        masked = {
            number: [key for key in by_place[place] if key in drawable.get(place[1], ())]
            for number, place in enumerate(places)
        }
        shown = {number: keys for number, keys in masked.items() if keys}
        room = _PICTURES * MOST_MB * 1e6 / (_FRAME_BYTES * max(1, len(shown)))
        frames = max(2, min(MOST_FRAMES, int(room)))
        made = {}
        for done, (number, keys) in enumerate(shown.items()):
            self._how.progress("masks", done, len(shown))
            chosen = [
                StripRun(self._rows[key], key, self._run_clip(key, places[number][1]))
                for key in keys[: self._how.strips]
            ]
            made[number] = draw_strips(
                self._source, chosen, self._how.footage_of, self._folder, number,
                most_frames=frames,
            )  # fmt: skip
            if len(keys) > len(chosen):
                made[number].remarks.append(
                    f"masks of {len(chosen)} of {len(keys)} runs that kept them"
                )
            self._size += made[number].size
        return made

    def _timelines(self, numbers: Mapping[tuple[str, str], int]) -> Mapping[int, list[int]]:
        """Timelines of accuracy runs, those of the last ones first; by sequence, the chunks."""
        files: dict[int, list[int]] = {}
        accurate = self._runs[self._runs["kind"] == Kind.ACCURACY.value]
        chunks = list(accurate.groupby(accurate.index // CHUNK, sort=True))
        for done, (chunk, part) in enumerate(reversed(chunks)):
            self._how.progress("gate timelines", done, len(chunks))
            if self._size > MOST_MB * 1e6 * 0.95:
                oldest = sum(len(left) for _, left in chunks[: len(chunks) - done])
                self._remarks.append(
                    f"no gate timelines of the {oldest} oldest runs: a site stays below "
                    f"{MOST_MB} MB; make one of a part with --models, --dataset or --study"
                )
                break
            for number, data in self._chunk(part, numbers).items():
                self._data(f"series/{number}-{chunk}", data)
                files.setdefault(number, []).append(int(chunk))
        return files

    def _chunk(
        self, part: pd.DataFrame, numbers: Mapping[tuple[str, str], int]
    ) -> dict[int, dict[str, Any]]:
        """Timelines of a hundred runs, by sequence."""
        found = {}
        for dataset, of_dataset in part.groupby("dataset", sort=False):
            rows = {key: self._rows[key] for key in of_dataset["key"]}
            for sequence, runs, arrays in timelines(self._source, rows):
                found[numbers[str(dataset), sequence]] = {"arrays": arrays, "runs": runs}
        return found

    def _clips(
        self,
        per_clip: pd.DataFrame,
        numbers: Mapping[tuple[str, str], int],
        strips: Mapping[int, Strips],
        drawn: Mapping[int, list[int]],
        videos: RunVideos,
    ) -> None:
        for dataset, sequence, rows in clip_rows(per_clip, self._rows):
            number = numbers[dataset, sequence]
            strip = strips.get(number, Strips([], [], 0))
            data = {
                "rows": rows, "series": sorted(drawn.get(number, ())), "sets": strip.sets,
                "videos": videos.get((dataset, sequence), []), "remarks": strip.remarks,
            }  # fmt: skip
            self._data(f"clips/{number}", data)

    def _run_clip(self, key: str, sequence: str) -> RunClip:
        run = self._runs.iloc[self._rows[key]]
        cut = run["max_frames"]
        return RunClip(
            dataset=run["dataset"],
            protocol=run["protocol"],
            sequence=sequence,
            sequences=run["sequences"],
            max_frames=None if pd.isna(cut) else int(cut),
            manifest_sha256=run["manifest_sha256"],
        )
