"""Grid points: what two measurements have in common when only the thing under test differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from vosbench.harness.setting import POINT, UNDER_TEST, values
from vosbench.harness.store import State
from vosbench.harness.store.columns import decimal_text
from vosbench.harness.store.measured import MeasuredTrial
from vosbench.harness.trials import Kind, TrialSpec


@dataclass(frozen=True)
class GridPoint:
    """Values of :data:`~vosbench.harness.setting.POINT`, in that order."""

    model: str
    dataset: str
    policy: str | None
    tau: Decimal | None
    tau2: Decimal | None
    margins: str | None
    seed: int
    precision: str
    input_size: str | None
    switches: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, spec: TrialSpec) -> GridPoint:
        """The point that a trial measures."""
        return cls(*values(spec, POINT))

    @property
    def label(self) -> str:
        """For people: what is always of interest, and what departs from the usual."""
        parts = [self.model]
        for name, tau in (("τ", self.tau), ("τ₂", self.tau2)):
            if tau is not None:
                parts.append(f"{name}={decimal_text(tau)}")
        parts.append(self.dataset)
        if self.margins is not None:
            parts.append(f"M({self.margins})")
        if self.seed:
            parts.append(f"seed={self.seed}")
        if self.precision != "float32":
            parts.append(self.precision)
        if self.input_size is not None:
            parts.append(self.input_size)
        return " ".join(parts)


def labels(points: Iterable[GridPoint]) -> Mapping[GridPoint, str]:
    """A label for each point, unique among them: switches are named where nothing else differs."""
    points = tuple(dict.fromkeys(points))
    plain = [point.label for point in points]
    uses = Counter(plain)
    named = {}
    for point, label in zip(points, plain, strict=True):
        switches = ",".join(f"{name}={value}" for name, value in point.switches)
        whole = " ".join(filter(None, [label, point.policy, switches]))
        named[point] = whole if uses[label] > 1 else label
    return named


@dataclass(frozen=True)
class PointTrials:
    """All that one run measured at a grid point, with one set of weights.

    Attributes:
        accuracy: the accuracy trial, if there is one.
        timing: timing trials in the order in which they ran.
        failed: trials that ended without numbers.
    """

    point: GridPoint
    accuracy: MeasuredTrial | None
    timing: tuple[MeasuredTrial, ...]
    failed: tuple[MeasuredTrial, ...]

    @property
    def trials(self) -> tuple[MeasuredTrial, ...]:
        """All complete trials."""
        return (*(() if self.accuracy is None else (self.accuracy,)), *self.timing)


def by_point(trials: Iterable[MeasuredTrial]) -> Mapping[GridPoint, PointTrials]:
    """Trials by grid point, in the order of first appearance.

    Where a point was measured with several weights, runner versions or selections of frames, the
    set that was measured last counts.
    """
    grouped: dict[GridPoint, list[MeasuredTrial]] = {}
    for trial in trials:
        grouped.setdefault(GridPoint.of(trial.spec), []).append(trial)
    return {point: _latest(point, members) for point, members in grouped.items()}


def _latest(point: GridPoint, members: list[MeasuredTrial]) -> PointTrials:
    ordered = sorted(members, key=lambda trial: trial.started_at or 0.0)
    newest = values(ordered[-1].spec, UNDER_TEST)
    ordered = [trial for trial in ordered if values(trial.spec, UNDER_TEST) == newest]
    complete = [trial for trial in ordered if trial.state is State.COMPLETE]
    accuracy = [trial for trial in complete if trial.spec.kind is Kind.ACCURACY]
    return PointTrials(
        point=point,
        accuracy=accuracy[-1] if accuracy else None,
        timing=tuple(trial for trial in complete if trial.spec.kind is Kind.TIMING),
        failed=tuple(trial for trial in ordered if trial.state is not State.COMPLETE),
    )


def difference(base: TrialSpec, head: TrialSpec) -> str | None:
    """Why two trials of a point can't be compared at all; None if they can."""
    if base.protocol != head.protocol:
        return f"protocol {base.protocol} became {head.protocol}"
    if base.max_frames != head.max_frames:
        return f"frames were cut at {_or_none(base.max_frames)}, now at {_or_none(head.max_frames)}"
    if set(base.sequences) != set(head.sequences):
        return f"other sequences: {len(base.sequences)} in base, {len(head.sequences)} in head"
    if base.manifest_sha256 != head.manifest_sha256:
        return (
            f"other frames or annotations: manifest {base.manifest_sha256[:12]} "
            f"became {head.manifest_sha256[:12]}"
        )
    return None


def _or_none(value: int | None) -> str:
    return "none" if value is None else str(value)
