"""``vosbench compare --strips DIR``: pictures of the sequences that lost most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection, results, series

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.regression.comparison import ClipChange, Comparison
    from vosbench.reports.strips import StripFrame

CLIPS = 5
"""So many sequences of a comparison get a picture."""
FRAMES = 6
"""So many frames of each."""

_HOW = "measure both with `vosbench run --save-masks` into one database"
_Arrays = Mapping[tuple[str, str], NDArray[np.generic]]


@dataclass(frozen=True)
class LostClip:
    """A clip whose accuracy fell.

    Attributes:
        label: of its grid point.
        base_key, head_key: trials.
    """

    label: str
    dataset: str
    change: ClipChange
    base_key: str
    head_key: str

    @property
    def keys(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Where the arrays of both sides are found."""
        return (self.base_key, self.change.sequence), (self.head_key, self.change.sequence)


def lost_clips(comparison: Comparison) -> tuple[LostClip, ...]:
    """The clips of all grid points whose J&F fell most, the worst first."""
    found = [
        LostClip(point.label, point.point.dataset, clip, *finding.keys)
        for point in comparison.points
        for finding in point.findings
        if finding.metric.name == "jf_mean" and finding.keys is not None
        for clip in finding.clips
        if clip.change < 0.0 and not clip.equal_masks
    ]
    return tuple(sorted(found, key=lambda lost: lost.change.change)[:CLIPS])


def write_strips(
    comparison: Comparison, source: Readable, folder: Path, data_root: Path | None
) -> Iterator[str]:
    """Draw each lost clip into a file of ``folder``; yields a line about each, or why not.

    Nothing that is missing fails the comparison: it is said in a line.
    """
    clips = lost_clips(comparison)
    if not clips:
        yield "strips: no sequence lost accuracy, nothing to draw"
        return
    keys = Selection(keys=sorted({key for lost in clips for key, _ in lost.keys}))
    names = sorted({lost.change.sequence for lost in clips})
    labels = series(source, "labels", keys, sequences=names)
    scores = series(source, "j", keys, sequences=names)
    drawable = [lost for lost in clips if all(key in labels for key in lost.keys)]
    if len(drawable) < len(clips):
        bare = ", ".join(
            dict.fromkeys(lost.change.sequence for lost in clips if lost not in drawable)
        )
        yield f"strips: no label maps of both sides of {bare}: {_HOW}"
    rows = results(source, keys)
    protocols = dict(zip(rows["key"], rows["protocol"], strict=True))
    for lost in drawable:
        try:
            protocol = protocols[lost.head_key]
            yield f"wrote {_draw(lost, protocol, labels, scores, folder, data_root)}"
        except InputError as error:
            yield f"strips: {lost.change.sequence}: {error}"


def _draw(
    lost: LostClip,
    protocol: str,
    labels: _Arrays,
    scores: _Arrays,
    folder: Path,
    data_root: Path | None,
) -> Path:
    from vosbench.harness.datasets import registry
    from vosbench.reports.strips import write_strip

    dataset = registry.reopen(lost.dataset, data_root, protocol)
    maps = [labels[key] for key in lost.keys]
    # A trial may have cut its clips; its label maps say after how many frames.
    clip = dataset.select([lost.change.sequence], len(maps[0])).clip(lost.change.sequence)
    plan = dataset.plan(clip)
    if plan.unscored is not None or any(side.shape != (len(clip), *clip.size) for side in maps):
        raise InputError(f"{dataset.root} has other frames than those that were measured")
    scored = tuple(plan.objects_at)
    j_means = [_mean_over_objects(scores[key]) for key in lost.keys]
    chosen = worst_frames(j_means[0] - j_means[1], FRAMES)
    frames = [
        _frame(clip, scored[place], maps, (float(j_means[0][place]), float(j_means[1][place])))
        for place in chosen
    ]
    change = lost.change
    title = f"{lost.label}: {change.sequence}"
    note = (
        f"J&F {100 * change.base:.1f} → {100 * change.head:.1f}; "
        "frames where J fell most, mean over objects"
    )
    name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{change.sequence} {lost.label}").strip("-")
    return write_strip(title, note, frames, folder / f"{name}.png")


def _mean_over_objects(values: NDArray[np.generic]) -> NDArray[np.float64]:
    """(scored frames, K) -> (scored frames,); an object not scored in a frame is NaN there."""
    known = np.isfinite(values.astype(np.float64))
    total = np.where(known, values.astype(np.float64), 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1))


def worst_frames(losses: NDArray[np.float64], count: int) -> tuple[int, ...]:
    """Places of the largest losses, in order of time, no two of them next to each other if the
    clip is long enough: neighbours show the same."""
    gap = max(1, len(losses) // (4 * count))
    chosen: list[int] = []
    for place in np.argsort(-losses, kind="stable").tolist():
        if len(chosen) < count and all(abs(place - other) >= gap for other in chosen):
            chosen.append(place)
    return tuple(sorted(chosen))


def _frame(
    clip: Clip, index: int, maps: list[NDArray[np.generic]], j: tuple[float, float]
) -> StripFrame:
    from vosbench.reports.strips import StripFrame

    annotation = clip.annotation(index)
    assert annotation is not None, "scored frames are annotated"
    base, head = (side[index].astype(np.uint8) for side in maps)
    return StripFrame(index, clip.image(index), base, head, annotation, *j)
