"""Metrics of other packages, computed from a sequence's masks."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks, Overlapping, flat, mask_of
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.datasets.predictions import read_prediction
from vosbench.harness.metric import Metric, Over, computed_metrics
from vosbench.harness.metrics.folder import chunks

MasksOf = Callable[[int], Masks]


class MetricFault(RuntimeError):  # noqa: N818 - said of a plug-in, not raised by it
    """A metric of another package failed."""


@dataclass
class KeptMasks:
    """Predicted masks of the frames that count, packed; a fork shares what is there.

    A label map of a video's frame packs to a hundredth, so that a walk of many branches can keep
    all of them until its end.
    """

    packed: dict[int, _Packed] = field(default_factory=dict)

    def fork(self) -> KeptMasks:
        """The same frames so far."""
        return KeptMasks(dict(self.packed))

    def keep(self, t: int, masks: Masks) -> None:
        """Take frame ``t``."""
        self.packed[t] = _Packed.of(masks)

    def masks(self, t: int) -> Masks:
        """What was kept of frame ``t``."""
        return self.packed[t].opened()


@dataclass(frozen=True)
class _Packed:
    """Masks of one frame: a label map (id 0), or a mask for each id."""

    shape: tuple[int, int]
    planes: Mapping[int, bytes]

    @classmethod
    def of(cls, masks: Masks) -> _Packed:
        if isinstance(masks, Overlapping):
            return cls(masks.size, {i: _squeezed(mask) for i, mask in masks.masks.items()})
        return cls((masks.shape[0], masks.shape[1]), {0: _squeezed(masks)})

    def opened(self) -> Masks:
        planes = {
            i: np.frombuffer(zlib.decompress(plane), np.uint8).reshape(self.shape)
            for i, plane in self.planes.items()
        }
        if 0 in planes:
            return planes[0]
        return Overlapping(self.shape, {i: plane > 0 for i, plane in planes.items()})


def _squeezed(plane: NDArray[np.generic]) -> bytes:
    return zlib.compress(np.ascontiguousarray(plane, np.uint8).tobytes(), 1)


def computed_scores(
    plan: ScoringPlan, truth: MasksOf, predicted: MasksOf
) -> dict[int, dict[str, float]]:
    """By object and name, every metric that other packages bring; NaN for unscored objects.

    Args:
        plan: which frames of which objects count.
        truth, predicted: masks by frame.

    Raises:
        MetricFault: a metric failed, or gave no number.
    """
    found: dict[int, dict[str, float]] = {object_id: {} for object_id in plan.frames}
    for metric in computed_metrics():
        for object_id, frames in plan.frames.items():
            value = math.nan
            if frames:
                value = _compute(metric, _masks(plan, object_id, truth, predicted))
            found[object_id][metric.name] = value
    return found


def folder_scores(
    results_dir: Path, clips: Sequence[tuple[Clip, ScoringPlan]]
) -> list[dict[int, dict[str, float]]]:
    """:func:`computed_scores` of ``results_dir/<clip>/<frame>.png``, sequence by sequence."""
    if not computed_metrics():
        return []
    return [_clip_scores(results_dir, clip, plan) for clip, plan in clips]


def _clip_scores(results_dir: Path, clip: Clip, plan: ScoringPlan) -> dict[int, dict[str, float]]:
    files = dict(frame for chunk in chunks(results_dir, clip, plan) for frame in chunk.frames)

    def truth(t: int) -> Masks:
        masks = clip.masks(t)
        assert masks is not None, "a plan names annotated frames only"
        return masks

    def predicted(t: int) -> Masks:
        return read_prediction(files[t], clip.label_size or clip.size)

    return computed_scores(plan, truth, predicted)


def mean_scores(sequences: Iterable[Mapping[int, Mapping[str, float]]]) -> dict[str, float]:
    """Each metric over some sequences, as its record says; NaN where it is unknown throughout.

    Args:
        sequences: scalars by object and name, of each sequence.
    """
    held = [list(objects.values()) for objects in sequences]
    total = {}
    for metric in computed_metrics():
        known = [_known(metric.name, objects) for objects in held]
        values = (
            [float(np.mean(each)) for each in known if each]
            if metric.over is Over.SEQUENCES
            else [value for each in known for value in each]
        )
        if values:
            total[metric.name] = float(np.mean(values))
    return total


def _known(name: str, objects: Iterable[Mapping[str, float]]) -> list[float]:
    values = [scalars.get(name, math.nan) for scalars in objects]
    return [value for value in values if not math.isnan(value)]


def _masks(
    plan: ScoringPlan, object_id: int, truth: MasksOf, predicted: MasksOf
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    for t in plan.frames[object_id]:
        if plan.merge_objects:
            yield flat(truth(t)) > 0, flat(predicted(t)) > 0
        else:
            yield mask_of(truth(t), object_id), mask_of(predicted(t), object_id)


def _compute(metric: Metric, masks: Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]) -> float:
    assert metric.compute is not None
    try:
        return float(metric.compute(masks))
    except Exception as error:
        raise MetricFault(f"metric {metric.name}: {type(error).__name__}: {error}") from error
