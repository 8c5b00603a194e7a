"""Scores a clip frame by frame as its predictions come, whatever its length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.metrics.planes import UnknownLabelsError, score_planes, split_labels
from vosbench.harness.metrics.truth_cache import TruthCache, TruthFrame, TruthKey

Labels = NDArray[np.uint8]
TruthSource = Labels | Callable[[], Labels]


@dataclass(frozen=True)
class ObjectScores:
    """J and F of one object over the frames that count.

    Attributes:
        object_id: its label.
        frames: int64 (N,), indices of the scored frames, ascending; N may be 0.
        j, f: float64 (N,), in 0..1.
    """

    object_id: int
    frames: NDArray[np.int64]
    j: NDArray[np.float64]
    f: NDArray[np.float64]


@dataclass(frozen=True)
class SequenceScores:
    """The scores of one clip, its objects by ascending id."""

    name: str
    objects: tuple[ObjectScores, ...]


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
    """J and F of every object of one clip, one frame at a time.

    Holds no image: memory grows by two numbers per object and frame.

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
        self._scores: dict[int, tuple[tuple[float, float], ...]] = {}

    def fork(self) -> SequenceScorer:
        """A scorer that goes on from here by itself, with the same plan and cache."""
        twin = SequenceScorer(self.name, self.plan, self._cache)
        twin._scores = dict(self._scores)
        return twin

    def add(
        self,
        index: int,
        truth: TruthSource,
        predicted: Labels,
        *,
        truth_source: str | Path | None = None,
        source: str | Path | None = None,
    ) -> None:
        """Score frame ``index``; a frame that doesn't count is left out.

        Args:
            index: the frame's index in its clip, from 0; each at most once, in any order.
            truth: annotated object ids, uint8 (H, W), or a function that loads them, which isn't
                called if the cache holds the frame. Ids outside the plan are background.
            predicted: predicted object ids, uint8 (H, W).
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
        check_label_map(predicted, place)
        annotated = self._prepared(index, truth, truth_place)
        if predicted.shape != annotated.size:
            raise InputError(
                f"{place} is {_size_text(predicted.shape)}, its annotation "
                f"{_size_text(annotated.size)}: predict at the size of the annotation"
            )
        try:
            planes = split_labels(
                predicted,
                object_ids,
                merge_objects=self.plan.merge_objects,
                known=self._known,
            )
        except UnknownLabelsError as error:
            raise InputError(
                f"{place} has {_ids_text(error.ids)} that the annotation of {self.name} lacks "
                f"(it has {_list_text(self.plan.object_ids)}): predict annotated objects only"
            ) from None
        self._scores[index] = tuple(
            score_planes(annotated.planes.get(i), planes.get(i)) for i in object_ids
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
        return SequenceScores(self.name, tuple(self._of(i) for i in self.plan.object_ids))

    def _prepared(self, index: int, truth: TruthSource, place: str) -> TruthFrame:
        def prepare() -> TruthFrame:
            labels = truth() if callable(truth) else truth
            check_label_map(labels, place)
            # All of the clip's objects, for the cache also serves plans of other protocols.
            planes = split_labels(
                labels, self.plan.object_ids, merge_objects=self.plan.merge_objects
            )
            return TruthFrame((labels.shape[0], labels.shape[1]), planes)

        if self._cache is None:
            return prepare()
        key = TruthKey(self.name, index, self.plan.object_ids, self.plan.merge_objects)
        return self._cache.frame(key, prepare)

    def _of(self, object_id: int) -> ObjectScores:
        frames = self.plan.frames[object_id]
        pairs = [self._scores[t][self.plan.objects_at[t].index(object_id)] for t in frames]
        values = np.array(pairs, np.float64).reshape(len(frames), 2)
        return ObjectScores(
            object_id, np.array(frames, np.int64), values[:, 0].copy(), values[:, 1].copy()
        )


def _size_text(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"


def _list_text(ids: tuple[int, ...]) -> str:
    return ", ".join(map(str, ids))


def _ids_text(ids: tuple[int, ...]) -> str:
    return f"object id {ids[0]}" if len(ids) == 1 else f"object ids {_list_text(ids)}"
