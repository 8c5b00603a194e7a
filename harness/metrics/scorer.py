"""Scores a clip frame by frame as its predictions come, whatever its length."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.overlap import Masks, Overlapping
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.metrics.measures import MEASURES, Measures
from vosbench.harness.metrics.planes import (
    ObjectPlane,
    UnknownLabelsError,
    split_labels,
    split_masks,
)
from vosbench.harness.metrics.truth_cache import TruthCache, TruthFrame, TruthKey

Labels = NDArray[np.uint8]
TruthSource = Masks | Callable[[], Masks]


@dataclass(frozen=True)
class ObjectScores:
    """What was measured of one object over the frames that count.

    Attributes:
        object_id: its label.
        frames: int64 (N,), indices of the scored frames, ascending; N may be 0.
        series: float64 (N,) each, by the names of its measures; ``j`` and ``f`` in 0..1.
    """

    object_id: int
    frames: NDArray[np.int64]
    series: Mapping[str, NDArray[np.float64]]

    @property
    def j(self) -> NDArray[np.float64]:
        """Region similarity."""
        return self.series["j"]

    @property
    def f(self) -> NDArray[np.float64]:
        """Boundary accuracy, where it is measured."""
        return self.series["f"]

    def counted(self, measures: Measures) -> ObjectScores:
        """What of it counts in the end, and is kept."""
        kept = measures.counted(self.series)
        series = {name: self.series[name][kept] for name in measures.kept}
        return ObjectScores(self.object_id, self.frames[kept], series)


@dataclass(frozen=True)
class SequenceScores:
    """The scores of one clip, its objects by ascending id.

    Attributes:
        name: the clip's.
        objects: their scores.
        measures: name of what was measured.
    """

    name: str
    objects: tuple[ObjectScores, ...]
    measures: str = "davis"

    def counted(self) -> SequenceScores:
        """What counts in the end, of a whole clip: some rules look at all of its frames."""
        measures = MEASURES[self.measures]
        return replace(self, objects=tuple(o.counted(measures) for o in self.objects))


def check_label_map(labels: NDArray[np.generic], place: str) -> None:
    """Refuse what isn't a label map, naming its ``place``.

    Raises:
        InputError: it isn't uint8 (H, W) with at least one pixel.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2 or labels.size == 0:
        raise InputError(
            f"{place} is {labels.dtype} {labels.shape}, no label map: "
            "give object ids as uint8 (height, width)"
        )


class SequenceScorer:
    """Measures every object of one clip, one frame at a time.

    Holds no image: memory grows by a few numbers per object and frame.

    Args:
        name: the clip's name, for messages and the cache.
        plan: the objects and the frames that count for each.
        cache: keeps prepared annotations for the next prediction of the same clip.
    """

    def __init__(self, name: str, plan: ScoringPlan, cache: TruthCache | None = None) -> None:
        self.name = name
        self.plan = plan
        self._cache = cache
        self._known = {*plan.object_ids, *plan.ignored}
        self._measures = MEASURES[plan.measures]
        self._scores: dict[int, tuple[tuple[float, ...], ...]] = {}

    def fork(self) -> SequenceScorer:
        """A scorer that goes on from here by itself, with the same plan and cache."""
        twin = SequenceScorer(self.name, self.plan, self._cache)
        twin._scores = dict(self._scores)
        return twin

    def add(
        self,
        index: int,
        truth: TruthSource,
        predicted: Masks,
        *,
        truth_source: str | Path | None = None,
        source: str | Path | None = None,
    ) -> None:
        """Score frame ``index``; a frame that doesn't count is left out.

        Args:
            index: the frame's index in its clip, from 0; each at most once, in any order.
            truth: annotated masks, or a function that loads them, which isn't called if the cache
                holds the frame. Ids outside the plan are background.
            predicted: predicted masks.
            truth_source, source: names of both in messages, such as their files.

        Raises:
            InputError: no label map, sizes that differ, or predicted ids that the clip lacks.
        """
        object_ids = self.plan.objects_at.get(index)
        if object_ids is None:
            return
        if index in self._scores:
            raise ValueError(f"{self.name}: frame {index} was scored before")
        place = str(source or f"{self.name}: prediction of frame {index}")
        truth_place = str(truth_source or f"{self.name}: annotation of frame {index}")
        size = _checked_size(predicted, place)
        annotated = self._prepared(index, truth, truth_place)
        if size != annotated.size:
            raise InputError(
                f"{place} is {_size_text(size)}, its annotation "
                f"{_size_text(annotated.size)}: predict at the size of the annotation"
            )
        try:
            planes = self._planes(predicted, object_ids, self._known)
        except UnknownLabelsError as error:
            raise InputError(
                f"{place} has {_ids_text(error.ids)} that the annotation of {self.name} lacks "
                f"(it has {_list_text(self.plan.object_ids)}): predict annotated objects only"
            ) from None
        self._scores[index] = tuple(
            self._measures.frame(annotated.planes.get(i), planes.get(i), size) for i in object_ids
        )

    def result(self) -> SequenceScores:
        """The scores of all frames that count.

        Raises:
            InputError: a frame that counts was never added.
        """
        missing = [t for t in self.plan.objects_at if t not in self._scores]
        if missing:
            raise InputError(
                f"{self.name}: {len(missing)} of {len(self.plan.objects_at)} frames to score have "
                f"no prediction, first frame {missing[0]}: predict every frame"
            )
        objects = tuple(self._of(i) for i in self.plan.object_ids)
        return SequenceScores(self.name, objects, self.plan.measures)

    def _prepared(self, index: int, truth: TruthSource, place: str) -> TruthFrame:
        def prepare() -> TruthFrame:
            masks = truth() if callable(truth) else truth
            size = _checked_size(masks, place)
            # All of the clip's objects, for the cache also serves plans of other protocols.
            return TruthFrame(size, self._planes(masks, self.plan.object_ids, None))

        if self._cache is None:
            return prepare()
        key = TruthKey(self.name, index, self.plan.object_ids, self.plan.merge_objects)
        return self._cache.frame(key, prepare)

    def _planes(
        self, masks: Masks, wanted: Collection[int], known: Collection[int] | None
    ) -> dict[int, ObjectPlane]:
        if isinstance(masks, Overlapping):
            return split_masks(masks, wanted, known=known)
        merge = self.plan.merge_objects
        return split_labels(masks, wanted, merge_objects=merge, known=known)

    def _of(self, object_id: int) -> ObjectScores:
        frames = self.plan.frames[object_id]
        names = self._measures.series
        rows = [self._scores[t][self.plan.objects_at[t].index(object_id)] for t in frames]
        values = np.array(rows, np.float64).reshape(len(frames), len(names))
        series = {name: values[:, k].copy() for k, name in enumerate(names)}
        return ObjectScores(object_id, np.array(frames, np.int64), series)


def _checked_size(masks: Masks, place: str) -> tuple[int, int]:
    if isinstance(masks, Overlapping):
        return masks.size
    check_label_map(masks, place)
    return masks.shape[0], masks.shape[1]


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _list_text(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids))


def _ids_text(ids: tuple[int, ...]) -> str:
    return f"object id {ids[0]}" if len(ids) == 1 else f"object ids {_list_text(ids)}"
