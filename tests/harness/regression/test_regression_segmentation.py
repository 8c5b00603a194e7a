"""Step detection: optimal by exhaustive search, quiet on noise, awake to steps."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.harness.regression.segmentation import (
    PENALTY,
    noise_of,
    segment,
    steps,
)


def price_of(values: np.ndarray, starts: tuple[int, ...], price: float) -> float:
    edges = [0, *starts, len(values)]
    pieces = [values[a:b] for a, b in itertools.pairwise(edges)]
    return sum(float(np.abs(piece - np.median(piece)).sum()) + price for piece in pieces)


@given(st.lists(st.floats(-3, 3), min_size=4, max_size=9), st.floats(0.05, 2.0))
@settings(max_examples=60, deadline=None)
def test_the_best_of_all_partitions_is_found(numbers: list[float], noise: float) -> None:
    values = np.array(numbers)
    found = steps(segment(values, least_noise=noise))
    price = PENALTY * max(noise, noise_of(values)) * math.log(len(values))
    places = range(2, len(values) - 1)
    best = min(
        price_of(values, starts, price)
        for count in range(len(values))
        for starts in itertools.combinations(places, count)
        if all(b - a >= 2 for a, b in itertools.pairwise([0, *starts, len(values)]))
    )
    assert price_of(values, found, price) == pytest.approx(best, abs=1e-8)


@given(st.lists(st.floats(-1e3, 1e3), max_size=30))
@settings(deadline=None)
def test_pieces_cover_the_series(numbers: list[float]) -> None:
    pieces = segment(numbers)
    covered = [place for piece in pieces for place in range(piece.start, piece.stop)]
    assert covered == list(range(len(numbers)))
    assert len(numbers) < 2 or all(piece.stop - piece.start >= 2 for piece in pieces)


def test_a_step_is_found_where_it_is() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([np.full(15, 30.0), np.full(10, 27.0)])
    found = segment(values + 0.3 * generator.standard_normal(25))
    assert steps(found) == (15,)
    assert [piece.level for piece in found] == pytest.approx([30.0, 27.0], abs=0.3)


def test_one_odd_run_is_no_step_and_two_are() -> None:
    quiet = [10.0, 10.1, 9.9, 10.0, 10.1, 9.9, 10.0, 10.1]
    assert steps(segment([*quiet, 7.0, *quiet])) == ()
    assert steps(segment([*quiet, 7.0, 7.1])) == (8,)


def test_equal_levels_seldom_step() -> None:
    generator = np.random.default_rng(1)
    false_steps = sum(len(segment(generator.standard_normal(30))) > 1 for _ in range(300))
    assert false_steps <= 0.07 * 300


def test_exact_values_step_only_beyond_the_least_noise() -> None:
    level = [0.7, 0.7, 0.7, 0.7]
    assert steps(segment([*level, *[0.70001] * 4], least_noise=0.0005)) == ()
    assert steps(segment([*level, *[0.69] * 4], least_noise=0.0005)) == (4,)
    assert steps(segment([0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2, 0.3, 0.3])) == ()


def test_empty_and_single_series() -> None:
    assert segment([]) == ()
    assert [(p.start, p.stop, p.level) for p in segment([4.0])] == [(0, 1, 4.0)]
