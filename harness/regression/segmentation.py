"""Steps in a series: where its level changed, and where it only wobbled."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_SEGMENT = 2
"""A level is believed once two values show it, so that one odd run is no step."""

PENALTY = 1.5
"""Weight of log(N) against a further piece. By simulation with normal noise: a false step in 4 of
100 series of 30 equal levels (10 of 100 of length 10, 2 of length 100), and a step of four standard
deviations that only the last three of 30 values show is found in 95 of 100."""

_NORMAL_MAD = 0.6744897501960817  # median of |Z| for a standard normal Z


@dataclass(frozen=True)
class Segment:
    """Values [start, stop) of one level, their median."""

    start: int
    stop: int
    level: float


def noise_of(values: NDArray[np.float64]) -> float:
    """Standard deviation of single values about their level, from neighbours' differences.

    The median of absolute differences hardly feels the few that cross a step.
    """
    if len(values) < 2:
        return 0.0
    difference = float(np.median(np.abs(np.diff(values))))
    return difference / (_NORMAL_MAD * math.sqrt(2.0))


def segment(
    values: Sequence[float] | NDArray[np.float64],
    *,
    least_noise: float = 0.0,
    penalty: float = PENALTY,
    min_segment: int = MIN_SEGMENT,
) -> tuple[Segment, ...]:
    """The piecewise constant function that fits best, each further piece at a price.

    Minimises absolute error + penalty · noise · log(N) per piece over all partitions, by dynamic
    programming in O(N² log N) steps. Absolute errors, because a single odd run, however far off,
    then gains nothing by a piece of its own and a neighbour.

    Args:
        values: (N,) in order, finite.
        least_noise: standard deviation to assume at least, where values may repeat exactly.
        penalty: see above.
        min_segment: least length of a piece (a shorter series is one piece).

    Returns:
        Pieces that cover all values in order; none for an empty series.
    """
    y = np.asarray(values, dtype=np.float64)
    count = len(y)
    if count == 0:
        return ()
    price = penalty * max(noise_of(y), least_noise) * math.log(count)
    # Rounding must not make a step of equal values.
    price += 1e-12 * (1.0 + float(np.abs(y).sum()))
    starts = _best_starts(y.tolist(), price, min(min_segment, count))
    pieces: list[Segment] = []
    stop = count
    while stop > 0:
        start = starts[stop]
        pieces.append(Segment(start, stop, float(np.median(y[start:stop]))))
        stop = start
    return tuple(reversed(pieces))


def _best_starts(y: list[float], price: float, shortest: int) -> list[int]:
    """For every stop, where the last piece of the best partition of y[:stop] starts."""
    count = len(y)
    costs = [0.0] + [math.inf] * count
    starts = [0] * (count + 1)
    for start in range(count):
        if math.isinf(costs[start]):
            continue
        # costs[start] is final: all pieces that end at `start` began before it.
        for length, error in enumerate(_errors(y[start:]), 1):
            cost = costs[start] + error + price
            if length >= shortest and cost < costs[start + length]:
                costs[start + length], starts[start + length] = cost, start
    return starts


def _errors(values: list[float]) -> list[float]:
    """Sum of absolute deviations from the median, of values[:1], values[:2], …

    Two heaps hold the lower and the upper half; only their sums are needed.
    """
    lower: list[float] = []  # negated, so that its greatest comes first
    upper: list[float] = []
    lower_sum = upper_sum = 0.0
    errors = []
    for value in values:
        passed = -heapq.heappushpop(lower, -value)
        lower_sum += value - passed
        heapq.heappush(upper, passed)
        upper_sum += passed
        if len(upper) > len(lower):
            least = heapq.heappop(upper)
            upper_sum -= least
            heapq.heappush(lower, -least)
            lower_sum += least
        middle = -lower[0] if len(lower) > len(upper) else 0.0
        errors.append(max(0.0, upper_sum - lower_sum + middle))
    return errors


def steps(pieces: Sequence[Segment]) -> tuple[int, ...]:
    """Places at which a new level begins."""
    return tuple(piece.start for piece in pieces[1:])
