"""From a pass with spans to the share of each stage, beside the headline pass without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vosbench.harness.measure.spans import SequenceTimes, stage_order


@dataclass(frozen=True)
class StageTime:
    """One stage of a breakdown: mean ms a frame, and its share of the frame, 0..1."""

    stage: str
    ms_per_frame: float
    share: float


@dataclass(frozen=True)
class Breakdown:
    """Where the time of a frame goes.

    Attributes:
        stages: in table order.
        unspanned_ms: mean ms a frame that no span covers.
        frame_ms: mean ms a frame in the pass with spans.
        headline_ms: mean ms a frame in the pass without; None if there was none.
    """

    stages: tuple[StageTime, ...]
    unspanned_ms: float
    frame_ms: float
    headline_ms: float | None

    @property
    def overhead(self) -> float | None:
        """What the spans added, as a fraction of the headline; can be negative by noise."""
        return None if self.headline_ms is None else self.frame_ms / self.headline_ms - 1


def breakdown(
    spanned: Sequence[SequenceTimes], headline: Sequence[SequenceTimes] = ()
) -> Breakdown:
    """Mean over all frames of the passes; stages in table order.

    Raises:
        ValueError: if nothing was timed.
    """
    frames = sum(len(times.frame_ms) for times in spanned)
    if not frames:
        raise ValueError("no frames in the pass with spans")
    frame_ms = sum(float(times.frame_ms.sum()) for times in spanned) / frames
    names = sorted({stage for times in spanned for stage in times.stage_ms}, key=stage_order)
    mean_ms = {
        name: sum(float(t.stage_ms[name].sum()) for t in spanned if name in t.stage_ms) / frames
        for name in names
    }
    plain = np.concatenate([times.frame_ms for times in headline]) if headline else None
    return Breakdown(
        stages=tuple(StageTime(name, ms, ms / frame_ms) for name, ms in mean_ms.items()),
        unspanned_ms=frame_ms - sum(mean_ms.values()),
        frame_ms=frame_ms,
        headline_ms=None if plain is None else float(plain.mean()),
    )
