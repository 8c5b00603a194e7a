"""The head's up-sampling against torch's own, in the order of the description."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vosbench.baselines.arithmetic import as_described, takes_shortcuts
from vosbench.baselines.frtm.upsample import bicubic_double, conv_of_upsampled, upsample_to

sizes = st.integers(1, 9)


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def direct_double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


@settings(max_examples=40, deadline=None)
@given(h=sizes, w=sizes, grad=st.booleans())
def test_bicubic_equals_torch(h: int, w: int, grad: bool) -> None:
    x = draw(1, 3, h, w).requires_grad_(grad)
    torch.testing.assert_close(bicubic_double(x), direct_double(x))


def test_bicubic_in_bfloat16_is_as_good_as_the_format() -> None:
    x = draw(1, 3, 9, 14)
    error = (bicubic_double(x.bfloat16()).double() - direct_double(x)).abs().max()
    assert error < 0.03 * x.abs().max()


@settings(max_examples=20, deadline=None)
@given(h=sizes, w=sizes)
def test_the_described_order_gives_the_same(h: int, w: int) -> None:
    conv = nn.Conv2d(3, 1, 3, padding=1).double()
    x = draw(2, 3, h, w)
    size = (2 * h, 2 * w - 1)
    with as_described():
        assert not takes_shortcuts()
        described = bicubic_double(x), conv_of_upsampled(x, conv, size)
    assert takes_shortcuts()
    torch.testing.assert_close(described, (direct_double(x), conv_of_upsampled(x, conv, size)))


def test_gradients_pass_through() -> None:
    x = draw(1, 2, 4, 5).requires_grad_()
    (ours,) = torch.autograd.grad(bicubic_double(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(direct_double(x).square().sum(), x)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("size", [(40, 56), (37, 53), (33, 56), (1, 3)])
def test_the_convolution_commutes_with_up_sampling(size: tuple[int, int]) -> None:
    conv = nn.Conv2d(5, 1, 3, padding=1).double()
    x = draw(2, 5, 20, 28)
    up = F.interpolate(direct_double(x), size, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample_to(x, size), up)
    torch.testing.assert_close(conv_of_upsampled(x, conv, size), conv(up))
