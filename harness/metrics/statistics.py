"""From J and F per frame to the numbers that are published."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.metrics.scorer import ObjectScores, SequenceScores

RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


@dataclass(frozen=True)
class SeriesStatistics:
    """Mean, recall and decay of one object's J or F; all None if no frame counts."""

    mean: float | None
    recall: float | None
    decay: float | None


@dataclass(frozen=True)
class ObjectStatistics:
    """The published numbers of one object; those of J and F are None if no frame counts."""

    sequence: str
    object_id: int
    j: SeriesStatistics
    f: SeriesStatistics


@dataclass(frozen=True)
class ScoreSummary:
    """The published numbers of a set: means over its objects, in 0..1 (decay in -1..1)."""

    jf_mean: float
    j_mean: float
    j_recall: float
    j_decay: float
    f_mean: float
    f_recall: float
    f_decay: float


@dataclass(frozen=True)
class YoutubeVosScore:
    """Means over the objects of seen and of unseen classes; None where there is no such object.

    Attributes:
        g: mean of the four; None unless all four are known.
    """

    j_seen: float | None
    j_unseen: float | None
    f_seen: float | None
    f_unseen: float | None
    g: float | None


def decay(values: NDArray[np.float64]) -> float:
    """Mean over the first quarter of a series (N,), N > 0, minus that over the last.

    Neighbouring quarters share the frame between them, as in the official evaluation (whose
    indices overflow beyond 255 frames; these don't).
    """
    edges = np.round(np.linspace(1, len(values), DECAY_BINS + 1) + 1e-10).astype(np.int64) - 1
    first = values[edges[0] : edges[1] + 1]
    last = values[edges[-2] : edges[-1] + 1]
    return float(first.mean() - last.mean())


def series_statistics(values: NDArray[np.float64]) -> SeriesStatistics:
    """Mean, share above 0.5 and decay of one object's series (N,)."""
    if len(values) == 0:
        return SeriesStatistics(None, None, None)
    return SeriesStatistics(
        float(values.mean()), float((values > RECALL_THRESHOLD).mean()), decay(values)
    )


def object_statistics(sequences: Iterable[SequenceScores]) -> tuple[ObjectStatistics, ...]:
    """The published numbers of every object, in the order given."""
    return tuple(
        ObjectStatistics(
            sequence.name,
            scores.object_id,
            series_statistics(scores.j),
            series_statistics(scores.f),
        )
        for sequence in sequences
        for scores in sequence.objects
    )


def summarise(sequences: Iterable[SequenceScores]) -> ScoreSummary:
    """Means over all objects of which at least one frame counts.

    Raises:
        ValueError: there is no such object.
    """
    objects = object_statistics(sequences)
    j_mean, j_recall, j_decay = _means([o.j for o in objects])
    f_mean, f_recall, f_decay = _means([o.f for o in objects])
    return ScoreSummary(
        jf_mean=(j_mean + f_mean) / 2,
        j_mean=j_mean,
        j_recall=j_recall,
        j_decay=j_decay,
        f_mean=f_mean,
        f_recall=f_recall,
        f_decay=f_decay,
    )


def youtube_vos_score(
    sequences: Iterable[SequenceScores], is_seen: Callable[[str, int], bool]
) -> YoutubeVosScore:
    """J and F over seen and unseen classes and their mean G.

    Args:
        sequences: scores by the YouTube-VOS plan.
        is_seen: whether the class of (sequence, object id) occurs in training.

    Source: Xu et al., YouTube-VOS: A Large-Scale Video Object Segmentation Benchmark, 2018.
    """
    groups: dict[bool, list[ObjectScores]] = {True: [], False: []}
    for sequence in sequences:
        for scores in sequence.objects:
            groups[is_seen(sequence.name, scores.object_id)].append(scores)
    j_seen, j_unseen = (_mean_over([o.j for o in groups[seen]]) for seen in (True, False))
    f_seen, f_unseen = (_mean_over([o.f for o in groups[seen]]) for seen in (True, False))
    known = [value for value in (j_seen, j_unseen, f_seen, f_unseen) if value is not None]
    g = sum(known) / 4 if len(known) == 4 else None
    return YoutubeVosScore(j_seen, j_unseen, f_seen, f_unseen, g)


def all_equal_warning(sequences: Iterable[SequenceScores]) -> str | None:
    """One line if every frame of every object scores the same, which real predictions don't."""
    objects = [o for s in sequences for o in s.objects if len(o.frames)]
    values = np.concatenate([np.stack((o.j, o.f), axis=1) for o in objects] or [np.empty((0, 2))])
    if len(values) < 2 or not (values == values[0]).all():
        return None
    j, f = values[0]
    return (
        f"all {len(values)} scores are equal (J {j:.3f}, F {f:.3f}): "
        "check that the predictions are of these clips, and not empty or the annotations"
    )


def _means(statistics: Sequence[SeriesStatistics]) -> tuple[float, float, float]:
    known = [
        (s.mean, s.recall, s.decay)
        for s in statistics
        if s.mean is not None and s.recall is not None and s.decay is not None
    ]
    if not known:
        raise ValueError("no object has a frame that counts")
    mean, recall, decayed = np.array(known, np.float64).mean(axis=0)
    return float(mean), float(recall), float(decayed)


def _mean_over(series: Sequence[NDArray[np.float64]]) -> float | None:
    """Mean over objects of their means over frames."""
    means = [float(values.mean()) for values in series if len(values)]
    return sum(means) / len(means) if means else None
