"""Intervals, noise and corrections behind a verdict: pure functions of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

RESAMPLES = 20_000
"""Bootstrap resamples: enough for the tails that a grid of several hundred points asks for."""

MIN_BOOTSTRAP = 10
"""Below so many units a bootstrap knows nothing that Student's t doesn't, and is too narrow."""

_TOGETHER = 0.01
"""Runs of a round are paired if two independent sides would move alike more rarely than this."""

_BLOCK_VALUES = 2_000_000
_SCALE_DRAWS = 100_000


class Statistic(StrEnum):
    """What stands for a clip's repeats."""

    MIN = "min"
    """The fastest repeat: interference only ever slows down."""
    MEAN = "mean"
    MEDIAN = "median"


@dataclass(frozen=True)
class Interval:
    """A confidence interval; infinite where nothing bounds it."""

    low: float
    high: float


UNBOUNDED = Interval(-math.inf, math.inf)


@lru_cache(maxsize=4)
def _weights(count: int, rows: int, seed: int, block: int) -> Floats:
    """How often each unit is drawn, as shares: (rows, count)."""
    generator = np.random.default_rng((seed, block))
    drawn = generator.multinomial(count, np.full(count, 1.0 / count), size=rows)
    return np.asarray(drawn / count, dtype=np.float64)


def _weight_blocks(count: int, resamples: int, seed: int) -> Iterator[Floats]:
    rows = min(resamples, max(1, _BLOCK_VALUES // count))
    for block, start in enumerate(range(0, resamples, rows)):
        yield _weights(count, rows, seed, block)[: resamples - start]


def bootstrap_means(values: Floats, *, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Means of resamples with replacement, ascending.

    A value is the unit that is drawn as a whole: an object's difference, or a clip's mean over
    all its repeats, which makes this the bootstrap clustered by clip.

    Args:
        values: (N,) paired differences, finite.
        resamples: how many.
        seed: equal seeds draw the same units, whatever the values.

    Returns:
        (resamples,) means.
    """
    # A sum over paired cells, not BLAS: the same means on every machine.
    blocks = [
        np.einsum("rn,n->r", weights, values)
        for weights in _weight_blocks(len(values), resamples, seed)
    ]
    return np.sort(np.concatenate(blocks))


def t_quantile(tail: float, degrees: int) -> float:
    """The t with P(T > t) = ``tail``, of Student's t."""
    return -float(special.stdtrit(degrees, tail))


def expanded_tail(alpha: float, count: int) -> float:
    """The tail of a percentile interval that holds its level for few units.

    Plain percentiles are too narrow by the factor sqrt((N-1)/N) and by normal in place of t
    quantiles (Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3).

    Args:
        alpha: one minus the interval's level.
        count: N, number of units, at least 2.
    """
    stretch = math.sqrt(count / (count - 1))
    return NormalDist().cdf(-stretch * t_quantile(alpha / 2.0, count - 1))


@dataclass(frozen=True)
class Noise:
    """How far a change strays when nothing changed: an A/A comparison of the same runs.

    Attributes:
        error: standard error of the change; 0 for a measurement that repeats exactly.
        degrees: degrees of freedom behind it; None if ``error`` is known, not estimated.
        paired: learnt from differences of runs that ran next to each other.
    """

    error: float
    degrees: int | None
    paired: bool = False

    def floor(self, alpha: float) -> float:
        """The absolute change that noise alone exceeds with probability ``alpha``."""
        if self.degrees is None or self.error == 0.0:
            return self.error
        return self.error * t_quantile(alpha / 2.0, self.degrees)


EXACT = Noise(0.0, None)
"""Of what repeats exactly, such as accuracy."""


@dataclass(frozen=True)
class ChangeEvidence:
    """What is known of one change.

    Attributes:
        worsening: the estimate, positive for the worse.
        units: (N,) the change of each object or clip.
        means: ascending bootstrap means of ``units``; empty where they are too few.
        noise: the A/A noise; None if there were no repeats to learn it from.
        few_by_runs: with too few units, the interval is that of the runs, else of the units.
    """

    worsening: float
    units: Floats
    means: Floats
    noise: Noise | None
    few_by_runs: bool

    def interval(self, alpha: float) -> Interval:
        """The confidence interval of ``worsening`` at level 1 - ``alpha``."""
        if len(self.means):
            tail = expanded_tail(alpha, len(self.units))
            return Interval(*map(float, np.quantile(self.means, (tail, 1.0 - tail))))
        if self.few_by_runs:
            return self._about(self.noise.floor(alpha)) if self.noise is not None else UNBOUNDED
        count = len(self.units)
        if count < 2:
            return UNBOUNDED
        error = float(np.std(self.units, ddof=1)) / math.sqrt(count)
        return self._about(error * t_quantile(alpha / 2.0, count - 1))

    def _about(self, half: float) -> Interval:
        return Interval(self.worsening - half, self.worsening + half)


def accuracy_evidence(base: Floats, head: Floats, *, seed: int = 0) -> ChangeEvidence:
    """Evidence from scores of the same objects, higher being better: a paired bootstrap.

    Args:
        base, head: (N,) scores, finite, in the same order.
        seed: of the resampling.
    """
    units = np.asarray(base - head, dtype=np.float64)
    means = bootstrap_means(units, seed=seed) if len(units) >= MIN_BOOTSTRAP else np.empty(0)
    return ChangeEvidence(float(units.mean()), units, means, EXACT, few_by_runs=False)


def cost_evidence(
    base: Floats,
    head: Floats,
    statistic: Statistic = Statistic.MEAN,
    *,
    times: tuple[Floats, Floats] | None = None,
    seed: int = 0,
) -> ChangeEvidence:
    """Evidence from repeated costs of the same clips: log-ratios, bootstrapped by clip.

    Args:
        base, head: (R, S) logarithms of a cost (ms, J; minus the logarithm for FPS) of R repeats
            over S clips; R may differ.
        statistic: what stands for a clip's repeats. The least of more repeats is smaller, so
            ``min`` takes equally many of each side, the first ones.
        times: when each repeat began, (R,) a side, where known; see :func:`run_noise`.
        seed: of the resampling.
    """
    if statistic is Statistic.MIN:
        repeats = min(len(base), len(head))
        base, head = base[:repeats], head[:repeats]
        times = None if times is None else (times[0][:repeats], times[1][:repeats])
    of_repeats = summary(statistic)
    units = np.asarray(of_repeats(head) - of_repeats(base), dtype=np.float64)
    noise = run_noise(base.mean(axis=1), head.mean(axis=1), statistic, times=times)
    means = bootstrap_means(units, seed=seed) if len(units) >= MIN_BOOTSTRAP else np.empty(0)
    return ChangeEvidence(float(units.mean()), units, means, noise, few_by_runs=True)


def summary(statistic: Statistic) -> Callable[[Floats], Floats]:
    """The function (R, S) -> (S,) behind a statistic."""
    functions: Mapping[Statistic, Callable[..., Floats]] = {
        Statistic.MIN: np.min,
        Statistic.MEAN: np.mean,
        Statistic.MEDIAN: np.median,
    }
    function = functions[statistic]
    return lambda values: np.asarray(function(values, axis=0), dtype=np.float64)


@lru_cache(maxsize=256)
def error_of(statistic: Statistic, repeats: int) -> float:
    """Standard error of a statistic of so many standard normal values."""
    if statistic is Statistic.MEAN or repeats == 1:
        return 1.0 / math.sqrt(repeats)
    draws = np.random.default_rng(0).standard_normal((repeats, _SCALE_DRAWS))
    return float(summary(statistic)(draws).std())


def run_noise(
    base: Floats,
    head: Floats,
    statistic: Statistic = Statistic.MEAN,
    *,
    times: tuple[Floats, Floats] | None = None,
) -> Noise | None:
    """A/A noise of the difference of two sides, from the spread of each side's own runs.

    A machine's state moves all clips of a run together, which no resampling of clips can see:
    whole runs are the units here. Where the runs of both sides alternate in time, a steady drift
    of the machine is told apart from the noise; where they don't, it can't be. Where runs that
    ran next to each other still move together, their differences are the units instead: half as
    many, but what moves both sides of a round cancels.

    Args:
        base, head: (R,) mean logarithm of a run's costs.
        statistic: what stands for the repeats; only means are paired.
        times: when each run began, (R,) a side, where known.

    Returns:
        None if no side has two runs.
    """
    residuals = np.concatenate([base - base.mean(), head - head.mean()])
    degrees = len(residuals) - 2
    if degrees < 1:
        return None
    if times is not None and degrees > 1 and alternate(*times):
        drift = np.concatenate([side - side.mean() for side in times])
        residuals = residuals - drift * float(residuals @ drift) / float(drift @ drift)
        degrees -= 1
        neighbours = rounds(*times) if statistic is Statistic.MEAN else None
        if neighbours is not None and _move_together(residuals[neighbours]):
            both = np.concatenate([base, head])[neighbours]
            return paired_noise(both[1] - both[0])
    deviation = _deviation(residuals, degrees)
    sides = (error_of(statistic, len(base)), error_of(statistic, len(head)))
    return Noise(deviation * math.hypot(*sides), degrees)


def _deviation(residuals: Floats, degrees: int) -> float:
    deviation = math.sqrt(float(residuals @ residuals) / degrees)
    return 0.0 if deviation < 1e-12 else deviation  # rounding of equal runs


def paired_noise(differences: Floats) -> Noise:
    """A/A noise of the mean of (R,) differences between runs next to each other, R >= 2."""
    count = len(differences)
    deviation = _deviation(differences - differences.mean(), count - 1)
    return Noise(deviation / math.sqrt(count), count - 1, paired=True)


def repeat_noise(runs: Floats, statistic: Statistic = Statistic.MEAN) -> Noise | None:
    """A/A noise of two sides with as many runs each as are given, from (R,) runs of one side.

    Returns:
        None for a single run.
    """
    count = len(runs)
    if count < 2:
        return None
    deviation = _deviation(runs - runs.mean(), count - 1)
    return Noise(deviation * math.sqrt(2.0) * error_of(statistic, count), count - 1)


def rounds(base: Floats, head: Floats) -> NDArray[np.intp] | None:
    """Which runs ran next to each other, by when they began: (2, R) places among both sides' runs.

    Row 0 has places of base, row 1 of head (from ``len(base)`` on), a column per round; None if
    the runs don't come in pairs of one of each side.
    """
    if len(base) != len(head):
        return None
    order = np.argsort(np.concatenate([base, head]), kind="stable").reshape(-1, 2)
    order = np.sort(order, axis=1)
    is_pair = (order[:, 0] < len(base)) & (order[:, 1] >= len(base))
    return order.T if is_pair.all() else None


def _move_together(residuals: Floats) -> bool:
    """Whether both sides' runs, (2, R), rise and fall together, drift apart taken out before."""
    base, head = residuals - residuals.mean(axis=1, keepdims=True)
    degrees = len(base) - 3  # of a correlation; the drift took one
    spread = math.sqrt(float(base @ base) * float(head @ head))
    if degrees < 1 or spread == 0.0:
        return False
    correlation = min(1.0 - 1e-12, float(base @ head) / spread)
    if correlation <= 0.0:
        return False
    t = correlation * math.sqrt(degrees / (1.0 - correlation**2))
    return t > t_quantile(_TOGETHER, degrees)


def alternate(base: Floats, head: Floats) -> bool:
    """Whether runs that began at these times were interleaved: no side ran thrice in a row."""
    if min(len(base), len(head)) < 2:
        return False
    order = np.argsort(np.concatenate([base, head]), kind="stable")
    sides = (order >= len(base)).tolist()
    return all(len(set(sides[start : start + 3])) == 2 for start in range(len(sides) - 2))
