"""Warm up a runner for one size of frames: every path it may take, until times are stable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch

from vosbench.harness.evaluate.accuracy import SoloWalk, clip_info
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.measure.clock import Clock
from vosbench.harness.measure.warmup import WarmUpRecord, WarmUpRule, warm_up
from vosbench.runners.interface import Frame, Path, SharingRunner, no_spans
from vosbench.runners.policies import Always, AlwaysCopy, Never

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Runner, Walk
    from vosbench.runners.policies import GatePolicy

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
    start = min(clip.objects.values())
    labels = truth.labels(start)
    assert labels is not None, "a clip's objects start in annotated frames"
    masks = {i: torch.from_numpy(labels == i).to(device) for i in clip.starting(start)}

    def image(t: int) -> torch.Tensor:
        return torch.from_numpy(clip.image(t)).permute(2, 0, 1).contiguous().to(device)

    first, following = image(start), image(min(start + 1, len(clip) - 1))
    records = []
    for walk in _walks(runner, clip, truth, device):
        frame = Frame(start, first)
        walk.add_objects(frame, masks)
        walk.step(frame, no_spans)
        index = start

        def once(walk: Walk = walk) -> float:
            nonlocal index
            index += 1
            began = clock.mark()
            walk.step(Frame(index, following), no_spans)
            return float(clock.resolve([(began, clock.mark())])[0])

        records.append(warm_up(once, rule))
    return tuple(records)


def _walks(runner: Runner, clip: Clip, truth: Annotations, device: torch.device) -> Iterator[Walk]:
    info = clip_info(clip, truth if runner.spec.needs_truth else None, device)
    if isinstance(runner, SharingRunner) and runner.spec.policies:
        for path in sorted(runner.spec.paths):
            yield runner.walk(info, (FORCED[path],))
    else:
        yield SoloWalk(runner, info)
