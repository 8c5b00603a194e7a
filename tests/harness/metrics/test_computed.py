"""Metrics of other packages: found, computed from masks, averaged, and named where they fail."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.overlap import Overlapping
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.metric import Better, Metric, Over, broken_metrics, metric
from vosbench.harness.metrics.computed import (
    KeptMasks,
    MetricFault,
    computed_scores,
    mean_scores,
)
from vosbench.harness.regression.thresholds import parse_tolerance, tolerances

THEIRS = """
from vosbench.harness.metric import Better, Metric

def missed(frames):
    return max((int((true & ~predicted).sum()) for true, predicted in frames), default=float("nan"))

def fails(frames):
    return 1 / 0

MISSED = Metric("missed_px", "missed", Better.DOWN, "px", tolerance="2", compute=missed)
FAILS = Metric("fails", "fails", Better.UP, compute=fails)
TAKEN = Metric("jf_mean", "J&F", Better.UP, compute=missed)
CAPITAL = Metric("Missed", "missed", Better.UP, compute=missed)
NOTHING = Metric("nothing", "nothing", Better.UP)
"""


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Register some of those above, as an installed package does."""

    def work(**entries: str) -> None:
        folder = tmp_path / "site"
        info = folder / "their_metrics-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-metrics\nVersion: 1\n")
        lines = [f"{key} = their_metrics:{value}\n" for key, value in entries.items()]
        (info / "entry_points.txt").write_text("[vosbench.metrics]\n" + "".join(lines))
        (folder / "their_metrics.py").write_text(THEIRS)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, "their_metrics", raising=False)

    yield work


PLAN = ScoringPlan({1: (1, 3), 2: (3,), 5: ()})
TRUTH = {1: np.array([[1, 1, 0]], np.uint8), 3: np.array([[1, 1, 2]], np.uint8)}


def test_a_metric_is_computed_object_by_object_on_frames_that_count(register) -> None:  # type: ignore[no-untyped-def]
    register(missed_px="MISSED")
    kept = KeptMasks()
    kept.keep(1, np.array([[1, 0, 0]], np.uint8))
    fork = kept.fork()
    kept.keep(3, np.array([[0, 0, 2]], np.uint8))
    fork.keep(3, np.array([[1, 1, 0]], np.uint8))
    scores = computed_scores(PLAN, TRUTH.__getitem__, kept.masks)
    assert (scores[1], scores[2]) == ({"missed_px": 2.0}, {"missed_px": 0.0})
    assert math.isnan(scores[5]["missed_px"])
    assert computed_scores(PLAN, TRUTH.__getitem__, fork.masks)[2] == {"missed_px": 1.0}
    assert mean_scores([scores]) == {"missed_px": 1.0}


def test_masks_that_overlap_are_kept_as_they_are(register) -> None:  # type: ignore[no-untyped-def]
    register(missed_px="MISSED")
    both = Overlapping((1, 3), {i: np.array([[True, i == 2, False]]) for i in (1, 2)})
    kept = KeptMasks()
    kept.keep(3, both)
    plan = ScoringPlan({1: (3,), 2: (3,)})
    scores = computed_scores(plan, lambda t: both, kept.masks)
    assert scores == {1: {"missed_px": 0.0}, 2: {"missed_px": 0.0}}
    turned = computed_scores(plan, kept.masks, lambda t: np.array([[2, 0, 0]], np.uint8))
    assert turned == {1: {"missed_px": 1.0}, 2: {"missed_px": 1.0}}


def test_merged_objects_are_one(register) -> None:  # type: ignore[no-untyped-def]
    register(missed_px="MISSED")
    plan = ScoringPlan({1: (3,)}, merge_objects=True)
    scores = computed_scores(plan, TRUTH.__getitem__, lambda t: np.array([[7, 0, 0]], np.uint8))
    assert scores == {1: {"missed_px": 2.0}}


def test_means_are_over_objects_or_over_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [{1: {"m": 0.0}, 2: {"m": 1.0}}, {1: {"m": 2.0}, 2: {"m": math.nan}}, {1: {}}]
    each = Metric("m", "m", Better.UP, compute=lambda frames: 0.0)
    for over, expected in ((Over.OBJECTS, 1.0), (Over.SEQUENCES, 1.25)):
        made = (replace(each, over=over),)
        monkeypatch.setattr("vosbench.harness.metrics.computed.computed_metrics", lambda m=made: m)
        assert mean_scores(held) == {"m": expected}


def test_a_metric_that_fails_is_named(register) -> None:  # type: ignore[no-untyped-def]
    register(fails="FAILS")
    with pytest.raises(MetricFault, match="metric fails: ZeroDivisionError"):
        computed_scores(PLAN, TRUTH.__getitem__, TRUTH.__getitem__)


def test_broken_metrics_break_nothing(register) -> None:  # type: ignore[no-untyped-def]
    register(taken="TAKEN", capital="CAPITAL", nothing="NOTHING", absent="ABSENT", missed="MISSED")
    told = broken_metrics()
    assert set(told) == {"taken", "capital", "nothing", "absent"}
    assert "the name jf_mean is taken" in told["taken"]
    assert metric("jf_mean").compute is None
    assert metric("missed_px").label == "missed"
    with pytest.raises(InputError, match="did you mean 'missed_px'"):
        metric("mised_px")
    with pytest.raises(InputError, match="it needs a function 'compute'"):
        metric("nothing")


def test_a_metric_with_a_unit_is_compared_in_it(register) -> None:  # type: ignore[no-untyped-def]
    register(missed="MISSED")
    tolerance = parse_tolerance("missed_px", "120.5")
    assert (tolerance.limit, tolerance.text) == (120.5, "120.5")
    assert tolerance.metric.size_text(0.5) == "0.50 px"
    assert tolerance.metric.change(0.5) == 0.5  # more is worse
    with pytest.raises(InputError, match="write 2"):
        parse_tolerance("missed_px", "5%")
    assert [each.metric.name for each in tolerances({"missed_px": "2"})][-1] == "missed_px"
