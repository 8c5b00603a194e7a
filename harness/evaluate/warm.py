"""Warm up a runner for one size of frames: every path it may take, until times are stable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

import torch

from vosbench.harness.evaluate.accuracy import SoloWalk, clip_info
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.inputs import frame_of, given_masks
from vosbench.harness.measure.clock import Clock
from vosbench.harness.measure.warmup import WarmUpRecord, WarmUpRule, warm_up
from vosbench.runners.interface import ClipInfo, Frame, Path, PolicyRunner, no_spans
from vosbench.runners.policies import Always, AlwaysCopy, Never

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Runner, Walk
    from vosbench.runners.policy import GatePolicy

GPU_RULE = WarmUpRule()
CPU_RULE = WarmUpRule(block=2, blocks=2, tolerance=0.1, max_runs=12)
"""Frames take long on a CPU, and little of that is warming up."""

FORCED: Mapping[Path, GatePolicy] = {
    Path.FULL: Never(),
    Path.REUSE: Always(),
    Path.COPY: AlwaysCopy(),
}
"""The policy that takes a path always."""


def warm_paths(
    runner: Runner, clip: Clip, truth: Annotations, device: torch.device, clock: Clock
) -> tuple[WarmUpRecord, ...]:
    """Step on the clip's first frames, each path by itself where the runner lets paths be forced.

    The frame after the first objects' frame is shown again and again, under rising indices.
    """
    rule = CPU_RULE if device.type == "cpu" else GPU_RULE
    first, masks, info = _first_frame(runner, clip, truth, device)
    start = first.index
    following = frame_of(start + 1, clip.image(min(start + 1, len(clip) - 1)), device).image
    records = []
    for path in sorted(runner.spec.paths) if can_force(runner) else (Path.FULL,):
        walk = forced_walk(runner, info, path)
        walk.add_objects(first, masks)
        walk.step(first, no_spans)
        index = start

        def once(walk: Walk = walk) -> float:
            nonlocal index
            index += 1
            began = clock.mark()
            walk.step(Frame(index, following), no_spans)
            return float(clock.resolve([(began, clock.mark())])[0])

        records.append(warm_up(once, rule))
    return tuple(records)


def warm_first_frame(runner: Runner, clip: Clip, truth: Annotations, device: torch.device) -> None:
    """Begin the clip's first objects once, as the published code warms up, and nothing else."""
    first, masks, info = _first_frame(runner, clip, truth, device)
    runner.start(info)
    runner.add_objects(first, masks)
    runner.step(first, no_spans)


def _first_frame(
    runner: Runner, clip: Clip, truth: Annotations, device: torch.device
) -> tuple[Frame, dict[int, torch.Tensor], ClipInfo]:
    start = min(clip.objects.values())
    masks = given_masks(clip, start, truth.masks(start), device)
    info = clip_info(clip, truth if runner.spec.needs_truth else None, device)
    return frame_of(start, clip.image(start), device), masks, info


def can_force(runner: Runner) -> TypeGuard[PolicyRunner]:
    """Whether its paths can be taken one by one: it takes policies."""
    return isinstance(runner, PolicyRunner) and runner.spec.tells is not None


def forced_walk(runner: Runner, info: ClipInfo, path: Path) -> Walk:
    """A walk that always takes ``path``, or the runner's own where paths can't be forced."""
    if can_force(runner):
        return runner.walk(info, (FORCED[path],))
    return SoloWalk(runner, info)
