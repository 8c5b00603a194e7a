"""Padding by reflection."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.baselines.ttvos.padding import Padding


@given(st.integers(8, 70), st.integers(8, 70))
@settings(max_examples=60, deadline=None)
def test_padded_sizes_divide_and_crop_undoes(height: int, width: int) -> None:
    x = torch.rand(2, height, width)
    padding = Padding.to_multiple(height, width)
    padded = padding.pad(x)
    assert padded.shape[-2] % 16 == 0 and padded.shape[-2] - height < 16
    assert padded.shape[-1] % 16 == 0 and padded.shape[-1] - width < 16
    assert torch.equal(padding.crop(padded), x)
    sides = ((padding.top, padding.bottom), (padding.left, padding.right))
    assert all(before - after in (0, 1) for before, after in sides)
    np.testing.assert_array_equal(
        padded.numpy(), np.pad(x.numpy(), ((0, 0), *sides), mode="reflect")
    )


def test_too_small_a_frame_is_named() -> None:
    with pytest.raises(InputError, match="5x40"):
        Padding.to_multiple(5, 40)
    Padding.to_multiple(6, 6).pad(torch.rand(3, 6, 6))
