"""Verdicts: what they are, how one follows from evidence, and the exit code of each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scipy.stats import false_discovery_control

from vosbench.harness.metric import Better, Metric
from vosbench.harness.regression.statistics import RESAMPLES, ChangeEvidence, Interval

ALPHA = 0.05
"""The rate of false discoveries over all grid points, and one minus the intervals' level."""

_BISECTIONS = 30


class Verdict(StrEnum):
    """How head compares with base."""

    PASS = "pass"
    """No regression beyond the threshold is plausible."""
    REGRESSED = "regressed"
    """The whole interval lies on the worse side, beyond threshold and noise."""
    IMPROVED = "improved"
    """The whole interval lies on the better side, beyond threshold and noise."""
    INCONCLUSIVE = "inconclusive"
    """The measurement is too noisy, or too small, to tell."""
    INCOMPARABLE = "incomparable"
    """Measured by another protocol, on other data or on another machine."""
    ERROR = "error"
    """Something wasn't measured."""


EXIT_CODES = {
    Verdict.PASS: 0,
    Verdict.REGRESSED: 10,
    Verdict.IMPROVED: 11,
    Verdict.INCONCLUSIVE: 12,
    Verdict.INCOMPARABLE: 13,
    Verdict.ERROR: 14,
}
"""1 stays a fault of the program, 2 an error of usage."""

_WORST_FIRST = (
    Verdict.REGRESSED,
    Verdict.ERROR,
    Verdict.INCOMPARABLE,
    Verdict.INCONCLUSIVE,
    Verdict.IMPROVED,
    Verdict.PASS,
)


def total(verdicts: Iterable[Verdict]) -> Verdict:
    """The one verdict over several: the first of regressed, error, incomparable, inconclusive,
    improved, pass that occurs. No verdicts at all is an error: nothing was measured."""
    given = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in given), Verdict.ERROR)


def exit_code(verdict: Verdict, allowed: Collection[Verdict] = ()) -> int:
    """The exit code of a verdict; 0 if it is one that the caller allows.

    Raises:
        ValueError: an error can't be allowed.
    """
    if Verdict.ERROR in allowed:
        raise ValueError("an error can't be allowed: nothing was measured")
    return 0 if verdict in allowed else EXIT_CODES[verdict]


@dataclass(frozen=True)
class Judged:
    """One change to be judged.

    Attributes:
        evidence: what is known of it, positive for the worse.
        limit: changes up to this are tolerated, in the unit of the evidence.
        metric: what changed.
    """

    evidence: ChangeEvidence
    limit: float
    metric: Metric


@dataclass(frozen=True)
class Judgement:
    """What was found of one change; numbers in the unit of its evidence, positive for the worse.

    Attributes:
        verdict: pass, regressed, improved or inconclusive.
        interval: at level 1 - alpha, not corrected for other points.
        noise: A/A noise floor at the same level; NaN where unknown.
        p: least level at which the whole interval lies beyond limit and noise.
        q: ``p`` corrected for all claims judged together.
        reason: one line.
        leaning: of what isn't sure: where the change lies, though not by how much.
    """

    verdict: Verdict
    worsening: float
    interval: Interval
    noise: float
    p: float
    q: float
    reason: str
    leaning: str = ""


def is_beyond(claim: Judged, alpha: float) -> bool:
    """Whether the whole interval at that level lies beyond limit and noise, on either side."""
    evidence = claim.evidence
    if evidence.noise is None:
        return False
    bound = max(claim.limit, evidence.noise.floor(alpha))
    interval = evidence.interval(alpha)
    return interval.low > bound or interval.high < -bound


def p_value(claim: Judged) -> float:
    """The least level at which :func:`is_beyond` holds; 1 if at none.

    Intervals widen and noise grows as the level falls, so that there is one such level. It is
    never below what the number of resamples can tell.
    """
    if not is_beyond(claim, 1.0):
        return 1.0
    low, high = math.log(1.0 / (RESAMPLES + 1)), 0.0
    if is_beyond(claim, math.exp(low)):
        return math.exp(low)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2.0
        if is_beyond(claim, math.exp(middle)):
            high = middle
        else:
            low = middle
    return math.exp(high)


def judge(claims: Sequence[Judged], alpha: float = ALPHA) -> tuple[Judgement, ...]:
    """Judge changes together, so that their number is corrected for; one judgement each.

    Args:
        claims: all that one comparison tests.
        alpha: false discovery rate, and one minus the level of the intervals shown.
    """
    p_values = [p_value(claim) for claim in claims]
    # Benjamini and Hochberg: under A/A every discovery is false, so the rate bounds any at all.
    q_values = false_discovery_control(p_values).tolist() if p_values else []
    corrected = zip(claims, p_values, q_values, strict=True)
    return tuple(_judge_one(claim, p, q, alpha, len(claims)) for claim, p, q in corrected)


def _judge_one(claim: Judged, p: float, q: float, alpha: float, tests: int) -> Judgement:
    evidence = claim.evidence
    interval = evidence.interval(alpha)
    noise = math.nan if evidence.noise is None else evidence.noise.floor(alpha)
    if q <= alpha:
        verdict, reason = _beyond(claim, noise)
    else:
        reason = _too_little(claim, interval, noise)
        verdict = Verdict.INCONCLUSIVE if reason else Verdict.PASS
        within = "within" if interval.low > -claim.limit else "not worse than"
        reason = reason or f"{within} {claim.metric.size_text(claim.limit)}"
        if verdict is Verdict.INCONCLUSIVE and is_beyond(claim, alpha):
            reason = f"beyond the limit alone, not after correction for {tests} tests"
    leaning = _leaning(claim, interval, noise)
    if verdict is Verdict.PASS:
        # What is tolerated either way is no news; a gain that isn't proved is.
        leaning = leaning if evidence.worsening < -claim.limit else ""
    elif verdict is not Verdict.INCONCLUSIVE:
        leaning = ""
    return Judgement(verdict, evidence.worsening, interval, noise, p, q, reason, leaning)


def _leaning(claim: Judged, interval: Interval, noise: float) -> str:
    """Where the whole interval and more than the noise lie; "" where that can't be said."""
    if math.isnan(noise):
        return ""
    worse = interval.low > 0.0 and claim.evidence.worsening > noise
    better = interval.high < 0.0 and -claim.evidence.worsening > noise
    if claim.metric.better is Better.NEITHER:
        return "probably changed" if worse or better else ""
    return "probably worse" if worse else "probably better" if better else ""


def _beyond(claim: Judged, noise: float) -> tuple[Verdict, str]:
    bound = f"beyond {claim.metric.size_text(claim.limit)}"
    if noise > claim.limit:
        bound = f"beyond the noise of {claim.metric.size_text(noise)}"
    if claim.metric.better is Better.NEITHER:
        return Verdict.REGRESSED, f"changed {bound}"
    if claim.evidence.worsening > 0:
        return Verdict.REGRESSED, f"worse {bound}"
    return Verdict.IMPROVED, f"better {bound}"


def _too_little(claim: Judged, interval: Interval, noise: float) -> str:
    """Why the evidence doesn't allow a pass; empty if it does."""
    limit, worsening = claim.limit, claim.evidence.worsening
    if math.isnan(noise):
        return "one repeat a side, so the noise is unknown: run more --repeats"
    if math.isinf(interval.high):
        return "one object alone: nothing to judge the spread by"
    if noise > limit:
        text = claim.metric.size_text
        return f"noise {text(noise)} exceeds {text(limit)}: more --repeats or a quieter machine"
    # Noise of whole runs isn't in the interval over clips: a pass must allow for both.
    worst = max(interval.high, worsening + noise)
    best = min(interval.low, worsening - noise)
    if worst < limit and (best > -limit or claim.metric.better is not Better.NEITHER):
        return ""
    return f"may lie beyond {claim.metric.size_text(limit)}: the interval is too wide to tell"
