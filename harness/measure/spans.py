"""Frames, first-frame training and stages of a sequence, on top of a clock's marks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.measure.clock import Clock
from vosbench.runners.interface import Spans, no_spans


class Stage(StrEnum):
    """The stages of a breakdown, in the order in which tables show them."""

    F8 = "f8"
    F16_F32 = "f16+f32"
    MATCHING = "matching"
    GATE = "gate"
    DELTA = "delta"
    CLASSIFY = "target classify"
    UPDATE = "target update"
    INITIALISE = "target initialise"
    TRANSLATOR = "translator"
    REFINER_DEEP = "refiner deep"
    REFINER_SHALLOW = "refiner shallow"
    UPSAMPLE = "upsample"
    AGGREGATE = "aggregate"


@dataclass(frozen=True)
class SequenceTimes:
    """What one pass over a clip took.

    Attributes:
        clock: name of the clock.
        frame_ms: float64 (T,), whole frames.
        init_ms: float64 (T,), the part of each frame spent beginning objects, 0 where none began.
        stage_ms: float64 (T,) by stage, 0 where a frame did not enter it; empty with spans off.
        wall_ms: from the start of the pass until the device was done, by the machine's own clock.
    """

    clock: str
    frame_ms: NDArray[np.float64]
    init_ms: NDArray[np.float64]
    stage_ms: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    wall_ms: float = 0.0

    @property
    def unspanned_ms(self) -> NDArray[np.float64]:
        """Float64 (T,): the part of each frame that no span covers."""
        return self.frame_ms - sum(self.stage_ms.values(), np.zeros_like(self.frame_ms))


class _Interval(NamedTuple):
    """Marks around something that happened in a frame; a tuple, for one is made per span."""

    frame: int
    start: int
    end: int


class SequenceTimer:
    """Times one pass over a clip.

    >>> timer = SequenceTimer(clock_for(device), spans=True)
    >>> for frame in clip:
    ...     with timer.frame():
    ...         with timer.init():
    ...             runner.add_objects(frame, masks)
    ...         runner.step(frame, timer.spans)
    >>> times = timer.finish()

    Args:
        clock: the device's clock; nothing else may mark it until :meth:`finish`.
        spans: time the stages too. Off for the headline: then :attr:`spans` does nothing.
        now_ns: the machine's clock, for the wall time beside the device's.

    Raises:
        RuntimeError: if the clock still holds marks of another sequence.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        spans: bool,
        now_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        if clock.pending():
            raise RuntimeError("the clock holds marks of another sequence: finish or discard it")
        self._clock = clock
        self._now_ns = now_ns
        self._frames: list[_Interval] = []
        self._inits: list[_Interval] = []
        self._stages: dict[str, list[_Interval]] = {}
        self._in_frame = False
        self._open_stage: str | None = None
        self.spans: Spans = self._span if spans else no_spans
        self._started_ns = now_ns()

    def frame(self) -> AbstractContextManager[None]:
        """Time the block as the next frame; raises RuntimeError inside another frame."""
        return _FrameBlock(self)

    def init(self) -> AbstractContextManager[None]:
        """Time the block, inside a frame, as the beginning of objects (first-frame training)."""
        if not self._in_frame:
            raise RuntimeError("init() outside a frame")
        return _Block(self, self._inits)

    def finish(self) -> SequenceTimes:
        """Wait for the device once and resolve everything; the timer is used up afterwards.

        Raises:
            RuntimeError: inside a frame.
        """
        if self._in_frame:
            raise RuntimeError("finish() inside a frame")
        groups = [self._frames, self._inits, *self._stages.values()]
        pairs = [(interval.start, interval.end) for group in groups for interval in group]
        elapsed = self._clock.resolve(pairs)
        wall_ms = (self._now_ns() - self._started_ns) / 1e6
        frame_ms, init_ms, *stage_ms = self._per_frame(groups, elapsed)
        stages = dict(zip(self._stages, stage_ms, strict=True))
        return SequenceTimes(
            clock=self._clock.name,
            frame_ms=frame_ms,
            init_ms=init_ms,
            stage_ms={stage: stages[stage] for stage in sorted(stages, key=stage_order)},
            wall_ms=wall_ms,
        )

    def _per_frame(
        self, groups: Sequence[Sequence[_Interval]], elapsed: NDArray[np.float64]
    ) -> list[NDArray[np.float64]]:
        """Sum of each group's intervals by frame, one float64 (T,) a group."""
        sums, at = [], 0
        for group in groups:
            index = np.array([interval.frame for interval in group], dtype=np.intp)
            total = np.zeros(len(self._frames), dtype=np.float64)
            np.add.at(total, index, elapsed[at : at + len(group)])
            total.flags.writeable = False
            sums.append(total)
            at += len(group)
        return sums

    def _span(self, stage: str) -> AbstractContextManager[None]:
        if not self._in_frame:
            raise RuntimeError(f"span {stage!r} outside a frame")
        if self._open_stage is not None:
            # Both would count the inner one's time, and the sum of stages would pass the frame's.
            raise RuntimeError(f"span {stage!r} inside span {self._open_stage!r}")
        return _StageBlock(self, self._stages.setdefault(stage, []), stage)


def stage_order(stage: str) -> tuple[int, str]:
    """Sort key of a breakdown's rows: known stages as in :class:`Stage`, others after them."""
    known = list(Stage)
    return (known.index(Stage(stage)) if stage in known else len(known), stage)


class _Block:
    """Marks the clock on entry and exit and notes the interval; nothing if the block raised."""

    def __init__(self, timer: SequenceTimer, intervals: list[_Interval]) -> None:
        self._timer = timer
        self._intervals = intervals
        self._start = -1

    def __enter__(self) -> None:
        self._start = self._timer._clock.mark()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            timer = self._timer
            end = timer._clock.mark()
            self._intervals.append(_Interval(len(timer._frames), self._start, end))


class _FrameBlock(_Block):
    def __init__(self, timer: SequenceTimer) -> None:
        super().__init__(timer, timer._frames)

    def __enter__(self) -> None:
        if self._timer._in_frame:
            raise RuntimeError("a frame inside a frame")
        self._timer._in_frame = True
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._timer._in_frame = False


class _StageBlock(_Block):
    def __init__(self, timer: SequenceTimer, intervals: list[_Interval], stage: str) -> None:
        super().__init__(timer, intervals)
        self._stage = stage

    def __enter__(self) -> None:
        self._timer._open_stage = self._stage
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._timer._open_stage = None
