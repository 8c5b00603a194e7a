"""The grammar of tolerances, and the direction of metrics."""

from __future__ import annotations

import math

import pytest

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.statistics import Statistic
from vosbench.harness.regression.thresholds import (
    DEFAULT_TOLERANCES,
    METRICS,
    parse_tolerance,
    tolerances,
)


@pytest.mark.parametrize(
    ("text", "statistic", "amount"),
    [
        ("min:5%", Statistic.MIN, 5.0),
        ("mean:2.5%", Statistic.MEAN, 2.5),
        ("median:.5 %", Statistic.MEDIAN, 0.5),
        ("5%", Statistic.MEAN, 5.0),
    ],
)
def test_fps_tolerance(text: str, statistic: Statistic, amount: float) -> None:
    tolerance = parse_tolerance("fps", text)
    assert (tolerance.statistic, tolerance.amount) == (statistic, amount)
    assert parse_tolerance("fps", tolerance.text) == tolerance


@pytest.mark.parametrize(
    "text", ["5", "max:5%", "min:", "-5%", "5%%", "", "min 5%", "nan%", "100%"]
)
def test_fps_tolerance_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"FPS: (write min:5%|it must be below 100)"):
        parse_tolerance("fps", text)


@pytest.mark.parametrize("text", ["0.3%", "min:0.3", "-1", "a"])
def test_accuracy_tolerance_is_in_points(text: str) -> None:
    assert parse_tolerance("jf_mean", "0.3").limit == pytest.approx(0.003)
    with pytest.raises(InputError, match=r"J&F: write 0\.3"):
        parse_tolerance("jf_mean", text)


def test_unknown_metric_is_named() -> None:
    with pytest.raises(InputError, match=r"no metric 'speed'.*jf_mean"):
        parse_tolerance("speed", "5%")


def test_five_per_cent_is_that_of_the_metric_as_it_is_read() -> None:
    fps = parse_tolerance("fps", "5%")
    assert fps.metric.change(fps.limit) == pytest.approx(-0.05)
    energy = parse_tolerance("energy_net_j_per_frame", "5%")
    assert energy.metric.change(energy.limit) == pytest.approx(0.05)
    assert METRICS["jf_mean"].change(0.01) == -0.01
    assert math.isclose(parse_tolerance("fps", "0%").limit, 0.0)


def test_defaults_are_replaced_and_extended() -> None:
    assert tolerances({}) == DEFAULT_TOLERANCES
    chosen = tolerances({"fps": None, "reuse_rate": "2", "jf_mean": "0.5"})
    assert [(t.metric.name, t.amount, t.required) for t in chosen] == [
        ("jf_mean", 0.5, True),
        ("reuse_rate", 2.0, True),
        ("fps", 5.0, False),
    ]
