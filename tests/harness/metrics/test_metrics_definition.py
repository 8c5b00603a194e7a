"""The fast way against the plain definition, on label maps of every awkward kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from plain_scoring import plain_boundary, plain_decay, plain_disk, plain_f, plain_j

from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.metrics import (
    SequenceScorer,
    TruthCache,
    boundary_accuracy,
    region_similarity,
    score_frame,
    series_statistics,
)
from vosbench.harness.metrics.boundary import boundary_map, dilate_disk, tolerance_px

SIZES = st.tuples(st.integers(1, 23), st.integers(1, 29))


@st.composite
def label_maps(draw: st.DrawFn, objects: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Two label maps of one size: noise, rectangles that may touch every border, or both."""
    size = draw(st.one_of(SIZES, st.tuples(st.integers(100, 160), st.integers(90, 150))))
    return draw(_label_map(size, objects)), draw(_label_map(size, objects))


@st.composite
def _label_map(draw: st.DrawFn, size: tuple[int, int], objects: int) -> np.ndarray:
    height, width = size
    labels = np.zeros(size, np.uint8)
    for _ in range(draw(st.integers(0, 5))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top, height)), draw(st.integers(left, width))
        labels[top : bottom + 1, left : right + 1] = draw(st.integers(0, objects))
    if draw(st.booleans()):
        noise = np.random.default_rng(draw(st.integers(0, 999)))
        speckled = noise.random(size) < 0.1
        labels[speckled] = noise.integers(0, objects + 1, int(speckled.sum()))
    return labels


@settings(max_examples=150, deadline=None)
@given(label_maps())
def test_label_maps_score_as_by_definition(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = maps
    got = score_frame(truth, predicted, range(1, 5))
    for i in range(1, 5):
        assert got[i].j == pytest.approx(plain_j(truth == i, predicted == i), abs=1e-12)
        assert got[i].f == pytest.approx(plain_f(truth == i, predicted == i), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(label_maps(objects=1))
def test_single_masks_score_as_by_definition(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = maps[0] > 0, maps[1] > 0
    assert region_similarity(truth, predicted) == pytest.approx(
        plain_j(truth, predicted), abs=1e-12
    )
    assert boundary_accuracy(truth, predicted) == pytest.approx(
        plain_f(truth, predicted), abs=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.bool_, SIZES))
def test_boundary_is_where_a_later_neighbour_differs(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(boundary_map(mask), plain_boundary(mask))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 12), st.integers(0, 12))
def test_dilation_is_by_the_disk(radius: int, y: int, x: int) -> None:
    size = 2 * radius + 13
    point = np.zeros((size, size), np.bool_)
    point[radius + y, radius + x] = True
    expected = np.zeros_like(point)
    side = 2 * radius + 1
    expected[y : y + side, x : x + side] = plain_disk(radius)
    np.testing.assert_array_equal(dilate_disk(point, radius), expected)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(480, 854, 8), (480, 910, 9), (720, 1280, 12), (600, 800, 8), (1, 1, 1), (2160, 3840, 36)],
)
def test_tolerance_is_rounded_up(height: int, width: int, expected: int) -> None:
    assert tolerance_px(height, width) == expected


def _maps(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """(annotation, prediction) of 50x70 pixels."""
    empty, full, pixel = np.zeros((50, 70), np.uint8), np.ones((50, 70), np.uint8), None
    pixel = empty.copy()
    pixel[20, 30] = 1
    corner = empty.copy()
    corner[-1, -1] = 1
    return {
        "both empty": (empty, empty),
        "both full": (full, full),
        "nothing predicted": (pixel, empty),
        "nothing annotated": (empty, pixel),
        "full against empty": (full, empty),
        "full against pixel": (full, pixel),
        "one pixel": (pixel, pixel),
        "far apart": (pixel, corner),
        "last corner": (corner, corner),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "j", "f"),
    [
        ("both empty", 1, 1),
        ("both full", 1, 1),
        ("nothing predicted", 0, 0),
        ("nothing annotated", 0, 0),
        # A mask over the whole image has no contour, so there is none to miss.
        ("full against empty", 0, 1),
        ("full against pixel", 1 / 3500, 0),
        ("one pixel", 1, 1),
        ("far apart", 0, 0),
        ("last corner", 1, 1),
    ],
)
def test_special_masks(kind: str, j: float, f: float) -> None:
    truth, predicted = _maps(kind)
    assert score_frame(truth, predicted, [1])[1] == pytest.approx((j, f))
    assert plain_j(truth == 1, predicted == 1) == pytest.approx(j)
    assert plain_f(truth == 1, predicted == 1) == f


def test_every_label_that_eight_bits_hold() -> None:
    truth = np.arange(256, dtype=np.uint8).repeat(30).reshape(60, 128)
    predicted = np.roll(truth, 7)
    got = score_frame(truth, predicted, range(1, 256))
    for i in range(1, 256):
        assert got[i] == pytest.approx(
            (plain_j(truth == i, predicted == i), plain_f(truth == i, predicted == i))
        )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=700))
def test_decay_of_any_length(values: list[float]) -> None:
    got = series_statistics(np.array(values, np.float64))
    assert got.decay == pytest.approx(plain_decay(values), abs=1e-12)
    assert got.mean == pytest.approx(sum(values) / len(values), abs=1e-12)
    assert got.recall == pytest.approx(sum(v > 0.5 for v in values) / len(values), abs=1e-12)


def test_a_clip_longer_than_256_frames_by_the_definition() -> None:
    noise = np.random.default_rng(3)
    truth = np.zeros((600, 24, 31), np.uint8)
    truth[:, 4:16, 5:20] = 1
    truth[300:, 12:20, 10:30] = 2
    truth[0, 0, 0] = 2
    predicted = truth.copy()
    predicted[noise.random(truth.shape) < np.linspace(0, 0.4, 600)[:, None, None]] = 0
    scorer = SequenceScorer("long", ScoringPlan(dict.fromkeys((1, 2), tuple(range(1, 599)))))
    for index in range(600):
        scorer.add(index, truth[index], predicted[index])
    for scores in scorer.result().objects:
        i = scores.object_id
        np.testing.assert_array_equal(scores.frames, np.arange(1, 599))
        j = [plain_j(truth[t] == i, predicted[t] == i) for t in range(1, 599)]
        f = [plain_f(truth[t] == i, predicted[t] == i) for t in range(1, 599)]
        np.testing.assert_allclose(scores.j, j, rtol=0, atol=1e-12)
        np.testing.assert_allclose(scores.f, f, rtol=0, atol=1e-12)
        assert series_statistics(scores.j).decay == pytest.approx(plain_decay(j), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.lists(label_maps(), min_size=1, max_size=3), st.sampled_from([0, 2000, 10**6]))
def test_a_cache_of_any_size_changes_no_score(
    pairs: list[tuple[np.ndarray, np.ndarray]], limit_bytes: int
) -> None:
    cache = TruthCache(limit_bytes)
    plan = ScoringPlan(dict.fromkeys(range(1, 5), tuple(range(len(pairs)))))
    for _ in range(3):
        scorer = SequenceScorer("clip", plan, cache)
        for index, (truth, predicted) in enumerate(pairs):
            scorer.add(index, truth, predicted)
        assert cache.held_bytes <= limit_bytes
        for scores in scorer.result().objects:
            i = scores.object_id
            for k, (truth, predicted) in enumerate(pairs):
                expected = score_frame(truth, predicted, [i])[i]
                assert (scores.j[k], scores.f[k]) == (expected.j, expected.f)
