"""From frame times to the numbers of a table: pure statistics and the conventions behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Convention(StrEnum):
    """What counts as frames per second; numbers of two conventions do not compare."""

    MODEL = "model"
    """Tracked frames without the training in them: all frames / all time."""
    PUBLISHED = "published"
    """Every frame, the first one and its training too: mean of the sequences' own FPS."""


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
            raise ValueError(f"sequence {self.name!r} has no frames")
        if not len(self.frame_ms) == len(self.init_ms) == len(self.tracked_objects):
            raise ValueError(f"sequence {self.name!r}: series of different lengths")
        if not (np.isfinite(self.frame_ms).all() and (self.frame_ms > 0).all()):
            raise ValueError(f"sequence {self.name!r}: a frame time is not positive and finite")

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
        if convention is Convention.PUBLISHED:
            return self.frame_ms
        return np.asarray((self.frame_ms - self.init_ms)[self.tracked])


@dataclass(frozen=True)
class TimingSummary:
    """What a table prints.

    Attributes:
        fps: frames per second as the convention counts; None if no frame does.
        pooled_fps, sequence_fps: the same by either average.
        p50_ms, p95_ms, p99_ms: of the counted frames.
        training_ms: mean over clips of the time spent beginning objects.
        objects_per_frame: mean number of tracked objects over tracked frames.
        frames, clips: how many were counted.
    """

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
        fps=pooled if convention is Convention.MODEL else mean,
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
