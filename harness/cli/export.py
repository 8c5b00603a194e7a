"""``vosbench export``: predictions of a run, as a leaderboard's server wants them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.one_trial import find_trial
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
    trial: Annotated[
        str | None, typer.Argument(help="A trial by its id or the start of its key.")
    ] = None,
    ytvos: Annotated[
        str | None, typer.Option("--ytvos", metavar="TRIAL", help="The same, of YouTube-VOS only.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The zip to write.")] = Path("submission.zip"),
    db: options.Db = options.DEFAULT_DB,
    data_root: options.DataRoot = None,
) -> None:
    """Write what a leaderboard's server takes of a run with --save-masks, and verify it.

    DAVIS 2017 test-dev, YouTube-VOS, MOSE, MOSEv2, LVOS and SA-V.
    """
    from vosbench.harness.datasets import export as archives
    from vosbench.harness.datasets import registry

    name = trial or ytvos
    if name is None or (trial and ytvos):
        raise InputError("name one trial: vosbench export TRIAL (`vosbench results --each`)")
    found = find_trial(db, name)
    layout = archives.layout_of(found["dataset"])
    if ytvos and layout is not archives.YTVOS:
        raise InputError(f"{found['dataset']} isn't YouTube-VOS: write vosbench export {ytvos}")
    dataset = registry.reopen(found["dataset"], data_root, found["protocol"])
    selection = dataset.select(found["sequences"], found["max_frames"])
    if selection.manifest_sha256 != found["manifest_sha256"]:
        raise InputError(f"the files of {found['dataset']} changed since the run: run it again")
    clips = list(selection.clips)
    predictions = _predictions(db, found["key"], clips)
    first = next(predictions)  # before anything else is said: whether there are any
    lacking = sorted({*dataset.sequences} - {*found["sequences"]})
    if lacking or found["max_frames"] is not None:
        what = f"leaves out {len(lacking)} sequences" if lacking else "is cut by --max-frames"
        raise InputError(f"the run {what}, and the server wants all of {found['dataset']}")
    exported = archives.export_archive(layout, clips, chain([first], predictions), out)
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
