"""A/A: repeats of one side against each other, which shows what noise alone can do."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from vosbench.baselines.errors import InputError
from vosbench.harness.metric import Better, Metric
from vosbench.harness.regression.evidence import machine_key, run_costs
from vosbench.harness.regression.points import PointTrials, by_point, labels
from vosbench.harness.regression.statistics import repeat_noise
from vosbench.harness.regression.thresholds import METRICS
from vosbench.harness.regression.verdict import ALPHA
from vosbench.harness.store.measured import MeasuredTrial, Run

FEWEST = 4
"""Repeats from which each half has two, so that there is a noise to speak of."""


@dataclass(frozen=True)
class NoiseFloor:
    """How well a point's timings repeat.

    Attributes:
        label: names the point.
        repeats: on one machine.
        value: geometric mean over repeats, in the metric's unit.
        noise: the change that a comparison of as many repeats a side may show when nothing
            changed, as a share; NaN for a single repeat.
    """

    label: str
    repeats: int
    value: float
    noise: float


def halves(run: Run) -> tuple[Run, Run]:
    """The timing repeats of every point as two sides that took turns: 1, 4, 5, 8 and 2, 3, 6, 7.

    Raises:
        InputError: no point has four repeats on one machine.
    """
    sides: tuple[list[MeasuredTrial], list[MeasuredTrial]] = ([], [])
    for point in by_point(run.trials).values():
        trials = _on_one_machine(point)
        if len(trials) >= FEWEST:
            for place, trial in enumerate(trials):
                sides[place % 4 in (1, 2)].append(trial)
    if not sides[0]:
        raise InputError(
            f"no point of {run.source} was timed {FEWEST} times or more: "
            "run --kind timing --repeats 10 --interleave"
        )
    base, head = (tuple(side) for side in sides)
    return Run(f"repeats 1, 4, 5, 8 … of {run.source}", base), Run("repeats 2, 3, 6, 7 …", head)


def noise_floors(run: Run, metric: Metric = METRICS["fps"]) -> tuple[NoiseFloor, ...]:
    """The noise of every timed point, in the order of first appearance."""
    points = by_point(run.trials)
    names = labels(points)
    floors = []
    for point, trials in points.items():
        costs = run_costs(metric, _on_one_machine(trials))
        if len(costs) == 0:
            continue
        noise = repeat_noise(costs)
        mean = float(costs.mean())
        floors.append(
            NoiseFloor(
                names[point],
                len(costs),
                math.exp(-mean if metric.better is Better.UP else mean),
                math.nan if noise is None else abs(metric.change(noise.floor(ALPHA))),
            )
        )
    return tuple(floors)


def _on_one_machine(point: PointTrials) -> tuple[MeasuredTrial, ...]:
    """The repeats on the machine that has most of them, in the order in which they ran."""
    keys = Counter(machine_key(trial) for trial in point.timing)
    if not keys:
        return ()
    ((most, _),) = keys.most_common(1)
    return tuple(trial for trial in point.timing if machine_key(trial) == most)
