"""The outcome of a comparison, as immutable records that renderers read."""

from __future__ import annotations

from dataclasses import dataclass

from vosbench.harness.metric import Metric
from vosbench.harness.regression.points import GridPoint
from vosbench.harness.regression.thresholds import Tolerance
from vosbench.harness.regression.verdict import Verdict


@dataclass(frozen=True)
class ClipChange:
    """How one clip moved: scores are means over its objects, timings over its repeats.

    Attributes:
        base, head: in the metric's unit.
        change: head - base, or head / base - 1 where the metric is a ratio.
        equal_masks: whether both sides drew the very same masks.
    """

    sequence: str
    base: float
    head: float
    change: float
    equal_masks: bool


@dataclass(frozen=True)
class MeasuredChange:
    """The two sides of a metric and the change between them.

    Attributes:
        base, head: means over objects; geometric means over clips where the metric is a ratio.
        change: head - base, or head / base - 1 where the metric is a ratio.
        low, high: ends of its confidence interval; infinite where nothing bounds it.
        noise: size of the change that an A/A comparison may show; NaN where unknown.
        q: p-value corrected for all tests of the comparison; NaN where nothing was tested.
        units: objects or clips behind it.
        repeats: repeats of base and head; 1 and 1 for accuracy.
        paired: the noise is that of differences between runs next to each other.
    """

    base: float
    head: float
    change: float
    low: float
    high: float
    noise: float
    q: float
    units: int
    repeats: tuple[int, int]
    paired: bool = False


@dataclass(frozen=True)
class Finding:
    """The verdict on one metric at one grid point.

    Attributes:
        measured: None where there was nothing to compare.
        leaning: of what isn't sure: "probably worse", "probably better", or "".
        clips: how each clip moved, those that got worst first.
        trial_id: the head's trial in its database, if it is from one.
        keys: of the trials of base and head; of accuracy only, where both are there.
    """

    metric: Metric
    verdict: Verdict
    reason: str
    measured: MeasuredChange | None = None
    leaning: str = ""
    clips: tuple[ClipChange, ...] = ()
    trial_id: int | None = None
    keys: tuple[str, str] | None = None


@dataclass(frozen=True)
class PointResult:
    """All findings at one grid point.

    Attributes:
        label: names the point among those of the comparison.
        trained: False if either side had random weights.
        findings: accuracy first; never empty.
    """

    point: GridPoint
    label: str
    trained: bool
    verdict: Verdict
    findings: tuple[Finding, ...]

    @property
    def leanings(self) -> tuple[str, ...]:
        """Those of its findings."""
        return tuple(finding.leaning for finding in self.findings if finding.leaning)


@dataclass(frozen=True)
class Comparison:
    """Head against base.

    Attributes:
        base, head: where they are from.
        base_versions, head_versions: of the programs that measured them.
        tolerances: what was compared.
        alpha: false discovery rate over all tests; intervals are at level 1 - alpha.
        tests: how many changes were tested.
        points: in the order of base.
        new_points: labels of what only head has.
        verdict, reason: the total.
    """

    base: str
    head: str
    base_versions: tuple[str, ...]
    head_versions: tuple[str, ...]
    tolerances: tuple[Tolerance, ...]
    alpha: float
    tests: int
    points: tuple[PointResult, ...]
    new_points: tuple[str, ...]
    verdict: Verdict
    reason: str
