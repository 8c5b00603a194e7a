"""Which metrics are tracked, which way is worse, and how people write what they tolerate."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.statistics import Statistic
from vosbench.harness.sweep.trials import Kind


class Scale(StrEnum):
    """The unit of a change."""

    POINTS = "points"
    """Differences of shares (0..1), shown as points of a hundred."""
    RATIO = "ratio"
    """Differences of logarithms, shown as per cent."""


class Better(StrEnum):
    """The direction in which a metric improves."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"
    """A change to either side is a regression."""


@dataclass(frozen=True)
class Metric:
    """A metric whose changes are judged.

    Attributes:
        name: as results store it.
        label: for people.
        kind: the kind of trial that measures it; accuracy is compared object by object, timing
            clip by clip and repeat by repeat.
        example: of a tolerance, for messages.
    """

    name: str
    label: str
    scale: Scale
    better: Better
    kind: Kind
    example: str

    def change(self, worsening: float) -> float:
        """A worsening as people read it: a difference of shares, or head / base - 1."""
        towards = worsening if self.better is Better.DOWN else -worsening
        return towards if self.scale is Scale.POINTS else math.expm1(towards)

    def size_text(self, size: float) -> str:
        """The size of a worsening for people: ``0.30 points``, ``5.0 %``."""
        shown = 100 * abs(self.change(size))
        return f"{shown:.2f} points" if self.scale is Scale.POINTS else f"{shown:.1f} %"


def _cost(name: str, label: str) -> Metric:
    return Metric(name, label, Scale.RATIO, Better.DOWN, Kind.TIMING, "min:5%")


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("jf_mean", "J&F", Scale.POINTS, Better.UP, Kind.ACCURACY, "0.3"),
        Metric("reuse_rate", "reuse rate", Scale.POINTS, Better.NEITHER, Kind.ACCURACY, "2"),
        Metric("fps", "FPS", Scale.RATIO, Better.UP, Kind.TIMING, "min:5%"),
        _cost("ms_per_frame", "ms/frame"),
        _cost("init_ms", "first frame ms"),
        _cost("energy_net_j_per_frame", "net J/frame"),
        _cost("energy_gross_j_per_frame", "gross J/frame"),
        _cost("peak_memory_mib", "peak MiB"),
    )
}
"""All that can be compared, in the order in which it is shown: accuracy first."""


@dataclass(frozen=True)
class Tolerance:
    """A change of a metric that is put up with.

    Attributes:
        amount: points of a hundred, or per cent.
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
        if self.metric.scale is Scale.POINTS:
            return share
        return math.log1p(share) if self.metric.better is Better.DOWN else -math.log1p(-share)

    @property
    def text(self) -> str:
        """As :func:`parse_tolerance` reads it."""
        if self.metric.scale is Scale.POINTS:
            return f"{self.amount:g}"
        return f"{self.statistic}:{self.amount:g}%"


_GRAMMAR = re.compile(r"(?:(?P<statistic>[a-z]+):)?(?P<amount>[0-9]*\.?[0-9]+)(?P<percent>\s*%)?")


def parse_tolerance(name: str, text: str) -> Tolerance:
    """The tolerance that somebody wrote for a metric.

    ``0.3`` for J&F and reuse rate is points of a hundred; for times, energy and memory
    ``5%`` or ``STATISTIC:5%`` with ``min`` (the fastest repeat of each clip), ``mean`` or
    ``median``; without one it is ``mean``.

    Raises:
        InputError: an unknown metric, or a text of another form.
    """
    if name not in METRICS:
        raise InputError(f"no metric {name!r} to compare: choose one of {', '.join(METRICS)}")
    metric = METRICS[name]
    wrong = InputError(f"tolerance {text!r} for {metric.label}: write {metric.example}")
    found = _GRAMMAR.fullmatch(text.strip())
    if found is None or (found["percent"] is None) != (metric.scale is Scale.POINTS):
        raise wrong
    amount = float(found["amount"])
    if amount >= 100.0:
        raise InputError(f"tolerance {text!r} for {metric.label}: it must be below 100")
    statistic = found["statistic"]
    if statistic is None:
        return Tolerance(metric, amount)
    if metric.scale is Scale.POINTS or statistic not in set(Statistic):
        raise wrong
    return Tolerance(metric, amount, Statistic(statistic))


DEFAULT_TOLERANCES = (
    Tolerance(METRICS["jf_mean"], 0.3, required=False),
    Tolerance(METRICS["fps"], 5.0, Statistic.MEAN, required=False),
)
"""What is compared when nobody says otherwise: 0.3 points of J&F, 5 % of FPS."""


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
    return tuple(chosen[name] for name in METRICS if name in chosen)
