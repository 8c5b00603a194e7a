"""One definition of what makes results comparable, and that all of a spec is in it."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from vosbench.harness import setting
from vosbench.harness.regression.points import GridPoint
from vosbench.harness.trials import TrialSpec

OF_A_MEASUREMENT = {"kind", "repeat", "environment_key"}
NAMES_OF_WEIGHTS = {"weights", "trained"}


def test_a_setting_is_all_that_a_spec_says_but_the_measurement() -> None:
    """A field that is added to TrialSpec must be put somewhere."""
    of_spec = {field.name for field in fields(TrialSpec)}
    assert set(setting.SETTING) == of_spec - OF_A_MEASUREMENT - NAMES_OF_WEIGHTS
    assert len(setting.SETTING) == len(set(setting.SETTING))


def test_parts_are_parts() -> None:
    assert tuple(field.name for field in fields(GridPoint)) == setting.POINT
    assert set(setting.CURVE) - NAMES_OF_WEIGHTS < set(setting.SETTING)
    assert {"tau", "tau2", *setting.EVALUATION}.isdisjoint(setting.CURVE)


def test_values_are_equal_however_they_are_written() -> None:
    one = {"tau": Decimal("0.30"), "switches": {"a": "1", "b": "2"}, "max_frames": float("nan")}
    two = {"tau": Decimal("0.3"), "switches": {"b": "2", "a": "1"}, "max_frames": None}
    names = ("tau", "switches", "max_frames")
    assert setting.values(one, names) == setting.values(two, names)
    assert len({setting.values(one, names), setting.values(two, names)}) == 1
    assert setting.values(one, names) != setting.values({**two, "tau": Decimal("0.31")}, names)
