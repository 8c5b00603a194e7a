"""The rules of MOSEv2, LVOS, VOST and SA-V on single masks and series, against plain ones."""

from __future__ import annotations

import math
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from vosbench.harness.metrics import lvos, mosev2, sav, vost
from vosbench.harness.metrics.planes import ObjectPlane, split_labels

Mask = NDArray[np.bool_]


def plane(mask: Mask) -> ObjectPlane | None:
    return split_labels(mask.astype(np.uint8), [1]).get(1)


def contour(mask: Mask) -> set[tuple[int, int]]:
    """Pixels that differ from their right, lower or lower right neighbour, one by one."""
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            near = [
                mask[min(y + dy, height - 1), min(x + dx, width - 1)]
                for dy, dx in ((0, 1), (1, 0), (1, 1))
            ]
            corner = y == height - 1 and x == width - 1
            if not corner and any(value != mask[y, x] for value in near):
                found.add((y, x))
    return found


def plain_f(truth: Mask, predicted: Mask, radius: float) -> float:
    """F by looking at every pair of contour pixels."""
    a, b = contour(truth), contour(predicted)
    if not a and not b:
        return 1.0
    if not a or not b:
        return 0.0
    grid = np.arange(-radius, radius + 1)
    side = len(grid)
    offsets = {
        (j - side // 2, i - side // 2)
        for j in range(side)
        for i in range(side)
        if grid[j] ** 2 + grid[i] ** 2 <= radius**2
    }

    def matched(ours: set[tuple[int, int]], theirs: set[tuple[int, int]]) -> float:
        hits = sum(any((y + dy, x + dx) in theirs for dy, dx in offsets) for y, x in ours)
        return hits / len(ours)

    precision, recall = matched(b, a), matched(a, b)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def plain_mosev2(truth: Mask, predicted: Mask) -> tuple[float, float, float, float]:
    both, either = int((truth & predicted).sum()), int((truth | predicted).sum())
    wide = 0.008 * math.hypot(*truth.shape)
    narrow = math.ceil(0.1 * math.sqrt(int(truth.sum())))
    if truth.any() and narrow < wide:
        f, f_new = plain_f(truth, predicted, math.ceil(wide)), plain_f(truth, predicted, narrow)
    else:
        f = f_new = plain_f(truth, predicted, wide)
    return (both + 1) / (either + 1), f, f_new, float(not truth.any())


@st.composite
def blobs(draw: st.DrawFn, size: tuple[int, int]) -> Mask:
    mask = np.zeros(size, np.bool_)
    for _ in range(draw(st.integers(0, 3))):
        y, x = draw(st.integers(0, size[0] - 1)), draw(st.integers(0, size[1] - 1))
        mask[y : y + draw(st.integers(1, 14)), x : x + draw(st.integers(1, 30))] = True
    return mask


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from([(30, 90), (17, 160), (24, 130)]))
def test_a_frame_of_mosev2_is_what_every_pixel_says(
    data: st.DataObject, size: tuple[int, int]
) -> None:
    truth, predicted = data.draw(blobs(size)), data.draw(blobs(size))
    found = mosev2.frame_values(plane(truth), plane(predicted), size)
    assert found == pytest.approx(plain_mosev2(truth, predicted), abs=1e-12)


@given(st.lists(st.booleans(), max_size=30))
def test_runs_begin_where_an_object_goes_or_comes_back(empty: list[bool]) -> None:
    gone, back, at = [], [], 0
    for is_empty, run in groupby(empty):
        length = len(list(run))
        if at:
            (gone if is_empty else back).append(slice(at, at + length))
        at += length
    assert mosev2.appearance_runs(empty) == (gone, back)


def test_an_object_without_runs_has_no_figure_of_them_and_is_left_out_of_their_mean() -> None:
    ones = np.ones(4)
    steady = mosev2.object_figures(
        {"j": ones, "f": ones, "f_new": ones, "truth_empty": np.zeros(4)}
    )
    assert steady["disappear_j"] is None
    assert steady["reappear_jf_new"] is None
    leaving = mosev2.object_figures(
        {"j": ones / 2, "f": ones, "f_new": ones / 4, "truth_empty": np.array([0.0, 1, 1, 0])}
    )
    total = mosev2.summarise([steady, leaving])
    assert total["disappear_jf_new"] == 0.375
    assert total["j_mean"] == 0.75


series = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1))


@given(series)
def test_wavering_is_the_root_of_a_rounded_variance(j: NDArray[np.float64]) -> None:
    assert lvos.wavering(j, j) == math.sqrt(round(float(j.var()), 4))


def test_lvos_weighs_seen_and_unseen_alike_and_knows_no_mean_without_either() -> None:
    def figures(value: float) -> lvos.Figures:
        return lvos.object_figures({"j": np.full(3, value), "f": np.full(3, value / 2)})

    total = lvos.summarise([(False, figures(0.2)), (False, figures(0.4)), (True, figures(0.9))])
    assert total["j_mean"] == pytest.approx((0.3 + 0.9) / 2)
    assert total["jf_mean"] == pytest.approx((0.3 + 0.9 + 0.15 + 0.45) / 4)
    alone = lvos.summarise([(False, figures(0.2))])
    assert alone["j_seen"] == pytest.approx(0.2)
    assert alone["j_mean"] is alone["j_unseen"] is alone["jf_mean"] is None


@given(series)
def test_j_tr_is_j_of_the_last_quarter(j: NDArray[np.float64]) -> None:
    start = math.floor(0.75 * len(j))
    figures = vost.object_figures({"j": j})
    assert figures["j_tr_mean"] == pytest.approx(float(np.mean(j[start:])))
    assert figures["j_mean"] == pytest.approx(float(np.mean(j)))
    assert not any("f" in name for name in figures)


@given(st.lists(st.booleans(), max_size=20))
def test_sav_counts_from_the_first_frame_that_shows_the_object(shown: list[bool]) -> None:
    expected = list(range(shown.index(True), len(shown))) if any(shown) else []
    kept = sav.counted({"shown": np.array(shown, np.float64)})
    assert list(range(len(shown)))[kept] == expected
