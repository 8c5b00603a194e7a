"""``vosbench site``: the results as pages that need no server and no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.text import say

if TYPE_CHECKING:
    from vosbench.harness.datasets.dataset import Selection
    from vosbench.reports.overlay import Pixels
    from vosbench.reports.site import Footage, RunClip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("site")(site)


def site(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="New, empty, or one with a site.")
    ],
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    data_root: options.DataRoot = None,
    strips: Annotated[
        int, typer.Option("--strips", min=0, help="Overlay strips of so many runs a sequence.")
    ] = 8,
    title: Annotated[
        str, typer.Option("--title", metavar="TEXT", help="What the front page is called.")
    ] = "",
) -> None:
    """Write runs, models, sweeps and clips as pages to open from a file or to serve.

    Overlay strips need runs with --save-masks, and the frames they were measured on.
    """
    from vosbench.reports.site import write_site

    where = options.selection(models, dataset, study)
    made = write_site(db, out, where, footage_of=_Footages(data_root), strips=strips, title=title)
    say(f"wrote {made.runs} runs, {made.clips} clips and {made.strips} strips; open {made.index}")


class _Footages:
    """The frames that runs measured; each selection of a dataset is opened and hashed once."""

    def __init__(self, data_root: Path | None) -> None:
        self._data_root = data_root
        self._opened: dict[tuple[object, ...], Selection | InputError] = {}

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

    def _open(self, clip: RunClip) -> Selection | InputError:
        from vosbench.harness.datasets import registry

        try:
            dataset = registry.reopen(clip.dataset, self._data_root, clip.protocol)
            return dataset.select(clip.sequences, clip.max_frames)
        except InputError as error:
            return error


class _ClipFootage:
    def __init__(self, selection: Selection, sequence: str) -> None:
        self._clip = selection.clip(sequence)

    def image(self, t: int, /) -> Pixels:
        """See :class:`vosbench.reports.site.Footage`."""
        return self._clip.image(t)

    def annotation(self, t: int, /) -> Pixels | None:
        """See :class:`vosbench.reports.site.Footage`."""
        return self._clip.annotation(t)
