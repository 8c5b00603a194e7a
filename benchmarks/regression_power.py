"""How often the regression verdict is wrong: false alarms of A/A comparisons, missed slowdowns.

    python benchmarks/regression_power.py [--comparisons 1000]

Simulates a grid of 30 points, each timed on 20 clips x 5 repeats a side. A false alarm is a
comparison of two equal sides in which any point is found regressed or improved. Other kinds of
noise, and no tolerance at all, show what holds beyond the agreed case of 5 % on each clip's time.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.regression.statistics import Statistic, cost_evidence
from vosbench.harness.regression.thresholds import METRICS
from vosbench.harness.regression.verdict import Judged, Verdict, judge

CLIPS, REPEATS, POINTS = 20, 5, 30
NOISE, SLOWDOWN, TOLERANCE = 0.05, 0.10, 0.05
ORDER = "ABBAABBAAB"
"""The order in which runs of base (A) and head (B) alternate."""

ALARMS = frozenset({Verdict.REGRESSED, Verdict.IMPROVED})

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """A kind of noise: ``draw(generator)`` gives log-times (runs of both sides, clips)."""

    name: str
    draw: Callable[[np.random.Generator], Floats]


def _normal(generator: np.random.Generator, deviation: float = NOISE) -> Floats:
    return deviation * generator.standard_normal((2 * REPEATS, CLIPS))


def _whole_runs(generator: np.random.Generator) -> Floats:
    runs = NOISE * generator.standard_normal((2 * REPEATS, 1))
    return np.asarray(runs + _normal(generator, 0.01))


def _spikes(generator: np.random.Generator) -> Floats:
    return np.asarray(NOISE / math.sqrt(3.0) * generator.standard_t(3, (2 * REPEATS, CLIPS)))


def _drift(generator: np.random.Generator) -> Floats:
    return np.asarray(_normal(generator) + np.linspace(0.0, 0.1, 2 * REPEATS)[:, None])


def _wander(generator: np.random.Generator) -> Floats:
    rounds = np.repeat(NOISE * generator.standard_normal((REPEATS, 1)), 2, axis=0)
    return np.asarray(rounds + _normal(generator, 0.01))


NOISES = (
    Noise("each clip 5 %", _normal),
    Noise("whole runs 5 %, each clip 1 %", _whole_runs),
    Noise("heavy tails 5 % (t, 3 degrees)", _spikes),
    Noise("each clip 5 %, drift of 10 %", _drift),
    Noise("whole rounds 5 %, each clip 1 %", _wander),
)


def verdicts(
    noise: Noise,
    generator: np.random.Generator,
    slowdowns: Floats,
    *,
    statistic: Statistic = Statistic.MEAN,
    tolerance: float = TOLERANCE,
) -> list[Verdict]:
    """One comparison of a grid; head's FPS is lower by ``slowdowns`` (points,), 0 for equal."""
    is_head = np.array([side == "B" for side in ORDER])
    began = np.arange(len(ORDER), dtype=np.float64)
    times = (began[~is_head], began[is_head])
    claims = []
    for slowdown in slowdowns:
        costs = noise.draw(generator)
        base, head = costs[~is_head], costs[is_head] - math.log1p(-slowdown)
        evidence = cost_evidence(base, head, statistic, times=times)
        claims.append(Judged(evidence, -math.log1p(-tolerance), METRICS["fps"]))
    return [judgement.verdict for judgement in judge(claims)]


def false_alarm_rate(
    noise: Noise,
    comparisons: int,
    *,
    statistic: Statistic = Statistic.MEAN,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> float:
    """Share of A/A comparisons of the whole grid with an alarm at any point."""
    generator = np.random.default_rng(seed)
    equal = np.zeros(POINTS)
    alarmed = 0
    for _ in range(comparisons):
        found = verdicts(noise, generator, equal, statistic=statistic, tolerance=tolerance)
        alarmed += not ALARMS.isdisjoint(found)
    return alarmed / comparisons


def detection_rate(
    noise: Noise,
    comparisons: int,
    *,
    points: int,
    statistic: Statistic = Statistic.MEAN,
    seed: int = 1,
) -> float:
    """Share of comparisons that find the one slowed point among so many."""
    generator = np.random.default_rng(seed)
    slowdowns = np.where(np.arange(points) == 0, SLOWDOWN, 0.0)
    found = sum(
        verdicts(noise, generator, slowdowns, statistic=statistic)[0] is Verdict.REGRESSED
        for _ in range(comparisons)
    )
    return found / comparisons


def main() -> None:
    """Print the two agreed figures first, then all kinds of noise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--comparisons", type=int, default=1000)
    count = parser.parse_args().comparisons
    few = max(1, count // 5)
    agreed = NOISES[0]
    alarms = false_alarm_rate(agreed, count)
    alone, among = (
        detection_rate(agreed, count, points=1),
        detection_rate(agreed, few, points=POINTS),
    )
    print(
        f"{POINTS} points, {CLIPS} clips x {REPEATS} repeats, noise {agreed.name}, "
        "tolerance mean:5%"
    )
    print(f"  false alarms: {100 * alarms:.1f} % of {count} A/A comparisons (at most 5 %)")
    print(f"  10 % slowdown found: {100 * alone:.1f} of 100 (at least 95), {count} comparisons")
    print(f"  at one of {POINTS} points: {100 * among:.1f} of 100, {few} comparisons")
    print(f"\nfalse alarms without any tolerance ({few} comparisons), and slowdowns of 10 % found")
    print(f"{'noise':32} {'repeats':8} {'alarms':>7} {'found alone':>12} {'of 30':>7}")
    for noise in NOISES:
        for statistic in (Statistic.MEAN, Statistic.MIN):
            alarms = false_alarm_rate(noise, few, statistic=statistic, tolerance=0.0)
            alone = detection_rate(noise, few, points=1, statistic=statistic)
            among = detection_rate(noise, max(1, few // 2), points=POINTS, statistic=statistic)
            print(
                f"{noise.name:32} {statistic:8} {100 * alarms:6.1f}% {100 * alone:11.1f}%"
                f" {100 * among:6.1f}%",
                flush=True,
            )


if __name__ == "__main__":
    main()
