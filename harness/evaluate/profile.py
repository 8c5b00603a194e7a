"""What each path of a model costs: time, arithmetic and energy, stage by stage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from vosbench.harness.evaluate.accuracy import clip_info
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.flops import Arithmetic, count_flops
from vosbench.harness.evaluate.inputs import frame_of, given_masks
from vosbench.harness.evaluate.warm import can_force, forced_walk, warm_paths
from vosbench.harness.measure.clock import clock_for
from vosbench.harness.measure.energy_meter import measure, per_frame_j, source_for
from vosbench.harness.measure.energy_readings import NoSource
from vosbench.harness.measure.spans import SequenceTimer, SequenceTimes, stage_order
from vosbench.runners.interface import Frame, Path, SharingRunner, no_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Runner, Walk

ENERGY_S = 5.0


@dataclass(frozen=True)
class StageCost:
    """One stage of a path: median ms and operations a frame, as in :class:`PathCost`."""

    stage: str
    ms: float
    gflop: float
    gflop_executed: float


@dataclass(frozen=True)
class PathCost:
    """One path.

    Attributes:
        ms: median of the frames timed with spans off.
        spanned_ms: median of those timed with spans on.
        gflop: operations of the architecture as described, 10⁹, as torch counts them.
        gflop_executed: those of the frames that were timed, which take shortcuts.
        joules: gross energy a frame, None with ``joules_reason``.
    """

    path: Path
    ms: float
    spanned_ms: float
    gflop: float
    gflop_executed: float
    joules: float | None
    joules_reason: str | None
    stages: tuple[StageCost, ...]


def profile(runner: Runner, clip: Clip, device: torch.device, frames: int) -> tuple[PathCost, ...]:
    """Measure beginning the clip's first objects, and ``frames`` frames of each path.

    A loaded runner with reuse modules is forced down each path; any other runs as it is. The
    frame after the first is shown again and again.
    """
    return _Profiler(runner, clip, device, frames).costs()


@torch.inference_mode()
def path_arithmetic(runner: SharingRunner, clip: Clip, device: torch.device) -> dict[str, float]:
    """GFLOP as described, by ``gflop/PATH/STAGE``, of the clip's second frame."""
    profiler = _Profiler(runner, clip, device, 1)
    return {
        f"gflop/{path.value}/{stage}": operations / 1e9
        for path in profiler.paths()
        for stage, operations in profiler.counted(path, described=True).stages.items()
    }


class _Profiler:
    def __init__(self, runner: Runner, clip: Clip, device: torch.device, frames: int) -> None:
        self._runner, self._clip, self._device, self._frames = runner, clip, device, frames
        self._clock = clock_for(device)
        self._truth = Annotations(clip)
        self._start = min(clip.objects.values())
        labels = self._truth.masks(self._start)
        self._masks = given_masks(clip, self._start, labels, device)
        self._frames_shown = [
            frame_of(t, clip.image(min(t, len(clip) - 1)), device)
            for t in (self._start, self._start + 1)
        ]

    def costs(self) -> tuple[PathCost, ...]:
        warm_paths(self._runner, self._clip, self._truth, self._device, self._clock)
        return (self._init(), *(self._path(path) for path in self.paths()))

    def paths(self) -> tuple[Path, ...]:
        """Those that the runner can be forced down; the full one for any other."""
        forced = (Path.FULL, Path.REUSE, Path.COPY)
        return forced if can_force(self._runner) else forced[:1]

    def _walk(self, path: Path) -> Walk:
        return forced_walk(self._runner, clip_info(self._clip, None, self._device), path)

    def _begin(self, walk: Walk) -> None:
        frame = self._frame(0)
        walk.add_objects(frame, self._masks)
        walk.step(frame, no_spans)

    def _frame(self, offset: int) -> Frame:
        return Frame(self._start + offset, self._frames_shown[min(offset, 1)].image)

    def _init(self) -> PathCost:
        times = []
        for _ in range(3):
            walk = self._walk(Path.FULL)
            began = self._clock.mark()
            self._begin(walk)
            times.append(float(self._clock.resolve([(began, self._clock.mark())])[0]))
        described, executed = (
            count_flops(lambda _: self._begin(self._walk(Path.FULL)), described=d).total / 1e9
            for d in (True, False)
        )
        ms = median(times)
        return PathCost(Path.INIT, ms, ms, described, executed, None, "not measured", ())

    def _path(self, path: Path) -> PathCost:
        headline, spanned = self._timed_by_turns(path)
        described, executed = (self.counted(path, described=d) for d in (True, False))
        joules, reason = self._joules(path)
        names = sorted({*spanned.stage_ms, *executed.stages}, key=stage_order)
        stages = tuple(
            StageCost(
                name,
                float(np.median(spanned.stage_ms[name])) if name in spanned.stage_ms else math.nan,
                described.stages.get(name, 0) / 1e9,
                executed.stages.get(name, 0) / 1e9,
            )
            for name in names
        )
        return PathCost(
            path,
            float(np.median(headline.frame_ms)),
            float(np.median(spanned.frame_ms)),
            described.total / 1e9,
            executed.total / 1e9,
            joules,
            reason,
            stages,
        )

    def counted(self, path: Path, *, described: bool) -> Arithmetic:
        """Operations of a frame of the path."""
        # In a walk of its own: a frame that was seen before has its features already.
        walk = self._walk(path)
        self._begin(walk)
        frame = self._frame(1)
        return count_flops(lambda spans: walk.step(frame, spans), described=described)

    def _timed(self, path: Path) -> SequenceTimes:
        """Frames of the path, spans off."""
        return self._show(path, (self._timer(spans=False),))[0]

    def _timer(self, *, spans: bool) -> SequenceTimer:
        return SequenceTimer(clock_for(self._device), spans=spans)

    def _timed_by_turns(self, path: Path) -> tuple[SequenceTimes, SequenceTimes]:
        """As many frames with spans off as with spans on, in turn: drift hits both alike."""
        headline, spanned = self._show(path, (self._timer(spans=False), self._timer(spans=True)))
        return headline, spanned

    def _show(self, path: Path, timers: Sequence[SequenceTimer]) -> list[SequenceTimes]:
        walk = self._walk(path)
        self._begin(walk)
        for shown in range(self._frames * len(timers)):
            timer, frame = timers[shown % len(timers)], self._frame(shown + 1)
            with timer.frame():
                walk.step(frame, timer.spans)
        return [timer.finish() for timer in timers]

    def _joules(self, path: Path) -> tuple[float | None, str | None]:
        source = source_for(self._device)
        if isinstance(source, NoSource):
            return None, source.reason
        per_pass_ms = max(1.0, float(np.sum(self._timed(path).frame_ms)))
        passes = math.ceil(1e3 * ENERGY_S / per_pass_ms)

        def work() -> None:
            for _ in range(passes):
                self._timed(path)

        _, reading = measure(source, work)
        return per_frame_j(reading.gross_j, passes * self._frames), reading.reason
