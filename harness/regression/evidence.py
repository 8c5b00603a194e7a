"""From two measured sides of a grid point to a claim, or to why there is none."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from vosbench.harness.metric import Better, Metric, Scale
from vosbench.harness.regression.comparison import ClipChange, Finding
from vosbench.harness.regression.points import PointTrials, difference
from vosbench.harness.regression.statistics import (
    Floats,
    accuracy_evidence,
    cost_evidence,
    summary,
)
from vosbench.harness.regression.thresholds import Tolerance
from vosbench.harness.regression.verdict import Judged, Verdict
from vosbench.harness.setting import UNDER_TEST, values
from vosbench.harness.store.measured import MeasuredTrial
from vosbench.harness.trials import ClipResult, Kind


@dataclass(frozen=True)
class Pending:
    """A claim that waits to be judged with all others, and what its finding will show."""

    metric: Metric
    claim: Judged
    base: float
    head: float
    units: int
    repeats: tuple[int, int]
    clips: tuple[ClipChange, ...]
    trial_id: int | None
    keys: tuple[str, str] | None = None


class _Absent(Exception):  # noqa: N818 - says what was found, is no fault
    """Neither side measured it."""


class _Unfit(Exception):  # noqa: N818 - says what was found, is no fault
    """There are no two sides to compare."""

    def __init__(self, verdict: Verdict, reason: str) -> None:
        super().__init__(reason)
        self.verdict = verdict


SAME = "equal: the same measurement"
"""The reason where nothing of accuracy was measured anew, and nothing had to be."""


def gather(
    base: PointTrials,
    head: PointTrials,
    tolerance: Tolerance,
    *,
    known: Collection[tuple[str, float | None]] = (),
) -> Pending | Finding | None:
    """What can be said of one metric at one point.

    Args:
        base, head: what each side measured; head's without what base holds too.
        tolerance: the metric.
        known: all measurements of head, with those that base holds too.

    Returns:
        a claim to judge; or a finding where none is needed or possible; or None where neither
        side measured this metric and nobody asked for it.
    """
    metric = tolerance.metric
    try:
        if metric.kind is Kind.ACCURACY and _is_the_same(base, head, known):
            return Finding(metric, Verdict.PASS, SAME)
        if metric.kind is Kind.ACCURACY:
            return _accuracy(base, head, tolerance)
        return _timing(base, head, tolerance)
    except _Absent:
        if not tolerance.required:
            return None
        return Finding(metric, Verdict.ERROR, "not measured on either side")
    except _Unfit as unfit:
        return Finding(metric, unfit.verdict, str(unfit))


def _is_the_same(
    base: PointTrials, head: PointTrials, known: Collection[tuple[str, float | None]]
) -> bool:
    """Whether head timed the very weights anew whose accuracy both sides hold."""
    if base.accuracy is None or head.accuracy is not None or head.failed or not head.timing:
        return False
    return base.accuracy.measurement in known and all(
        values(trial.spec, UNDER_TEST) == values(base.accuracy.spec, UNDER_TEST)
        for trial in head.timing
    )


def _missing(where: str, side: PointTrials, kind: Kind) -> _Unfit:
    failed = [trial for trial in side.failed if trial.spec.kind is kind]
    why = f": {failed[-1].state}, {failed[-1].error or 'no reason stored'}" if failed else ""
    return _Unfit(Verdict.ERROR, f"not measured in {where}{why}")


def _accuracy(base: PointTrials, head: PointTrials, tolerance: Tolerance) -> Pending | Finding:
    old, new = base.accuracy, head.accuracy
    if old is None and new is None:
        raise _Absent
    if old is None:
        raise _missing("base", base, Kind.ACCURACY)
    if new is None:
        raise _missing("head", head, Kind.ACCURACY)
    _require_comparable(old, new)
    metric = tolerance.metric
    if metric.name == "jf_mean" and _mask_hashes(old) == _mask_hashes(new):
        return Finding(metric, Verdict.PASS, "equal masks", trial_id=new.trial_id)
    scores = _paired_scores(metric, old, new)
    base_scores, head_scores = np.array(list(scores.values()), dtype=np.float64).T
    sign = -1.0 if metric.better is Better.DOWN else 1.0  # what is lost is what gets worse
    evidence = accuracy_evidence(sign * base_scores, sign * head_scores)
    return Pending(
        metric=metric,
        claim=Judged(evidence, tolerance.limit, metric),
        base=float(base_scores.mean()),
        head=float(head_scores.mean()),
        units=len(scores),
        repeats=(1, 1),
        clips=_moved(metric, old, new, _by_clip(scores)),
        trial_id=new.trial_id,
        keys=(old.spec.key, new.spec.key),
    )


def _require_comparable(base: MeasuredTrial, head: MeasuredTrial) -> None:
    why = difference(base.spec, head.spec)
    if why is not None:
        raise _Unfit(Verdict.INCOMPARABLE, why)


def _mask_hashes(trial: MeasuredTrial) -> Mapping[str, str]:
    return {clip.sequence: clip.mask_sha256 for clip in trial.clips}


def _object_score(metric: Metric, clip: ClipResult, number: int) -> float:
    values = clip.object_metrics.get(number, {})
    if metric.name == "jf_mean":
        return (values.get("j_mean", math.nan) + values.get("f_mean", math.nan)) / 2.0
    return values.get(metric.name, math.nan)


def _scores(metric: Metric, trial: MeasuredTrial) -> Mapping[tuple[str, int], float]:
    return {
        (clip.sequence, number): _object_score(metric, clip, number)
        for clip in trial.clips
        for number in clip.object_ids
    }


def _paired_scores(
    metric: Metric, base: MeasuredTrial, head: MeasuredTrial
) -> Mapping[tuple[str, int], tuple[float, float]]:
    """Scores of both sides by (clip, object); objects without a score on both sides are left out.

    An object may have none: nothing of it is annotated after its first frame.
    """
    old, new = _scores(metric, base), _scores(metric, head)
    for here, there, where in ((old, new, "head"), (new, old, "base")):
        lost = [key for key in here if _is_known(here[key]) and not _is_known(there.get(key))]
        if lost:
            clip, number = lost[0]
            raise _Unfit(
                Verdict.ERROR, f"{metric.label} of object {number} in {clip} is missing in {where}"
            )
    paired = {key: (value, new[key]) for key, value in old.items() if _is_known(value)}
    if not paired:
        raise _Absent
    return paired


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _by_clip(
    scores: Mapping[tuple[str, int], tuple[float, float]],
) -> Mapping[str, tuple[float, float]]:
    rows: dict[str, list[tuple[float, float]]] = {}
    for (clip, _), pair in scores.items():
        rows.setdefault(clip, []).append(pair)
    means = {clip: np.mean(pairs, axis=0) for clip, pairs in rows.items()}
    return {clip: (float(mean[0]), float(mean[1])) for clip, mean in means.items()}


def _moved(
    metric: Metric,
    base: MeasuredTrial,
    head: MeasuredTrial,
    values: Mapping[str, tuple[float, float]],
) -> tuple[ClipChange, ...]:
    """Clips, the one that got worst first."""
    old, new = _mask_hashes(base), _mask_hashes(head)
    clips = [
        ClipChange(
            sequence=clip,
            base=before,
            head=after,
            change=after / before - 1.0 if metric.scale is Scale.RATIO else after - before,
            equal_masks=old.get(clip) == new.get(clip),
        )
        for clip, (before, after) in values.items()
    ]

    def goodness(clip: ClipChange) -> float:
        if metric.better is Better.NEITHER:
            return -abs(clip.change)
        return -clip.change if metric.better is Better.DOWN else clip.change

    return tuple(sorted(clips, key=goodness))


def _timing(base: PointTrials, head: PointTrials, tolerance: Tolerance) -> Pending:
    if not base.timing and not head.timing:
        raise _Absent
    for side, where in ((base, "base"), (head, "head")):
        if not side.timing:
            raise _missing(where, side, Kind.TIMING)
    _require_comparable(base.timing[0], head.timing[0])
    old, new = _same_machine(base.timing, head.timing)
    clips = tuple(sorted(old[0].spec.sequences))
    base_costs, head_costs = _paired_costs(tolerance.metric, old, new, clips)
    if base_costs.shape[1] == len(clips):
        # A clip in which nothing is tracked has no time on either side.
        timed = ~np.isnan(np.concatenate([base_costs, head_costs])).all(axis=0)
        base_costs, head_costs = base_costs[:, timed], head_costs[:, timed]
        clips = tuple(
            clip for clip, is_timed in zip(clips, timed.tolist(), strict=True) if is_timed
        )
    for costs, where in ((base_costs, "base"), (head_costs, "head")):
        if not np.isfinite(costs).all():
            raise _Unfit(Verdict.ERROR, f"a value is missing or not positive in {where}")
    return _timing_claim(
        tolerance, old, new, base_costs=base_costs, head_costs=head_costs, clips=clips
    )


def _timing_claim(
    tolerance: Tolerance,
    old: tuple[MeasuredTrial, ...],
    new: tuple[MeasuredTrial, ...],
    *,
    base_costs: Floats,
    head_costs: Floats,
    clips: tuple[str, ...],
) -> Pending:
    metric = tolerance.metric
    times = (_began(old), _began(new))
    is_timed = all(np.isfinite(side).all() for side in times)
    evidence = cost_evidence(
        base_costs, head_costs, tolerance.statistic, times=times if is_timed else None
    )
    sign = -1.0 if metric.better is Better.UP else 1.0
    of_repeats = summary(tolerance.statistic)
    logs = np.stack([sign * of_repeats(base_costs), sign * of_repeats(head_costs)])
    sides = np.exp(logs.mean(axis=1))
    per_clip = np.exp(logs)
    values = {}
    if logs.shape[1] == len(clips):
        values = {
            clip: (float(per_clip[0, place]), float(per_clip[1, place]))
            for place, clip in enumerate(clips)
        }
    return Pending(
        metric=metric,
        claim=Judged(evidence, tolerance.limit, metric),
        base=float(sides[0]),
        head=float(sides[1]),
        units=logs.shape[1],
        repeats=(len(base_costs), len(head_costs)),
        clips=_moved(metric, old[0], new[0], values),
        trial_id=new[-1].trial_id,
    )


def _began(trials: tuple[MeasuredTrial, ...]) -> Floats:
    return np.array(
        [math.nan if t.started_at is None else t.started_at for t in trials], dtype=np.float64
    )


def machine_key(trial: MeasuredTrial) -> str | None:
    """The comparability key of a trial's timings; None if unknown."""
    return trial.spec.environment_key or (trial.machine.key if trial.machine else None)


def clip_values(metric: Metric, clip: ClipResult) -> tuple[float, ...]:
    """A metric's values in a clip: one per object of accuracy, one of timing; NaN if unknown."""
    if metric.kind is Kind.ACCURACY:
        return tuple(_object_score(metric, clip, number) for number in clip.object_ids)
    return (clip.metrics.get(metric.name, math.nan),)


def _same_machine(
    base: tuple[MeasuredTrial, ...], head: tuple[MeasuredTrial, ...]
) -> tuple[tuple[MeasuredTrial, ...], tuple[MeasuredTrial, ...]]:
    """The repeats of both sides on one machine: that with most of them, if there are several."""

    def on(trials: tuple[MeasuredTrial, ...], key: str) -> tuple[MeasuredTrial, ...]:
        return tuple(trial for trial in trials if machine_key(trial) == key)

    old = {machine_key(trial) for trial in base}
    new = {machine_key(trial) for trial in head}
    if None in old or None in new:
        raise _Unfit(Verdict.INCOMPARABLE, "the machine of a timing is unknown")
    common = sorted(key for key in old & new if key is not None)
    if not common:
        raise _Unfit(
            Verdict.INCOMPARABLE,
            f"other machine: {_device(base[-1])} in base, {_device(head[-1])} in head",
        )
    best = max(common, key=lambda key: min(len(on(base, key)), len(on(head, key))))
    return on(base, best), on(head, best)


def _device(trial: MeasuredTrial) -> str:
    key = (machine_key(trial) or "unknown")[:8]
    return f"{trial.machine.device} ({key})" if trial.machine is not None else key


def _paired_costs(
    metric: Metric,
    base: tuple[MeasuredTrial, ...],
    head: tuple[MeasuredTrial, ...],
    clips: tuple[str, ...],
) -> tuple[Floats, Floats]:
    """Costs of both sides by clip, or over all clips where only that is known."""
    for read in (_clip_costs, _whole_costs):
        old, new = read(metric, base, clips), read(metric, head, clips)
        is_known = (not np.isnan(old).all(), not np.isnan(new).all())
        if all(is_known):
            return old, new
        if any(is_known):
            raise _Unfit(Verdict.ERROR, f"not measured in {'head' if is_known[0] else 'base'}")
    raise _Absent


def _clip_costs(
    metric: Metric, trials: tuple[MeasuredTrial, ...], clips: tuple[str, ...]
) -> Floats:
    """Logarithms of a cost, (R, S); NaN where unknown."""
    runs = [{clip.sequence: clip.metrics for clip in trial.clips} for trial in trials]
    values = [[run.get(clip, {}).get(metric.name, math.nan) for clip in clips] for run in runs]
    return _log_costs(metric, np.array(values, dtype=np.float64))


def _whole_costs(
    metric: Metric, trials: tuple[MeasuredTrial, ...], _clips: tuple[str, ...]
) -> Floats:
    """Logarithms of a cost over all clips, (R, 1); NaN where unknown."""
    values = [[trial.aggregates.get(metric.name, math.nan)] for trial in trials]
    return _log_costs(metric, np.array(values, dtype=np.float64))


def run_costs(metric: Metric, trials: tuple[MeasuredTrial, ...]) -> Floats:
    """Mean logarithm of a timing metric's cost over clips, of each run that has it."""
    if not trials:
        return np.empty(0)
    costs = _clip_costs(metric, trials, tuple(sorted(trials[0].spec.sequences)))
    costs = costs[:, ~np.isnan(costs).all(axis=0)]
    if costs.shape[1] == 0:
        costs = _whole_costs(metric, trials, ())
    means = costs.mean(axis=1)
    return np.asarray(means[np.isfinite(means)])


def _log_costs(metric: Metric, values: Floats) -> Floats:
    logs = np.full(values.shape, np.nan)
    np.log(values, out=logs, where=values > 0)
    return -logs if metric.better is Better.UP else logs
