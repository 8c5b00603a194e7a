"""Accuracy of one or several policies on a clip, in one walk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.datasets.overlap import flat, mask_of
from vosbench.harness.datasets.prefetch import DecodedFrame, Prefetch
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.faults import checked_masks
from vosbench.harness.evaluate.lanes import Lane, split_lane
from vosbench.harness.evaluate.summary import clip_result
from vosbench.harness.metric import computed_metrics
from vosbench.harness.metrics import SequenceScorer, TruthCache
from vosbench.harness.metrics.computed import KeptMasks
from vosbench.harness.store.arrays import ArrayPacker
from vosbench.harness.trials import ClipResult
from vosbench.runners.interface import ClipInfo, Frame, no_spans
from vosbench.runners.plugins import in_this_folder

if TYPE_CHECKING:
    import torch

    from vosbench.runners.interface import Runner, Spans, Step, Walk


@dataclass(frozen=True)
class Evaluation:
    """How clips are evaluated.

    Attributes:
        dataset: where the clips come from.
        device: where frames go.
        cache: prepared annotations, shared by all runs on the dataset.
        keep_masks: store the predicted label maps.
        traced: frames of which to store what the network saw.
    """

    dataset: Dataset
    device: torch.device
    cache: TruthCache
    keep_masks: bool = False
    traced: frozenset[int] = frozenset()


class SoloWalk:
    """A runner that shares nothing, as a walk of one."""

    passes_computed = 0
    passes_saved = 0

    def __init__(self, runner: Runner, clip: ClipInfo) -> None:
        self._runner = runner
        with in_this_folder():
            runner.start(clip)

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        with in_this_folder():
            self._runner.add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        with in_this_folder():
            return (self._runner.step(frame, spans),)


def clip_info(
    clip: Clip,
    truth: Annotations | None,
    device: torch.device,
    wanted: Mapping[int, tuple[int, ...]] | None = None,
) -> ClipInfo:
    """What a runner may know of ``clip``; with ``truth``, annotations as well (for oracles).

    ``wanted`` are the frames that count, by object id.
    """
    import torch

    def mask(t: int, object_id: int) -> torch.Tensor | None:
        assert truth is not None
        masks = truth.masks(t)
        return None if masks is None else torch.from_numpy(mask_of(masks, object_id)).to(device)

    height, width = clip.size
    return ClipInfo(
        clip.name,
        height,
        width,
        len(clip),
        truth=mask if truth is not None else None,
        frame_names=clip.frame_names,
        merged=clip.merge_objects,
        ungiven=clip.early_ids,
        ignored=clip.ignored_ids | set(clip.objects),
        object_names=clip.object_names,
        wanted=wanted or {},
    )


def evaluate_clip(
    begin: Callable[[ClipInfo], Walk],
    policies: int,
    clip: Clip,
    how: Evaluation,
    on_frame: Callable[[], None],
    *,
    oracle: bool = False,
    early: bool = False,
) -> tuple[ClipResult, ...]:
    """Walk a clip and score it: one result per policy, in order.

    Args:
        begin: begins the walk.
        policies: how many steps the walk gives per frame.
        oracle: let the runner see annotations.
        early: let it predict before the first object is given, where that counts.
        on_frame: told after each frame.

    Raises:
        InputError: damaged data.
        RunnerFault: the runner broke its interface.
    """
    truth = Annotations(clip)
    wanted = how.dataset.plan(clip).frames
    info = clip_info(clip, truth if oracle else None, how.device, wanted)
    walk = begin(replace(info, traced=how.traced, watched=True))
    early = early and clip.counts_early
    observed = _ObservedWalk(walk, clip, how, truth, policies, early=early)
    for decoded in Prefetch(clip):
        observed.advance(decoded)
        on_frame()
    passes = (walk.passes_computed, walk.passes_saved)
    results = {
        member: replace(
            clip_result(clip, lane, truth, passes if policies > 1 else None),
            traced=tuple(sorted(how.traced)),
        )
        for lane in observed.lanes
        for member in lane.members
    }
    return tuple(results[member] for member in range(policies))


class _ObservedWalk:
    """A walk, and the lanes that note what it does."""

    def __init__(
        self,
        walk: Walk,
        clip: Clip,
        how: Evaluation,
        truth: Annotations,
        policies: int,
        *,
        early: bool,
    ) -> None:
        self._walk, self._clip, self._device, self._truth = walk, clip, how.device, truth
        self._traced, self._early = how.traced, early
        self._known: set[int] = set()
        scorer = SequenceScorer(clip.name, how.dataset.plan(clip), how.cache)
        masks = ArrayPacker() if how.keep_masks else None
        kept = KeptMasks() if computed_metrics() else None
        self.lanes = [Lane(tuple(range(policies)), clip.scored_ids, scorer, masks, kept)]

    def advance(self, decoded: DecodedFrame) -> None:
        """Take one frame through the walk and into the lanes."""
        t = decoded.t
        self._truth.observe(t, decoded.annotation)
        new = self._clip.starting(t)
        self._known |= set(new)
        if not self._known and not self._early:
            blank = np.zeros(self._clip.size, np.uint8)
            for lane in self.lanes:
                lane.note(t, blank, None, self._truth)
            return
        steps = dict(enumerate(self._step(decoded)))
        branches = [pair for lane in self.lanes for pair in split_lane(lane, steps)]
        for lane, step in branches:
            masks = checked_masks(step, frame=t, clip=self._clip, known=self._known, new=new)
            lane.note(t, masks, step, self._truth)
            if t in self._traced:
                annotation = None if decoded.annotation is None else flat(decoded.annotation)
                lane.trace.note(t, decoded.image, flat(masks), annotation, step)
        self.lanes = [lane for lane, _ in branches]

    def _step(self, decoded: DecodedFrame) -> list[Step]:
        # Imports torch, which a plan that only asks for scoring rules doesn't need.
        from vosbench.harness.evaluate.fetch import fetched
        from vosbench.harness.evaluate.inputs import frame_of, given_masks

        frame = frame_of(decoded.t, decoded.image, self._device)
        masks = given_masks(self._clip, decoded.t, decoded.annotation, self._device)
        if masks:
            self._walk.add_objects(frame, masks)
        return fetched(self._walk.step(frame, no_spans))
