"""From a clip's record to its numbers, and from clips to a trial's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.lanes import Lane
from vosbench.harness.metrics import (
    ObjectScores,
    SequenceScores,
    object_statistics,
    summarise,
    youtube_vos_score,
)
from vosbench.harness.sweep.trials import PATH_CODES, ClipResult

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
    metrics: Scalars = {
        name: _mean([o[name] for o in objects.values()])
        for name in ("reuse_rate", "reuse_rate_published", "copy_rate")
    }
    if passes is not None:
        metrics |= {"passes_computed": float(passes[0]), "passes_saved": float(passes[1])}
    if scores is not None:
        series |= _score_series(scores)
        for o in object_statistics([scores]):
            objects[o.object_id] |= {
                f"{letter}_{name}": math.nan if value is None else value
                for letter, stats in (("j", o.j), ("f", o.f))
                for name, value in vars(stats).items()
            }
        metrics |= _score_means([scores])
    return ClipResult(
        sequence=clip.name,
        object_ids=lane.object_ids,
        frames=len(clip),
        mask_sha256=lane.mask_sha256,
        metrics=metrics,
        object_metrics=objects,
        series=series,
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
    scores = [_scores_of(clip) for clip in clips if "j" in clip.series]
    total |= _score_means(scores)
    if scores and dataset.protocol.seen_unseen:
        total |= _seen_unseen(dataset, scores)
    return total


def _seen_unseen(dataset: Dataset, scores: Sequence[SequenceScores]) -> Scalars:
    """G and its four parts, where the dataset says which classes occur in training."""
    unseen = {s.name: dataset.clip(s.name).unseen for s in scores}
    if any(ids is None for ids in unseen.values()):
        return {}

    def is_seen(name: str, object_id: int) -> bool:
        return object_id not in (unseen[name] or ())

    score = youtube_vos_score(scores, is_seen)
    named = {
        "g_all": score.g,
        "j_seen": score.j_seen,
        "j_unseen": score.j_unseen,
        "f_seen": score.f_seen,
        "f_unseen": score.f_unseen,
    }
    return {name: math.nan if value is None else value for name, value in named.items()}


def _score_means(scores: Sequence[SequenceScores]) -> Scalars:
    """Means over all objects of which a frame counts; nothing where there is none."""
    if not any(len(o.frames) for s in scores for o in s.objects):
        return {}
    return dict(vars(summarise(scores)))


def reuse_rates(path: NDArray[np.generic]) -> Scalars:
    """Reuse rates of one object, by either way of counting, from its path codes (T,)."""
    tracked = int(np.isin(path, _TRACKED).sum())
    reused = int(np.isin(path, _REUSED).sum())
    copied = int((path == PATH_CODES["copy"]).sum())
    return {
        "reuse_rate": reused / tracked if tracked else math.nan,
        # The published code lets the object's first frame count as reused.
        "reuse_rate_published": (reused + 1) / (tracked + 1),
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
    """``scored_frames`` (N,), ``j`` and ``f`` (N, K); NaN where an object isn't scored."""
    frames = sorted({int(t) for o in scores.objects for t in o.frames})
    row = {t: n for n, t in enumerate(frames)}
    j, f = (np.full((len(frames), len(scores.objects)), np.nan) for _ in range(2))
    for k, o in enumerate(scores.objects):
        rows = [row[int(t)] for t in o.frames]
        j[rows, k], f[rows, k] = o.j, o.f
    return {"scored_frames": np.array(frames, np.int32), "j": j, "f": f}


def _scores_of(clip: ClipResult) -> SequenceScores:
    """Undo :func:`_score_series`."""
    frames = clip.series["scored_frames"].astype(np.int64)
    j, f = (clip.series[name].astype(np.float64) for name in ("j", "f"))
    objects = []
    for k, object_id in enumerate(clip.object_ids):
        counted = ~np.isnan(j[:, k])
        objects.append(ObjectScores(object_id, frames[counted], j[counted, k], f[counted, k]))
    return SequenceScores(clip.sequence, tuple(objects))


def _mean(values: Iterable[float] | NDArray[np.generic]) -> float:
    """Mean over the known values; NaN if none is known."""
    known = np.asarray([v for v in np.asarray(list(values), np.float64) if not math.isnan(v)])
    return float(known.mean()) if len(known) else math.nan
