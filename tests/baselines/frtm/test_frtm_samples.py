"""The reduced samples against the same algebra done at full size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vosbench.baselines.frtm.samples import Samples, pixel_weights, upsampling_matrix

sizes = st.integers(2, 6)


def draw(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1


def make_samples(seed: int, size: tuple[int, int], large: tuple[int, int]) -> Samples:
    label, weight = draw(seed, 2, 3, *large).abs()
    return Samples.of(draw(seed + 1, 3, 4, *size), label, weight)


@settings(max_examples=40, deadline=None)
@given(h=sizes, w=sizes, seed=st.integers(0, 1000))
def test_score_and_its_adjoint_agree(h: int, w: int, seed: int) -> None:
    samples = make_samples(seed, (h, w), (16 * h, 16 * w))
    kernel, g = draw(seed + 2, 4, 9), draw(seed + 3, 3, h * w)
    forward = (samples.score(kernel) * g).sum()
    backward = (kernel * samples.score_adjoint(g)).sum()
    torch.testing.assert_close(forward, backward, rtol=1e-12, atol=1e-12)


def test_score_is_a_convolution_with_zero_padding() -> None:
    samples = make_samples(5, (4, 7), (64, 112))
    kernel = draw(6, 4, 9)
    direct = F.conv2d(samples.x.view(3, 4, 4, 7), kernel.view(1, 4, 3, 3), padding=1)
    torch.testing.assert_close(samples.score(kernel), direct.flatten(1))


@settings(max_examples=30, deadline=None)
@given(
    h=sizes,
    w=sizes,
    short=st.tuples(st.integers(0, 15), st.integers(0, 15)),
    seed=st.integers(0, 1000),
)
def test_normal_operator_and_moment_equal_full_size(
    h: int, w: int, short: tuple[int, int], seed: int
) -> None:
    """M s = Uᵀ v² U s and m = Uᵀ v² y, for mask sizes that are no multiple of 16 as well."""
    height, width = 16 * h - short[0], 16 * w - short[1]
    label, weight = draw(seed, 2, 3, height, width).abs()
    samples = Samples.of(draw(seed + 1, 3, 4, h, w), label, weight)
    s = draw(seed + 2, 3, h * w).requires_grad_()
    up = F.interpolate(s.view(3, 1, h, w), (height, width), mode="bilinear", align_corners=False)
    (normal,) = torch.autograd.grad(up, s, (weight * up[:, 0]).detach()[:, None], retain_graph=True)
    (moment,) = torch.autograd.grad(up, s, (weight * label)[:, None])
    torch.testing.assert_close(samples.apply_normal(s.detach()), normal)
    torch.testing.assert_close(samples.moment, moment)


def test_the_matrix_is_bilinear_interpolation() -> None:
    x = draw(1, 1, 1, 5)
    expected = F.interpolate(x, 71, mode="linear", align_corners=False)
    torch.testing.assert_close(x @ upsampling_matrix(5, 71, x), expected)


def test_splitting_undoes_stacking() -> None:
    samples = make_samples(9, (3, 5), (48, 80))
    again = Samples.stack(samples.split())
    assert all(
        torch.equal(getattr(again, name), getattr(samples, name))
        for name in ("x", "normal", "moment")
    )
    assert again.size == samples.size


@pytest.mark.parametrize(
    ("pixels", "foreground", "background"),
    [
        (50, 1.0, 1.0),  # half of the picture: t' = a
        (25, 1.0, 1.0),
        (10, 1.0, 1.0),  # exactly t = 0.1
        (9, 1.0, 1.0),  # under ten pixels a is taken as t
        (100, 1.0, None),  # all foreground: no background to weigh
    ],
)
def test_pixel_weights_by_hand(pixels: int, foreground: float, background: float | None) -> None:
    mask = torch.zeros(100, dtype=torch.float64)
    mask[:pixels] = 1
    weights = pixel_weights(mask.view(1, 10, 10)).flatten()
    torch.testing.assert_close(weights[:pixels], torch.full_like(mask[:pixels], foreground))
    if background is not None:
        torch.testing.assert_close(weights[pixels:], torch.full_like(mask[pixels:], background))


def test_small_objects_weigh_a_tenth_in_all() -> None:
    mask = torch.zeros(1, 20, 50, dtype=torch.float64)
    mask[0, :4, :5] = 1  # a = 0.02
    weights = pixel_weights(mask)
    assert weights[0, 0, 0] == pytest.approx(0.1 / 0.02)
    assert weights[0, 19, 49] == pytest.approx(0.9 / 0.98)
    assert float((weights * mask).sum() / weights.sum()) == pytest.approx(0.1)
