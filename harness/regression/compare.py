"""Head against base: every grid point of base, every metric, one verdict in total."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vosbench.harness.regression.comparison import Comparison, Finding, MeasuredChange, PointResult
from vosbench.harness.regression.evidence import Pending, gather
from vosbench.harness.regression.pairing import Pair, pairs
from vosbench.harness.regression.points import by_point, labels
from vosbench.harness.regression.thresholds import DEFAULT_TOLERANCES, Tolerance
from vosbench.harness.regression.verdict import ALPHA, Judgement, Verdict, judge, total
from vosbench.harness.store.measured import Run


def compare(
    base: Run,
    head: Run,
    tolerances: Sequence[Tolerance] = DEFAULT_TOLERANCES,
    *,
    across: bool = False,
    alpha: float = ALPHA,
) -> Comparison:
    """Compare what head measured with what base measured.

    Grid points are paired by all that defines a trial but the thing under test (weights, runner
    version, commit). Accuracy comes first, and ends at equal masks. All changes are judged
    together, so that the false discovery rate over the whole grid is ``alpha``. What base has
    and head hasn't is an error; a measurement that base holds itself doesn't count as head's,
    but where head timed the same weights anew, accuracy that both sides hold is equal.

    Args:
        base, head: see :func:`vosbench.harness.store.measured.read_run`.
        tolerances: the metrics to compare, and what is put up with.
        across: two models, or two weights of one: see :func:`.pairing.pairs`.
        alpha: false discovery rate, and one minus the level of the intervals shown.

    Raises:
        ValueError: no tolerances.
    """
    if not tolerances:
        raise ValueError("no metric to compare")
    old, new = by_point(base.trials), by_point(head.without(base).trials)
    old = {point: trials for point, trials in old.items() if trials.trials}
    found = pairs(old, new, across=across)
    known = {trial.measurement for trial in head.trials}
    gathered = [
        [gather(pair.base, pair.head, each, known=known) for each in tolerances] for pair in found
    ]
    pending = [item for row in gathered for item in row if isinstance(item, Pending)]
    judged = iter(judge([item.claim for item in pending], alpha))
    points = []
    for pair, row in zip(found, gathered, strict=True):
        findings = [
            _finding(item, next(judged)) if isinstance(item, Pending) else item
            for item in row
            if item is not None
        ]
        if not findings:
            findings = [Finding(tolerances[0].metric, Verdict.ERROR, "no numbers on either side")]
        points.append(_point_result(pair, findings))
    compared = {pair.head.point for pair in found}
    names = labels((*old, *new))
    verdict = total(result.verdict for result in points)
    return Comparison(
        base=base.source,
        head=head.source,
        base_versions=base.versions,
        head_versions=head.versions,
        tolerances=tuple(tolerances),
        alpha=alpha,
        tests=len(pending),
        points=tuple(points),
        new_points=tuple(names[point] for point in new if point not in compared),
        verdict=verdict,
        reason=_reason(points, verdict, base, head, has_new=bool(new)),
    )


def _finding(pending: Pending, judgement: Judgement) -> Finding:
    metric = pending.metric
    ends = sorted((metric.change(judgement.interval.low), metric.change(judgement.interval.high)))
    return Finding(
        metric=metric,
        verdict=judgement.verdict,
        reason=judgement.reason,
        leaning=judgement.leaning,
        measured=MeasuredChange(
            base=pending.base,
            head=pending.head,
            change=metric.change(judgement.worsening),
            low=ends[0],
            high=ends[1],
            noise=abs(metric.change(judgement.noise)),
            q=judgement.q,
            units=pending.units,
            repeats=pending.repeats,
            paired=pending.claim.evidence.noise is not None and pending.claim.evidence.noise.paired,
        ),
        clips=pending.clips,
        trial_id=pending.trial_id,
        keys=pending.keys,
    )


def _point_result(pair: Pair, findings: Sequence[Finding]) -> PointResult:
    trials = (*pair.base.trials, *pair.head.trials)
    return PointResult(
        point=pair.point,
        label=pair.label,
        trained=all(trial.spec.trained for trial in trials),
        verdict=total(finding.verdict for finding in findings),
        findings=tuple(findings),
    )


def _reason(
    points: Sequence[PointResult], verdict: Verdict, base: Run, head: Run, *, has_new: bool
) -> str:
    """One line about the total."""
    if not points:
        return f"nothing measured in base: no complete trial in {base.source}"
    if not has_new and head.trials:
        return "nothing measured in head since base: both are the same measurements"
    if not has_new:
        return f"nothing measured in head: no trial in {head.source}"
    counts: Mapping[Verdict, int] = {
        kind: sum(result.verdict is kind for result in points) for kind in Verdict
    }
    counted = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    leaning = [word for result in points for word in dict.fromkeys(result.leanings)]
    leans = ", ".join(f"{leaning.count(word)} {word}" for word in dict.fromkeys(leaning))
    return f"{verdict}: of {len(points)} grid points {counted}" + (f" ({leans})" if leans else "")
