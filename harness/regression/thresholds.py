"""Which metrics are tracked, which way is worse, and how people write what they tolerate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from vosbench.baselines.errors import InputError
from vosbench.harness.metric import ACCURACY, TIMING, Better, Metric, Scale, further_metrics
from vosbench.harness.regression.statistics import Statistic

METRICS: Mapping[str, Metric] = {each.name: each for each in (*ACCURACY, *TIMING) if each.tolerance}
"""Those of every protocol that can be compared, as they are shown: accuracy first."""


def comparable() -> Mapping[str, Metric]:
    """All metrics that can be compared: ours, those of some protocols, those of other packages."""
    return {**METRICS, **{each.name: each for each in further_metrics() if each.tolerance}}


@dataclass(frozen=True)
class Tolerance:
    """A change of a metric that is put up with.

    Attributes:
        amount: points of a hundred, per cent, or the metric's unit.
        statistic: what stands for the repeats of a clip; of timing metrics only.
        required: somebody asked for this metric, so that its absence is an error.
    """

    metric: Metric
    amount: float
    statistic: Statistic = Statistic.MEAN
    required: bool = True

    @property
    def limit(self) -> float:
        """The tolerated worsening in the unit of the evidence: a share, or a logarithm."""
        share = self.amount / 100.0
        if self.metric.scale is Scale.UNITS:
            return self.amount
        if self.metric.scale is Scale.POINTS:
            return share
        return math.log1p(share) if self.metric.better is Better.DOWN else -math.log1p(-share)

    @property
    def text(self) -> str:
        """As :func:`parse_tolerance` reads it."""
        if self.metric.scale is not Scale.RATIO:
            return f"{self.amount:g}"
        return f"{self.statistic}:{self.amount:g}%"


_GRAMMAR = re.compile(r"(?:(?P<statistic>[a-z]+):)?(?P<amount>[0-9]*\.?[0-9]+)(?P<percent>\s*%)?")


def parse_tolerance(name: str, text: str) -> Tolerance:
    """The tolerance that somebody wrote for a metric.

    ``0.3`` for J&F and reuse rate is points of a hundred, for a metric with a unit that many of
    it; for times, energy and memory
    ``5%`` or ``STATISTIC:5%`` with ``min`` (the fastest repeat of each clip), ``mean`` or
    ``median``; without one it is ``mean``.

    Raises:
        InputError: an unknown metric, or a text of another form.
    """
    metric = _comparable(name)
    wrong = InputError(f"tolerance {text!r} for {metric.label}: write {metric.tolerance}")
    found = _GRAMMAR.fullmatch(text.strip())
    if found is None or (found["percent"] is None) != (metric.scale is not Scale.RATIO):
        raise wrong
    amount = float(found["amount"])
    if amount >= 100.0 and metric.scale is not Scale.UNITS:
        raise InputError(f"tolerance {text!r} for {metric.label}: it must be below 100")
    statistic = found["statistic"]
    if statistic is None:
        return Tolerance(metric, amount)
    if metric.scale is not Scale.RATIO or statistic not in set(Statistic):
        raise wrong
    return Tolerance(metric, amount, Statistic(statistic))


DEFAULT_TOLERANCES = (
    Tolerance(METRICS["jf_mean"], 0.3, required=False),
    Tolerance(METRICS["fps"], 5.0, Statistic.MEAN, required=False),
)
"""What is compared when nobody says otherwise: 0.3 points of J&F, 5 % of FPS."""


def usual_tolerance(name: str) -> str:
    """What is usually put up with of a metric; raises InputError for one that isn't compared."""
    return _comparable(name).tolerance


def _comparable(name: str) -> Metric:
    known = comparable()
    if name not in known:
        raise InputError(f"no metric {name!r} to compare: choose one of {', '.join(known)}")
    return known[name]


def tolerances(texts: Mapping[str, str | None]) -> tuple[Tolerance, ...]:
    """What to compare: the defaults, replaced and extended by what somebody wrote.

    Args:
        texts: tolerance by metric name; None leaves the default.

    Raises:
        InputError: see :func:`parse_tolerance`.
    """
    chosen = {tolerance.metric.name: tolerance for tolerance in DEFAULT_TOLERANCES}
    for name, text in texts.items():
        if text is not None:
            chosen[name] = parse_tolerance(name, text)
    return tuple(chosen[name] for name in comparable() if name in chosen)
