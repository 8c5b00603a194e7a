"""The losses against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.losses import Variant


def test_margin_grows_to_m1_and_stays() -> None:
    assert losses.margin(0.7, 0.0, 0.5) == 0
    assert losses.margin(0.7, 0.25, 0.5) == pytest.approx(0.35)
    assert losses.margin(0.7, 0.5, 0.5) == losses.margin(0.7, 0.9, 0.5) == pytest.approx(0.7)


def test_gate_target_is_raised_in_the_paper_only() -> None:
    iou = tensor([0.2, 0.9])
    assert losses.gate_target(iou, 0.5).tolist() == pytest.approx([0.5, 0.9])
    assert losses.gate_target(iou, 0.5, Variant.CODE).tolist() == pytest.approx([0.2, 0.9])


def test_gate_loss_of_the_paper_by_hand() -> None:
    # gaps 0.1 and 0.5; the first is lifted to m2: (0.2² + 0.5²) / 2
    loss = losses.gate_probability_loss(tensor([0.9, 0.3]), tensor([0.8, 0.8]), 0.2)
    assert float(loss) == pytest.approx((0.04 + 0.25) / 2)


def test_gate_loss_of_the_code_by_hand() -> None:
    # beyond m2: 0 and 0.3; both outputs of the softmax have the same gap
    p, target = tensor([0.9, 0.3]), tensor([0.8, 0.8])
    loss = losses.gate_probability_loss(p, target, 0.2, Variant.CODE)
    assert float(loss) == pytest.approx(0.09 / 2)
    both = torch.stack([p, 1 - p]), torch.stack([target, 1 - target])
    two = torch.relu((both[0] - both[1]).abs() - 0.2).square().mean()
    assert float(loss) == pytest.approx(float(two))


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_no_gradient_within_m2(p: float, target: float, m2: float) -> None:
    for variant in Variant:
        value = tensor([p], dtype=torch.float64, requires_grad=True)
        losses.gate_probability_loss(
            value, tensor([target], dtype=torch.float64), m2, variant
        ).backward()
        inside = abs(p - target) < m2 - 1e-9
        assert value.grad is not None
        if inside:
            assert float(value.grad) == 0
        elif abs(p - target) > m2 + 1e-9:
            assert math.copysign(1, float(value.grad)) == math.copysign(1, p - target)


def test_gate_count_loss_by_hand() -> None:
    assert float(losses.gate_count_loss(tensor([1.0, 0.0, 1.0, 1.0]), 0.5)) == pytest.approx(0.0625)


def test_hard_gates_are_hard_forwards_and_soft_backwards() -> None:
    logits = tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    gates = losses.hard_gates(logits)
    assert gates.tolist() == pytest.approx([1, 0])
    gates.sum().backward()
    p = 1 / (1 + math.exp(-2.0))
    assert logits.grad is not None
    assert float(logits.grad[0, 0]) == pytest.approx(p * (1 - p))


def test_gumbel_noise_samples_with_the_softmax_probability() -> None:
    generator = torch.Generator().manual_seed(0)
    gumbel = -torch.log(-torch.log(torch.rand(20000, 2, generator=generator)))
    gates = losses.hard_gates(tensor([[1.0, 0.0]]).expand(20000, 2), gumbel)
    assert float(gates.mean()) == pytest.approx(1 / (1 + math.exp(-1.0)), abs=0.02)


def test_delta_loss_by_hand() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1  # one cell of four is full, the others empty
    mask[..., 2:, 2] = 1  # and one is half full
    score = torch.full((1, 1, 2, 2), 0.5)
    delta = torch.zeros(1, 1, 2, 2)
    # y' − S = 0.5, −0.5, −0.5, 0
    assert float(losses.delta_loss(delta, mask, score)) == pytest.approx(0.75 / 4)
    reduced = torch.tensor([[[[1.0, 0.0], [0.0, 0.5]]]])
    assert float(losses.delta_loss(reduced - score, mask, score)) == pytest.approx(0)


def test_mask_losses_by_hand() -> None:
    logits = torch.zeros(2, 1, 2, 2)
    mask = torch.zeros(2, 1, 2, 2)
    mask[0] = 1
    assert losses.mask_loss(logits, mask).tolist() == pytest.approx([math.log(2)] * 2)
    # all soft masks are 0.5: overlap 2 of a union 4; overlap 0 of a union 2; both with 1 added
    assert losses.soft_iou_loss(logits, mask).tolist() == pytest.approx([1 - 3 / 5, 1 - 1 / 3])


def test_iou_of_masks_by_hand() -> None:
    a = torch.zeros(3, 1, 2, 2)
    b = torch.zeros(3, 1, 2, 2)
    a[0, 0, 0] = 1
    b[0, 0, :, 0] = 1  # one pixel shared of three
    b[1] = 1
    assert losses.mask_iou(a, b).tolist() == pytest.approx([1 / 3, 0, 1])
