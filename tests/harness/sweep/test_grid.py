from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.text import parse_names


def test_a_range_includes_both_ends_and_means_decimals() -> None:
    taus = parse_taus(["0.1:1.0:0.1"])
    assert [str(tau) for tau in taus] == [
        "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1",
    ]  # fmt: skip


def test_values_lists_and_ranges_mix_without_repetition() -> None:
    assert parse_taus(["0.7", "0.3,0.5", "0.5:0.7:0.1"]) == tuple(
        map(Decimal, ("0.7", "0.3", "0.5", "0.6"))
    )


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 25))
def test_every_step_of_a_range_is_exact(start: int, length: int, step: int) -> None:
    begin, stride = Decimal(start) / 100, Decimal(step) / 100
    end = min(Decimal(1), begin + length * stride)
    taus = parse_taus([f"{begin}:{end}:{stride}"])
    assert taus[0] == begin
    assert all(b - a == stride for a, b in pairwise(taus))
    assert end - stride < taus[-1] <= end


@pytest.mark.parametrize(
    "text", ["", "x", "0.1:0.5", "0.5:0.1:0.1", "0.1:0.5:0", "0:1:0.00000001", "1.2", "-0.1", "nan"]
)
def test_malformed_thresholds_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--tau"):
        parse_taus([text])


def test_names_split_at_commas() -> None:
    assert parse_names(["a, b", "b,c,"]) == ("a", "b", "c")
