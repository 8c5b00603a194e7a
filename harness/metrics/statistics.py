"""Mean, recall and decay of a series, as the official DAVIS evaluation makes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


@dataclass(frozen=True)
class SeriesStatistics:
    """Mean, recall and decay of one object's J or F; all None if no frame counts."""

    mean: float | None
    recall: float | None
    decay: float | None


def decay(values: NDArray[np.float64]) -> float:
    """Mean over the first quarter of a series (N,), N > 0, minus that over the last.

    Neighbouring quarters share the frame between them, as in the official evaluation (whose
    indices overflow beyond 255 frames; these don't).
    """
    edges = np.round(np.linspace(1, len(values), DECAY_BINS + 1) + 1e-10).astype(np.int64) - 1
    first = values[edges[0] : edges[1] + 1]
    last = values[edges[-2] : edges[-1] + 1]
    return float(first.mean() - last.mean())


def series_statistics(values: NDArray[np.float64]) -> SeriesStatistics:
    """Mean, share above 0.5 and decay of one object's series (N,)."""
    if len(values) == 0:
        return SeriesStatistics(None, None, None)
    return SeriesStatistics(
        float(values.mean()), float((values > RECALL_THRESHOLD).mean()), decay(values)
    )
