"""How accuracy and speed went from commit to commit, and at which of them they stepped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vosbench.harness.metric import Metric, Scale
from vosbench.harness.regression.evidence import clip_values, machine_key
from vosbench.harness.regression.points import GridPoint, labels
from vosbench.harness.regression.segmentation import LevelSegment, segment
from vosbench.harness.regression.thresholds import METRICS
from vosbench.harness.store import State
from vosbench.harness.store.measured import MeasuredTrial, Run
from vosbench.harness.trials import Kind

LEAST_POINTS, LEAST_RATIO = 0.0005, 0.005
"""Noise to assume at least: 0.05 points, or 0.5 %; smaller steps interest nobody."""

HISTORY_COLUMNS = (
    "point", "metric", "protocol", "machine", "version", "order", "at", "repeats", "value",
    "level", "is_step", "step_change", "model", "policy",
)  # fmt: skip
"""The columns of :func:`history_frame`."""


@dataclass(frozen=True)
class HistoryValue:
    """One commit's value: a mean over clips (and objects), over all its repeats.

    Attributes:
        version: of the program, with its commit.
        at: when it was first measured, seconds since 1970; NaN where unknown.
        repeats: runs behind it.
    """

    version: str
    at: float
    value: float
    repeats: int


@dataclass(frozen=True)
class HistoryStep:
    """A level that changed, and the commit that shows it first.

    Attributes:
        index: of the first value at the new level.
        before, after: levels.
        change: after - before, or after / before - 1 where the metric is a ratio.
    """

    index: int
    version: str
    before: float
    after: float
    change: float


@dataclass(frozen=True)
class HistorySeries:
    """One metric at one grid point under one protocol, in the order of commits.

    Attributes:
        label: names the grid point.
        protocol: name, version and selection of frames, which comparable values share.
        machine: device and key where the metric is timed, else None.
        segments: pieces of one level each; levels in the metric's unit.
    """

    point: GridPoint
    label: str
    metric: Metric
    protocol: str
    machine: str | None
    values: tuple[HistoryValue, ...]
    segments: tuple[LevelSegment, ...]

    @property
    def steps(self) -> tuple[HistoryStep, ...]:
        """Where the level changed."""
        found = []
        for before, after in zip(self.segments, self.segments[1:], strict=False):
            change = after.level - before.level
            if self.metric.scale is Scale.RATIO:
                change = after.level / before.level - 1.0
            version = self.values[after.start].version
            found.append(HistoryStep(after.start, version, before.level, after.level, change))
        return tuple(found)


def history(
    runs: Iterable[Run],
    metrics: Sequence[str] = ("jf_mean", "fps"),
    *,
    order: Sequence[str] = (),
) -> tuple[HistorySeries, ...]:
    """Series per grid point and metric over the versions that measured them.

    Args:
        runs: databases and portable files, read; a measurement in several of them counts once.
        metrics: names out of :data:`METRICS`.
        order: commits in their order (``git rev-list --reverse``): versions that contain one are
            sorted by it and others left out. By default the order in which they first ran.

    Returns:
        Accuracy before timing within each point. Of a version that measured several weights
        the last ones count; values of other protocols, frames or machines
        are series of their own.
    """
    unique = {trial.measurement: trial for run in runs for trial in run.trials}
    complete = [t for t in unique.values() if t.state is State.COMPLETE and t.version]
    by_point: dict[GridPoint, list[MeasuredTrial]] = {}
    for trial in complete:
        by_point.setdefault(GridPoint.of(trial.spec), []).append(trial)
    names = labels(by_point)
    found = []
    for point, members in by_point.items():
        label = names[point]
        for name in metrics:
            metric = METRICS[name]
            for (protocol, machine), trials in _comparable(members, metric).items():
                values = _values(trials, metric, order)
                if values:
                    found.append(
                        HistorySeries(
                            point=point,
                            label=label,
                            metric=metric,
                            protocol=protocol,
                            machine=machine,
                            values=values,
                            segments=_segments(values, metric),
                        )
                    )
    return tuple(found)


def _comparable(
    trials: Sequence[MeasuredTrial], metric: Metric
) -> Mapping[tuple[str, str | None], list[MeasuredTrial]]:
    groups: dict[tuple[str, str | None], list[MeasuredTrial]] = {}
    for trial in trials:
        spec = trial.spec
        if spec.kind is not metric.kind:
            continue
        cut = "" if spec.max_frames is None else f", {spec.max_frames} frames"
        protocol = (
            f"{spec.protocol} ({len(spec.sequences)} sequences{cut}, {spec.manifest_sha256[:8]})"
        )
        machine = None
        if metric.kind is Kind.TIMING:
            device = trial.machine.device if trial.machine is not None else "unknown"
            machine = f"{device} ({(machine_key(trial) or 'unknown')[:8]})"
        groups.setdefault((protocol, machine), []).append(trial)
    return groups


def _values(
    trials: Sequence[MeasuredTrial], metric: Metric, order: Sequence[str]
) -> tuple[HistoryValue, ...]:
    by_version: dict[str, list[MeasuredTrial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.started_at or 0.0):
        by_version.setdefault(trial.version or "", []).append(trial)
    versions = list(by_version)
    if order:
        placed = {version: _place(version, order) for version in versions}
        versions = sorted(
            (version for version in versions if placed[version] >= 0), key=placed.__getitem__
        )
    values = []
    for version in versions:
        last = by_version[version][-1].spec.weights_sha256
        members = [t for t in by_version[version] if t.spec.weights_sha256 == last]
        numbers = [value for trial in members if math.isfinite(value := _value(trial, metric))]
        if numbers:
            values.append(
                HistoryValue(version, _at(members[0]), _mean(numbers, metric), len(numbers))
            )
    return tuple(values)


def _place(version: str, order: Sequence[str]) -> int:
    """Where a version's commit stands: versions show a commit in short, the order may in full."""
    for place, commit in enumerate(order):
        if commit in version or commit[:7] in version:
            return place
    return -1


def _at(trial: MeasuredTrial) -> float:
    return math.nan if trial.started_at is None else trial.started_at


def _value(trial: MeasuredTrial, metric: Metric) -> float:
    numbers = [clip_values(metric, clip) for clip in trial.clips]
    known = [number for row in numbers for number in row if math.isfinite(number)]
    if known:
        return _mean(known, metric)
    return trial.aggregates.get(metric.name, math.nan)


def _mean(numbers: Sequence[float], metric: Metric) -> float:
    if metric.scale is not Scale.RATIO:
        return float(np.mean(numbers))
    return float(np.exp(np.mean(np.log(numbers))))


def _segments(values: Sequence[HistoryValue], metric: Metric) -> tuple[LevelSegment, ...]:
    numbers = np.array([value.value for value in values], dtype=np.float64)
    if metric.scale is not Scale.RATIO:
        return segment(numbers, least_noise=LEAST_POINTS)
    pieces = segment(np.log(numbers), least_noise=LEAST_RATIO)
    return tuple(LevelSegment(piece.start, piece.stop, math.exp(piece.level)) for piece in pieces)


def history_frame(series: Iterable[HistorySeries]) -> pd.DataFrame:
    """One row per value, ready to plot: :data:`HISTORY_COLUMNS`.

    ``order`` counts from 0 within a series (point, metric, protocol, machine); ``at`` is a UTC
    time; ``value`` and ``level`` are in the metric's own unit (J&F as 0..1); ``step_change`` is
    NaN unless ``is_step``.
    """
    rows = []
    for one in series:
        levels = [piece.level for piece in one.segments for _ in range(piece.start, piece.stop)]
        steps = {step.index: step.change for step in one.steps}
        for place, value in enumerate(one.values):
            rows.append((
                one.label, one.metric.name, one.protocol, one.machine, value.version, place,
                value.at, value.repeats, value.value, levels[place], place in steps,
                steps.get(place, math.nan), one.point.model, one.point.policy,
            ))  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    frame["at"] = pd.to_datetime(frame["at"], unit="s", utc=True)
    return frame.astype({"is_step": "bool"})
