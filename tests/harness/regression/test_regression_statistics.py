"""The statistics behind a verdict, against SciPy and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from vosbench.harness.regression.statistics import (
    EXACT,
    Statistic,
    accuracy_evidence,
    alternate,
    bootstrap_means,
    cost_evidence,
    error_of,
    expanded_tail,
    paired_noise,
    repeat_noise,
    rounds,
    run_noise,
    t_quantile,
)


def test_t_quantiles_are_those_of_tables() -> None:
    assert t_quantile(0.025, 1) == pytest.approx(12.706, abs=5e-4)
    assert t_quantile(0.05, 10) == pytest.approx(1.812, abs=5e-4)


def test_bootstrap_interval_is_scipys() -> None:
    values = np.random.default_rng(3).exponential(1.0, 40)
    means = bootstrap_means(values)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    spread = float(values.std())
    assert np.quantile(means, 0.025) == pytest.approx(theirs.low, abs=0.01 * spread)
    assert np.quantile(means, 0.975) == pytest.approx(theirs.high, abs=0.01 * spread)


def test_bootstrap_works_in_blocks() -> None:
    values = np.random.default_rng(0).standard_normal(700)
    means = bootstrap_means(values, resamples=5000)
    assert means.shape == (5000,)
    assert means.std() == pytest.approx(values.std() / math.sqrt(700), rel=0.05)
    assert (np.diff(means) >= 0).all()


def test_bootstrap_is_the_same_every_time() -> None:
    values = np.random.default_rng(0).standard_normal(12)
    assert np.array_equal(bootstrap_means(values), bootstrap_means(values))
    assert not np.array_equal(bootstrap_means(values), bootstrap_means(values, seed=1))


def test_expanded_intervals_hold_their_level_where_plain_ones_do_not() -> None:
    generator = np.random.default_rng(0)
    covered = {"expanded": 0, "plain": 0}
    trials, count = 2000, 10
    for _ in range(trials):
        means = bootstrap_means(generator.standard_normal(count), resamples=2000)
        for name, tail in (("expanded", expanded_tail(0.05, count)), ("plain", 0.025)):
            low, high = np.quantile(means, (tail, 1.0 - tail))
            covered[name] += low < 0.0 < high
    assert covered["expanded"] / trials == pytest.approx(0.95, abs=0.015)
    assert covered["plain"] / trials < 0.92


@pytest.mark.parametrize("count", [2, 5, 9])
def test_few_objects_are_judged_by_t(count: int) -> None:
    generator = np.random.default_rng(count)
    base, head = generator.random(count), generator.random(count)
    interval = accuracy_evidence(base, head).interval(0.05)
    theirs = stats.ttest_rel(base, head).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))


def test_one_object_bounds_nothing() -> None:
    interval = accuracy_evidence(np.array([0.9]), np.array([0.1])).interval(0.05)
    assert interval.low == -math.inf


def test_accuracy_has_no_noise_of_runs() -> None:
    evidence = accuracy_evidence(np.array([0.9, 0.8]), np.array([0.8, 0.7]))
    assert evidence.noise is EXACT
    assert evidence.worsening == pytest.approx(0.1)


def test_noise_of_runs_is_that_of_a_pooled_t_test() -> None:
    generator = np.random.default_rng(5)
    base, head = generator.standard_normal(5), generator.standard_normal(4)
    noise = run_noise(base, head)
    assert noise is not None
    theirs = stats.ttest_ind(head, base).confidence_interval(0.95)
    assert noise.degrees == 7
    assert noise.floor(0.05) == pytest.approx((theirs.high - theirs.low) / 2.0)


def test_noise_is_unknown_without_repeats_and_zero_for_equal_runs() -> None:
    one = np.array([0.3])
    assert run_noise(one, one) is None
    equal = run_noise(np.array([0.1, 0.1, 0.1]), np.array([0.7, 0.7]))
    assert equal is not None
    assert equal.floor(0.001) == 0.0


def test_the_least_of_repeats_strays_as_order_statistics_do() -> None:
    draws = np.random.default_rng(9).standard_normal((5, 200_000))
    assert error_of(Statistic.MIN, 5) == pytest.approx(0.669, abs=0.005)
    assert error_of(Statistic.MEDIAN, 5) == pytest.approx(np.median(draws, axis=0).std(), rel=0.02)
    assert error_of(Statistic.MEAN, 4) == 0.5


def test_alternating_runs_are_told_from_blocks() -> None:
    def at(*times: float) -> np.ndarray:
        return np.array(times)

    assert alternate(at(0, 2, 4), at(1, 3, 5))
    assert alternate(at(0, 3, 4), at(1, 2, 5))  # ABBA AB
    assert not alternate(at(0, 1, 2), at(3, 4, 5))
    assert not alternate(at(0), at(1))


def test_drift_is_no_noise_when_runs_alternate() -> None:
    base_at, head_at = np.array([0.0, 3, 4, 7, 8]), np.array([1.0, 2, 5, 6, 9])
    wobble = np.random.default_rng(2).standard_normal(10) * 0.001
    base, head = 0.02 * base_at + wobble[:5], 0.02 * head_at + wobble[5:]
    blind = run_noise(base, head)
    aware = run_noise(base, head, times=(base_at, head_at))
    assert blind is not None and aware is not None
    assert aware.error < blind.error / 20
    # In blocks a drift can't be told from a change, and isn't tried to.
    blocks = run_noise(base, head, times=(base_at, head_at + 100))
    assert blocks == blind


def test_costs_are_compared_clip_by_clip() -> None:
    generator = np.random.default_rng(0)
    clips = generator.uniform(-3, 3, 15)  # clips differ far more than sides
    base = clips + 0.01 * generator.standard_normal((5, 15))
    head = clips + math.log(1.1) + 0.01 * generator.standard_normal((5, 15))
    evidence = cost_evidence(base, head)
    assert evidence.worsening == pytest.approx(math.log(1.1), abs=0.01)
    interval = evidence.interval(0.05)
    assert interval.high - interval.low < 0.03


def test_min_takes_equally_many_repeats_of_each_side() -> None:
    base = np.array([[0.5], [0.4], [-9.0]])
    head = np.array([[0.6], [0.3]])
    assert cost_evidence(base, head, Statistic.MIN).worsening == pytest.approx(-0.1)


def test_rounds_are_pairs_that_ran_next_to_each_other() -> None:
    def at(*times: float) -> NDArray[np.float64]:
        return np.array(times, dtype=np.float64)

    found = rounds(at(0, 3, 4), at(1, 2, 5))  # ABBAAB
    assert found is not None
    assert found.tolist() == [[0, 1, 2], [3, 4, 5]]
    late = rounds(at(4, 0, 3), at(1, 2, 5))  # the first repeat was lost, and done again last
    assert late is not None
    assert late.tolist() == [[1, 2, 0], [3, 4, 5]]
    assert rounds(at(0, 1), at(2, 3)) is None
    assert rounds(at(0, 3, 4), at(1, 2)) is None


def test_paired_noise_is_that_of_the_paired_t_test() -> None:
    generator = np.random.default_rng(0)
    differences = generator.standard_normal(8)
    noise = paired_noise(differences)
    test = stats.ttest_1samp(differences, 0.0)
    assert abs(differences.mean() / noise.error) == pytest.approx(abs(test.statistic))
    assert (noise.degrees, noise.paired) == (test.df, True)


def test_independent_rounds_are_not_paired() -> None:
    generator = np.random.default_rng(1)
    times = (np.array([0.0, 3, 4, 7, 8]), np.array([1.0, 2, 5, 6, 9]))
    paired = 0
    for _ in range(300):
        base, head = generator.standard_normal((2, 5))
        noise = run_noise(base, head, times=times)
        assert noise is not None
        paired += noise.paired
    assert paired <= 10


def test_repeat_noise_needs_two_runs() -> None:
    assert repeat_noise(np.array([1.0])) is None
    noise = repeat_noise(np.array([1.0, 3.0]))
    assert noise is not None
    assert noise.error == pytest.approx(np.sqrt(2.0))
