"""The rule by which a warm-up ends."""

from __future__ import annotations

from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.measure.warmup import WarmUpRule, is_stable, warm_up

RULE = WarmUpRule(block=2, blocks=3, tolerance=0.1, max_runs=12)


def test_warm_up_ends_with_the_first_stable_blocks():
    times = chain([90, 40, 20, 14], repeat(10))
    record = warm_up(lambda: float(next(times)), RULE)
    assert record.stable
    assert record.times_ms == (90, 40, 20, 14, 10, 10, 10, 10, 10, 10)


def test_warm_up_gives_up_and_says_so():
    times = (2.0**i for i in range(100))
    record = warm_up(lambda: next(times), RULE)
    assert not record.stable
    assert len(record.times_ms) == RULE.max_runs
    assert "within 10%" in str(record.rule)


def test_one_outlier_in_a_block_of_three_does_not_matter():
    assert is_stable([10, 10, 99, 10, 10, 10], WarmUpRule(block=3, blocks=2))


@given(st.lists(st.floats(1, 1.09), min_size=6, max_size=20))
def test_times_within_the_tolerance_are_stable(times):
    assert is_stable(times, RULE)


@pytest.mark.parametrize("wrong", [{"block": 0}, {"blocks": 1}, {"max_runs": 3}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="warm-up"):
        WarmUpRule(**wrong)
