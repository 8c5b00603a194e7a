"""Verdicts from evidence: which follows when, their exit codes, and how often they are wrong."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.harness.regression.statistics import Noise, accuracy_evidence, cost_evidence
from vosbench.harness.regression.thresholds import METRICS
from vosbench.harness.regression.verdict import (
    EXIT_CODES,
    Judged,
    Judgement,
    Verdict,
    exit_code,
    is_beyond,
    judge,
    p_value,
    total,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
from regression_power import NOISES, detection_rate, false_alarm_rate


def costs(worsening: float, *, noise: float = 0.01, runs: float = 0.0, seed: int = 0) -> Judged:
    """Five repeats a side over 20 clips, 5 % tolerated."""
    generator = np.random.default_rng(seed)
    base, head = (
        noise * generator.standard_normal((5, 20)) + runs * generator.standard_normal((5, 1))
        for _ in range(2)
    )
    return Judged(cost_evidence(base, head + worsening), 0.05, METRICS["fps"])


def alone(claim: Judged) -> Judgement:
    return judge([claim])[0]


def scores(*lower: float) -> Judged:
    base = np.linspace(0.5, 0.9, len(lower))
    return Judged(accuracy_evidence(base, base - np.array(lower)), 0.003, METRICS["jf_mean"])


@pytest.mark.parametrize(
    ("claim", "expected", "reason"),
    [
        (costs(0.0), Verdict.PASS, "within 4.9 %"),
        (costs(0.2), Verdict.REGRESSED, "worse beyond 4.9 %"),
        (costs(-0.2), Verdict.IMPROVED, "better beyond 4.9 %"),
        (costs(0.05), Verdict.INCONCLUSIVE, "may lie beyond"),
        (costs(0.0, runs=0.2), Verdict.INCONCLUSIVE, "noise"),
        (costs(2.0, runs=0.2), Verdict.REGRESSED, "worse beyond the noise of"),
        (scores(0.05, 0.05, 0.051), Verdict.REGRESSED, "worse beyond 0.30 points"),
        (scores(0.05), Verdict.INCONCLUSIVE, "one object alone"),
        (scores(*[0.0] * 19, 0.4), Verdict.INCONCLUSIVE, "may lie beyond"),
        (scores(*[0.0] * 20), Verdict.PASS, "within 0.30 points"),
        (scores(*[-0.02] * 12), Verdict.IMPROVED, "better beyond"),
    ],
)
def test_verdict_follows_from_evidence(claim: Judged, expected: Verdict, reason: str) -> None:
    judgement = alone(claim)
    assert judgement.verdict is expected
    assert reason in judgement.reason


def test_a_change_to_either_side_regresses_a_two_sided_metric() -> None:
    for lower in (0.05, -0.05):
        claim = replace(scores(*[lower] * 12), metric=METRICS["reuse_rate"])
        assert alone(claim).verdict is Verdict.REGRESSED
    assert alone(replace(scores(*[0.0] * 12), metric=METRICS["reuse_rate"])).verdict is Verdict.PASS


def test_one_repeat_a_side_never_passes() -> None:
    base = np.zeros((1, 20))
    for worsening in (0.0, 3.0):
        judgement = alone(Judged(cost_evidence(base, base + worsening), 0.05, METRICS["fps"]))
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert "--repeats" in judgement.reason


def test_few_clips_are_judged_by_their_runs() -> None:
    generator = np.random.default_rng(0)
    base, head = (0.01 * generator.standard_normal((3, 2)) for _ in range(2))
    assert (
        alone(Judged(cost_evidence(base, head + 0.5), 0.05, METRICS["fps"])).verdict == "regressed"
    )
    assert alone(Judged(cost_evidence(base, head), 0.05, METRICS["fps"])).verdict == "pass"


def test_a_find_that_stands_alone_may_fall_among_many() -> None:
    borderline = costs(0.058, noise=0.05, seed=3)
    assert alone(borderline).verdict is Verdict.REGRESSED
    among = judge([borderline, *(costs(0.0, seed=seed) for seed in range(200, 500))])
    assert among[0].verdict is Verdict.INCONCLUSIVE
    assert among[0].reason == "beyond the limit alone, not after correction for 301 tests"


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.1), st.integers(0, 50))
@settings(max_examples=30, deadline=None)
def test_p_is_the_level_at_which_the_interval_leaves_the_band(
    worsening: float, noise: float, seed: int
) -> None:
    claim = costs(worsening, noise=noise, seed=seed)
    p = p_value(claim)
    judgement = alone(claim)
    if p == 1.0:
        assert judgement.verdict not in {Verdict.REGRESSED, Verdict.IMPROVED}
        return
    assert is_beyond(claim, p)
    assert p < 1e-4 or not is_beyond(claim, p * 0.99)
    if judgement.verdict is Verdict.REGRESSED:
        assert judgement.interval.low > max(claim.limit, judgement.noise)
    if judgement.verdict is Verdict.IMPROVED:
        assert judgement.interval.high < -max(claim.limit, judgement.noise)


def test_noise_raises_the_bound() -> None:
    claim = costs(0.1)
    assert is_beyond(claim, 0.05)
    loud = replace(claim, evidence=replace(claim.evidence, noise=Noise(0.06, 8)))
    assert not is_beyond(loud, 0.05)


def test_every_verdict_has_its_own_exit_code() -> None:
    assert set(EXIT_CODES) == set(Verdict)
    assert len(set(EXIT_CODES.values())) == len(Verdict)
    assert EXIT_CODES[Verdict.PASS] == 0
    assert not {1, 2} & set(EXIT_CODES.values())


def test_a_caller_allows_verdicts_but_never_errors() -> None:
    assert exit_code(Verdict.IMPROVED) == EXIT_CODES[Verdict.IMPROVED]
    assert exit_code(Verdict.IMPROVED, {Verdict.IMPROVED}) == 0
    assert exit_code(Verdict.REGRESSED, {Verdict.IMPROVED}) == EXIT_CODES[Verdict.REGRESSED]
    with pytest.raises(ValueError, match="error"):
        exit_code(Verdict.PASS, {Verdict.ERROR})


def test_total_is_the_worst_and_nothing_is_an_error() -> None:
    assert total([]) is Verdict.ERROR
    assert total([Verdict.PASS, Verdict.IMPROVED]) is Verdict.IMPROVED
    assert total([Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.IMPROVED]) is Verdict.INCONCLUSIVE
    assert total([Verdict.ERROR, Verdict.PASS]) is Verdict.ERROR
    assert total(Verdict) is Verdict.REGRESSED


def test_a_whole_grid_of_equal_sides_hardly_alarms() -> None:
    """The agreed case; ``benchmarks/regression_power.py`` does it 1,000 times."""
    assert false_alarm_rate(NOISES[0], 60) == 0.0


def test_noise_of_whole_runs_does_not_alarm_even_without_tolerance() -> None:
    # Resampling clips alone would alarm in nearly all of these.
    assert false_alarm_rate(NOISES[1], 30, tolerance=0.0) <= 0.10


def test_a_slowdown_of_a_tenth_is_found() -> None:
    assert detection_rate(NOISES[0], 100, points=1) >= 0.95
    assert detection_rate(NOISES[0], 20, points=30) >= 0.95
    assert detection_rate(NOISES[3], 100, points=1) >= 0.95


def test_reasons_speak_in_the_users_units() -> None:
    assert METRICS["jf_mean"].size_text(0.003) == "0.30 points"
    assert METRICS["fps"].size_text(-math.log(0.95)) == "5.0 %"
    assert METRICS["init_ms"].size_text(math.log(1.05)) == "5.0 %"
