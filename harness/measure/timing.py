"""From frame times to the numbers of a table: pure statistics and the conventions behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError


class Scope(StrEnum):
    """What a frame's time holds."""

    MODEL = "model"
    """The model alone: frames lie on the device beforehand."""
    END_TO_END = "end_to_end"
    """Decoding and transfer as well."""


class Average(StrEnum):
    """How the frames of several clips become one FPS."""

    POOLED = "pooled"
    """All frames / all time."""
    SEQUENCES = "sequences"
    """Mean of the clips' own FPS."""


class WarmUp(StrEnum):
    """What runs before the first timed frame."""

    STABLE = "stable"
    """Every input shape and path, until times are stable."""
    FIRST_FRAME = "first_frame"
    """The first frame of the first clip, once."""


@dataclass(frozen=True)
class Convention:
    """A named way of counting frames per second; numbers of two conventions do not compare.

    Attributes:
        name: stored with every FPS.
        counts_first_frame: the first frame and its training count; else tracked frames only.
        note: what the published code did beside it that this harness does not imitate.
    """

    name: str
    scope: Scope
    average: Average
    counts_first_frame: bool
    warm_up: WarmUp
    note: str = ""


CONVENTIONS: tuple[Convention, ...] = (
    Convention("model", Scope.MODEL, Average.POOLED, False, WarmUp.STABLE),
    Convention("end_to_end", Scope.END_TO_END, Average.POOLED, False, WarmUp.STABLE),
    Convention("published-frtm", Scope.MODEL, Average.SEQUENCES, True, WarmUp.FIRST_FRAME),
    Convention(
        "published-reuse",
        Scope.MODEL,
        Average.SEQUENCES,
        True,
        WarmUp.FIRST_FRAME,
        note="the published gated loop also copies debug maps to the host inside the timed part",
    ),
)


def convention(name: str) -> Convention:
    """The convention of that name; raises ``InputError`` that lists them."""
    for known in CONVENTIONS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in CONVENTIONS)
    raise InputError(f"unknown timing convention {name!r}: choose one of {names}")


@dataclass(frozen=True)
class ClipTimes:
    """The raw times of one clip.

    Attributes:
        name: the clip.
        frame_ms: float64 (T,), whole frames.
        init_ms: float64 (T,), the part of each spent beginning objects.
        tracked_objects: int (T,), objects that were tracked, not begun, in each frame.

    Raises:
        ValueError: if lengths differ, the clip is empty, or a time is not positive and finite.
    """

    name: str
    frame_ms: NDArray[np.float64]
    init_ms: NDArray[np.float64]
    tracked_objects: NDArray[np.integer]

    def __post_init__(self) -> None:
        if not len(self.frame_ms):
            raise ValueError(f"clip {self.name!r} has no frames")
        if not len(self.frame_ms) == len(self.init_ms) == len(self.tracked_objects):
            raise ValueError(f"clip {self.name!r}: series of different lengths")
        if not (np.isfinite(self.frame_ms).all() and (self.frame_ms > 0).all()):
            raise ValueError(f"clip {self.name!r}: a frame time is not positive and finite")

    @property
    def tracked(self) -> NDArray[np.bool_]:
        """Bool (T,): frames in which at least one object was tracked."""
        return np.asarray(self.tracked_objects > 0)

    @property
    def training_ms(self) -> float:
        """All time of beginning objects: frames that track nothing, and their part of others."""
        return float(np.where(self.tracked, self.init_ms, self.frame_ms).sum())

    def counted_ms(self, convention: Convention) -> NDArray[np.float64]:
        """Times that ``convention`` counts, one a counted frame."""
        if convention.counts_first_frame:
            return self.frame_ms
        return np.asarray((self.frame_ms - self.init_ms)[self.tracked])


@dataclass(frozen=True)
class TimingSummary:
    """What a table prints.

    Attributes:
        convention: name; :attr:`fps` is counted its way.
        fps: frames per second; None if no frame counts (clips of one frame).
        pooled_fps, sequence_fps: the same by either average.
        p50_ms, p95_ms, p99_ms: of the counted frames.
        training_ms: mean over clips of the time spent beginning objects.
        objects_per_frame: mean number of tracked objects over tracked frames.
        frames, clips: how many were counted.
    """

    convention: str
    fps: float | None
    pooled_fps: float | None
    sequence_fps: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    training_ms: float
    objects_per_frame: float | None
    frames: int
    clips: int


def pooled_fps(clips: Sequence[NDArray[np.float64]]) -> float | None:
    """All frames / all time, frames per second, from ms a frame; None without frames."""
    total_ms = sum(float(clip.sum()) for clip in clips)
    return 1e3 * sum(map(len, clips)) / total_ms if total_ms > 0 else None


def sequence_fps(clips: Sequence[NDArray[np.float64]]) -> float | None:
    """Mean of the clips' own FPS, from ms a frame; clips without counted frames are left out."""
    each = [fps for clip in clips if (fps := pooled_fps([clip])) is not None]
    return float(np.mean(each)) if each else None


def clip_fps(clip: ClipTimes, convention: Convention) -> float | None:
    """One clip's frames per second; None if no frame of it counts."""
    return pooled_fps([clip.counted_ms(convention)])


def summarise(clips: Sequence[ClipTimes], convention: Convention) -> TimingSummary:
    """The table's numbers for ``clips``.

    Raises:
        ValueError: without clips.
    """
    if not clips:
        raise ValueError("nothing was timed")
    counted = [clip.counted_ms(convention) for clip in clips]
    pooled, mean = pooled_fps(counted), sequence_fps(counted)
    every_ms = np.concatenate(counted)
    p50, p95, p99 = (
        [float(value) for value in np.percentile(every_ms, [50, 95, 99])]
        if len(every_ms)
        else [None, None, None]
    )
    objects = np.concatenate([clip.tracked_objects[clip.tracked] for clip in clips])
    return TimingSummary(
        convention=convention.name,
        fps=pooled if convention.average is Average.POOLED else mean,
        pooled_fps=pooled,
        sequence_fps=mean,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        training_ms=float(np.mean([clip.training_ms for clip in clips])),
        objects_per_frame=float(objects.mean()) if len(objects) else None,
        frames=len(every_ms),
        clips=len(clips),
    )
