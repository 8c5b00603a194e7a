"""From a clip's record to its numbers, and from clips to a trial's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.lanes import Lane, annotated
from vosbench.harness.metrics import SequenceScores, object_figures
from vosbench.harness.metrics.computed import computed_scores, mean_scores
from vosbench.harness.metrics.measures import MEASURES, Figures, ObjectFigures
from vosbench.harness.trials import PATH_CODES, ClipResult

Scalars = dict[str, float]
_REUSED = (PATH_CODES["reuse"], PATH_CODES["copy"])
_TRACKED = (PATH_CODES["full"], *_REUSED)


def clip_result(
    clip: Clip, lane: Lane, truth: Annotations, passes: tuple[int, int] | None
) -> ClipResult:
    """The numbers of one lane; ``passes``, computed and saved, are those of a shared walk."""
    series = lane.series()
    series["adjacent_iou"] = _adjacent_iou(clip, truth)
    scores = lane.scores()
    objects: dict[int, Scalars] = {
        object_id: reuse_rates(series["path"][:, k])
        | {"adjacent_iou": _mean(series["adjacent_iou"][:, k]), "area": truth.area(object_id)}
        for k, object_id in enumerate(lane.object_ids)
    }
    for object_id, value in lane.constant_masks().items():
        objects[object_id]["constant_mask"] = value
    metrics: Scalars = {
        name: _mean([o[name] for o in objects.values()])
        for name in ("reuse_rate", "reuse_rate_published", "copy_rate")
    }
    if lane.frames_not_finite:
        metrics["frames_not_finite"] = float(lane.frames_not_finite)
    if passes is not None:
        metrics |= {"passes_computed": float(passes[0]), "passes_saved": float(passes[1])}
    if scores is not None:
        series |= _score_series(scores)
        measures = MEASURES[scores.measures]
        figures = object_figures([scores])
        for o in figures:
            objects[o.object_id] |= _known(o.figures)
        if any(len(o.frames) for o in scores.objects):
            metrics |= _known(measures.sequence(o.figures for o in figures))
    if lane.kept is not None:
        own = computed_scores(lane.scorer.plan, lambda t: annotated(truth, t), lane.kept.masks)
        for object_id, scalars in own.items():
            objects[object_id] |= scalars
        metrics |= mean_scores([own])
    return ClipResult(
        sequence=clip.name,
        object_ids=lane.object_ids,
        frames=len(clip),
        mask_sha256=lane.mask_sha256,
        metrics=metrics,
        object_metrics=objects,
        series=series,
        packed=lane.packed(),
    )


def aggregate(dataset: Dataset, clips: Sequence[ClipResult]) -> Scalars:
    """An accuracy trial's numbers over its clips: means over objects, sums of passes."""
    objects = [metrics for clip in clips for metrics in clip.object_metrics.values()]
    total: Scalars = {
        name: _mean([o[name] for o in objects])
        for name in ("reuse_rate", "reuse_rate_published", "copy_rate")
    }
    for name in ("passes_computed", "passes_saved"):
        values = [clip.metrics[name] for clip in clips if name in clip.metrics]
        if values:
            total[name] = sum(values)
    total |= mean_scores(clip.object_metrics for clip in clips)
    return total | _scores(dataset, [clip for clip in clips if "scored_frames" in clip.series])


def _scores(dataset: Dataset, clips: Sequence[ClipResult]) -> Scalars:
    """The protocol's figures of clips of which a frame counts; nothing where there is none."""
    measures = MEASURES[dataset.protocol.measures]
    found: list[ObjectFigures] = []
    for clip in clips:
        unseen = dataset.clip(clip.sequence).unseen if measures.seen_unseen else None
        for object_id, metrics in clip.object_metrics.items():
            known = {n: metrics[n] for n in measures.figure_names if n in metrics}
            figures = {n: None if math.isnan(value) else value for n, value in known.items()}
            is_unseen = None if unseen is None else object_id in unseen
            found.append(ObjectFigures(clip.sequence, object_id, is_unseen, figures))
    counted = any(value is not None for o in found for value in o.figures.values())
    return _known(measures.summary(found)) if counted else {}


def _known(figures: Figures) -> Scalars:
    """Figures as they are stored: NaN for what is unknown."""
    return {name: math.nan if value is None else value for name, value in figures.items()}


def reuse_rates(path: NDArray[np.generic]) -> Scalars:
    """Reuse rates of one object, by either way of counting, from its path codes (T,)."""
    tracked = int(np.isin(path, _TRACKED).sum())
    reused = int(np.isin(path, _REUSED).sum())
    copied = int((path == PATH_CODES["copy"]).sum())
    return {
        "reuse_rate": reused / tracked if tracked else math.nan,
        # The published code lets the object's first frame count as reused.
        "reuse_rate_published": (reused + 1) / (tracked + 1) if np.any(path) else math.nan,
        "copy_rate": copied / tracked if tracked else math.nan,
    }


def _adjacent_iou(clip: Clip, truth: Annotations) -> NDArray[np.float32]:
    """IoU of each object's annotated masks of t−1 and t, (T, K); NaN where not annotated."""
    ious = np.full((len(clip), len(clip.scored_ids)), np.nan, np.float32)
    annotated = clip.annotation_paths
    for k, object_id in enumerate(clip.scored_ids):
        for t in range(clip.objects.get(object_id, 0) + 1, len(clip)):
            if t in annotated and t - 1 in annotated:
                ious[t, k] = truth.iou(object_id, t - 1, t)
    return ious


def _score_series(scores: SequenceScores) -> dict[str, NDArray[np.generic]]:
    """``scored_frames`` (N,), and the measures' series (N, K); NaN where an object isn't scored."""
    frames = sorted({int(t) for o in scores.objects for t in o.frames})
    row = {t: n for n, t in enumerate(frames)}
    names = MEASURES[scores.measures].kept
    series = {name: np.full((len(frames), len(scores.objects)), np.nan) for name in names}
    for k, o in enumerate(scores.objects):
        rows = [row[int(t)] for t in o.frames]
        for name, values in o.series.items():
            series[name][rows, k] = values
    return {"scored_frames": np.array(frames, np.int32), **series}


def _mean(values: Iterable[float] | NDArray[np.generic]) -> float:
    """Mean over the known values; NaN if none is known."""
    known = np.asarray([v for v in np.asarray(list(values), np.float64) if not math.isnan(v)])
    return float(known.mean()) if len(known) else math.nan
