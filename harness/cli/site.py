"""``vosbench site``: the results as pages that need no server and no network."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.terminal import Described, Terminal
from vosbench.harness.text import say

if TYPE_CHECKING:
    from vosbench.harness.datasets.dataset import SelectedSequences
    from vosbench.harness.store import Selection as RunSelection
    from vosbench.reports.overlay import Pixels
    from vosbench.reports.site import Footage, Making, RunClip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("site")(site)


def site(
    port: Annotated[
        int | None,
        typer.Argument(metavar="PORT", min=0, max=65535, help="With --serve: its port; 8765."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New, empty, or one with a site."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on this machine; remade as results come in.")
    ] = False,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    data_root: options.DataRoot = None,
    strips: Annotated[
        int,
        typer.Option("--strips", metavar="N", min=0, help="Masks of so many runs of a sequence."),
    ] = 8,
    videos: Annotated[
        Path | None,
        typer.Option("--videos", metavar="DIR", help="Videos of `render`, named ID-SEQUENCE.mp4."),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="What the front page is called.")
    ] = "",
) -> None:
    """Write results as pages to open from a file (--out), or serve them here (--serve).

    Masks need runs with --save-masks, and the frames they were measured on.
    """
    from vosbench.reports.site import Making, write_site

    if serve == (out is not None):
        raise InputError("say where to: --out DIR to write the site, or --serve [PORT] to watch it")
    if port is not None and not serve:
        raise InputError(f"{port}: a port is for --serve")
    where = options.selection(models, dataset, study)
    with _Progress() as progress:
        how = Making(
            footage_of=_Footages(data_root), strips=strips, title=title, videos=videos,
            progress=progress,
        )  # fmt: skip
        if out is None:
            _serve(db, where, how, port, progress)
            return
        made = write_site(db, out, where, how)
    for remark in made.remarks:
        say(remark)
    say(
        f"wrote {made.runs} runs and {made.clips} sequences, masks of {made.strips}, "
        f"{made.size / 1e6:.1f} MB; open {made.index}"
    )


def _serve(
    db: str, where: RunSelection, how: Making, port: int | None, progress: _Progress
) -> None:
    """Until somebody ends it."""
    from vosbench.harness.store import open_database
    from vosbench.reports.site.serve import LOOK_S, PORT, serving

    with (
        open_database(db, read_only=True) as database,
        serving(database, where, how, PORT if port is None else port) as (served, made),
    ):
        progress.pause()
        for remark in made.remarks:
            say(remark)
        say(f"{made.runs} runs at {served.url}; remade as results come in; Ctrl-C ends it")
        while True:
            time.sleep(LOOK_S)
            try:
                newer = served.remake()
            except InputError as error:
                progress.pause()
                say(f"not remade: {error}")
                continue
            if newer is not None:
                progress.pause()
                say(f"{datetime.now():%H:%M:%S}  {newer.runs} runs")


class _Progress:
    """What is being made, as a bar on standard error; a line for each part elsewhere."""

    def __init__(self) -> None:
        console = Terminal(stderr=True)
        self._console = console
        self._bar = Progress(
            Described(), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn(),
            console=console, disable=not console.is_terminal, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None)
        self._what = ""
        self._shows = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def pause(self) -> None:
        """Leave the terminal to others until something is made again."""
        self._bar.stop()
        self._shows, self._what = False, ""

    def __call__(self, what: str, done: int, total: int) -> None:
        """See :data:`vosbench.reports.site.make.Progress`."""
        if not self._shows:
            self._bar.start()
            self._shows = True
        self._bar.update(self._task, description=what, completed=done, total=total)
        if what != self._what:
            self._what = what
            if not self._console.is_terminal:
                self._console.say(f"site: {what}")


class _Footages:
    """The frames that runs measured; each selection of a dataset is opened and hashed once."""

    def __init__(self, data_root: Path | None) -> None:
        self._data_root = data_root
        self._opened: dict[tuple[object, ...], SelectedSequences | InputError] = {}

    def __call__(self, clip: RunClip) -> Footage:
        """Raises InputError where the dataset is missing, or its files changed since the run."""
        place = (clip.dataset, clip.protocol, clip.sequences, clip.max_frames)
        if place not in self._opened:
            self._opened[place] = self._open(clip)
        selection = self._opened[place]
        if isinstance(selection, InputError):
            raise selection
        if selection.manifest_sha256 != clip.manifest_sha256:
            raise InputError(f"the files of {clip.dataset} changed since the run")
        return _ClipFootage(selection, clip.sequence)

    def _open(self, clip: RunClip) -> SelectedSequences | InputError:
        from vosbench.harness.datasets import registry

        try:
            dataset = registry.reopen(clip.dataset, self._data_root, clip.protocol)
            return dataset.select(clip.sequences, clip.max_frames)
        except InputError as error:
            return error


class _ClipFootage:
    def __init__(self, selection: SelectedSequences, sequence: str) -> None:
        self._clip = selection.clip(sequence)

    def image(self, t: int, /) -> Pixels:
        """See :class:`vosbench.reports.site.Footage`."""
        return self._clip.image(t)

    def annotation(self, t: int, /) -> Pixels | None:
        """See :class:`vosbench.reports.site.Footage`."""
        return self._clip.annotation(t)
