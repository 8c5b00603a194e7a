"""``vosbench render``: a result on one sequence as a video."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError, suggestion
from vosbench.harness.cli import options
from vosbench.harness.cli.one_trial import find_trial
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.store import Selection, series
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.text import say
from vosbench.harness.trials import PATH_CODES, Kind

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.reports.clip_video import ResultFootage

_HOW = "run it with --save-masks into a new --db"
_MEASURES = {True: ("full_iou", "IoU"), False: ("p_gate", "P_gate")}
"""What is held against τ, by whether the policy is the oracle g-iou."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("render")(render)


def render(
    trial: Annotated[
        str, typer.Argument(help="A trial's id, the start of its key, or a model's name.")
    ],
    clip: Annotated[str, typer.Argument(metavar="SEQUENCE", help="The sequence.")],
    out: Annotated[Path, typer.Option("--out", help="FILE.mp4 or FILE.gif.")],
    tau: Annotated[
        str | None, typer.Option("--tau", help="Where TRIAL is a model: of which threshold.")
    ] = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    fps: Annotated[float, typer.Option("--fps", help="Frames per second.")] = 10.0,
    db: options.Db = options.DEFAULT_DB,
    data_root: options.DataRoot = None,
) -> None:
    """Make a video of a result: masks, decisions and the gate along one sequence.

    The run must have been made with --save-masks, and the dataset must be there.
    """
    from vosbench.reports.clip_video import write_footage
    from vosbench.reports.video import checked_video

    checked_video(out, fps)
    row = find_trial(
        db,
        trial,
        tau=parse_taus([tau])[0] if tau is not None else None,
        sequence=clip,
        where=options.selection(None, dataset, study),
    )
    with waiting("rendering"):
        count = write_footage(_footage(db, row, clip, data_root), out, fps)
    say(f"wrote {out}: {count} frames of {clip}, {fps:g} a second")


def _footage(db: str, row: Mapping[str, Any], name: str, data_root: Path | None) -> ResultFootage:
    from vosbench.reports.clip_video import ResultFootage
    from vosbench.reports.frames import trials

    where = Selection(keys=(row["key"],))
    if name not in row["sequences"]:
        raise InputError(
            f"trial {row['trial_id']} has no sequence '{name}'{suggestion(name, row['sequences'])}"
        )
    kept = _stored(db, where, "labels", name)
    if kept is None:
        raise InputError(f"the run kept no masks of {name}: {_HOW}")
    labels: NDArray[np.uint8] = kept.astype(np.uint8)
    frames = _clip(row, name, labels, data_root)
    paths = _stored(db, where, "path", name)
    assert paths is not None, "whoever keeps label maps keeps paths"
    column, measure = _MEASURES[row["policy"] == "g-iou"]
    values = _stored(db, where, column, name)
    (note,) = trials(db, where, Kind.ACCURACY)["weights_note"]
    thresholds = _thresholds(row)
    at = "".join(f", {threshold}" for threshold in thresholds)
    return ResultFootage(
        title=f"{row['model']} on {name}{at}",
        note=_note(str(note)),
        labels=labels,
        image=frames.image,
        object_ids=frames.object_ids,
        paths=_path_names(paths),
        values=np.full(paths.shape, np.nan) if values is None else values.astype(np.float64),
        measure=measure,
        thresholds=thresholds,
    )


def _stored(db: str, where: Selection, name: str, clip: str) -> NDArray[np.generic] | None:
    found = series(db, name, where, sequences=(clip,))
    return next(iter(found.values()), None)


def _clip(
    row: Mapping[str, Any], name: str, labels: NDArray[np.uint8], data_root: Path | None
) -> Clip:
    """The clip whose frames were measured; InputError if it isn't there, or is another."""
    from vosbench.harness.datasets import registry

    dataset = registry.reopen(row["dataset"], data_root, row["protocol"])
    # All clips of the run: the hash that is stored is that of all.
    selection = dataset.select(row["sequences"], row["max_frames"])
    clip = selection.clip(name)
    measured = selection.manifest_sha256 == row["manifest_sha256"]
    if not measured or labels.shape != (len(clip), *clip.size):
        raise InputError(
            f"{dataset.root} has other frames of {name} than those that were measured: "
            "run it again, or give the right --data-root"
        )
    return clip


def _path_names(codes: NDArray[np.generic]) -> NDArray[np.str_]:
    names = np.array(sorted(PATH_CODES, key=PATH_CODES.__getitem__))
    return np.asarray(names[codes.astype(np.int64)])


def _thresholds(row: Mapping[str, Any]) -> dict[str, float]:
    """τ and τ₂ by how they are written; none of a policy that has none."""
    named: dict[str, Decimal | None] = {"τ": row["tau"], "τ₂": row["tau2"]}
    return {
        f"{name} = {value.normalize():f}": float(value)
        for name, value in named.items()
        if value is not None
    }


def _note(note: str) -> str:
    from vosbench.reports.labels import short_note

    if note == "untrained":
        return "untrained: random weights; this says nothing about the model"
    return short_note(note)
