"""``vosbench export``: predictions of a run, as a benchmark's server wants them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.one_trial import find_trial
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.store import Selection, series
from vosbench.harness.text import say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vosbench.harness.datasets.clip import Clip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(
    ytvos: Annotated[
        str, typer.Option("--ytvos", metavar="TRIAL", help="By its id or the start of its key.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The zip to write.")] = Path("submission.zip"),
    db: options.Db = options.DEFAULT_DB,
    data_root: options.DataRoot = None,
) -> None:
    """Write the YouTube-VOS submission of a run with --save-masks, and verify it."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.datasets.export import export_ytvos

    trial = find_trial(db, ytvos)
    dataset = registry.reopen(trial["dataset"], data_root, trial["protocol"])
    selection = dataset.select(trial["sequences"], trial["max_frames"])
    if selection.manifest_sha256 != trial["manifest_sha256"]:
        raise InputError(f"the files of {trial['dataset']} changed since the run: run it again")
    clips = list(selection.clips)
    with waiting("writing"):
        exported = export_ytvos(clips, _predictions(db, trial["key"], clips), out)
    say(
        f"wrote {exported.path}: {exported.videos} videos, {exported.frames} frames, "
        f"sha256 {exported.sha256[:16]}…, read back and verified"
    )


def _predictions(
    db: str, key: str, clips: list[Clip]
) -> Iterator[tuple[Clip, int, NDArray[np.uint8]]]:
    """Stored label maps, one clip in memory at a time."""
    for clip in clips:
        stored = series(db, "labels", Selection(keys=(key,)), sequences=(clip.name,))
        if (key, clip.name) not in stored:
            raise InputError(
                f"the run kept no masks of {clip.name}: run it with --save-masks into a new --db"
            )
        for t, labels in enumerate(stored[key, clip.name]):
            yield clip, t, labels.astype("uint8")
