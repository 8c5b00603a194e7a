"""The losses of the paper (section 3.4), and where the published code differs.

All are pure functions. P_gate is the probability that the gate is on (reuse).
"""

from __future__ import annotations

from enum import StrEnum

import torch
import torch.nn.functional as F
from torch import Tensor


class Variant(StrEnum):
    """Whose rule is followed where the paper and the published code disagree."""

    PAPER = "paper"
    CODE = "code"


def wide(x: Tensor) -> Tensor:
    """float32 for what a loss is made of, whatever the layers' precision; float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def margin(m1: float, progress: float, reach: float) -> float:
    """m = m1 · ep_c/ep_T (eq. 4), held at m1 from ep_T on.

    Args:
        progress: fraction of the training that is done, 0..1.
        reach: the fraction at which m reaches m1; the paper's ep_T is 120 of 260 epochs.
    """
    return m1 * min(progress / reach, 1.0)


def gate_target(iou: Tensor, m: float, variant: Variant = Variant.PAPER) -> Tensor:
    """P_target = max(m, IoU) (eq. 4): (B,) → (B,).

    The published code throws the clamp's result away, so that m has no effect.
    """
    return iou if variant is Variant.CODE else iou.clamp(min=m)


def gate_probability_loss(
    p_gate: Tensor, target: Tensor, m2: float, variant: Variant = Variant.PAPER
) -> Tensor:
    """Loss_gp (eq. 5), mean over the batch: (B,), (B,) → scalar.

    Paper: max(m2, |P − P_target|)². Code: relu(|P − P_target| − m2)², the same for both outputs
    of the softmax and averaged over them, which comes to that of one.
    """
    gap = (p_gate - target).abs()
    if variant is Variant.CODE:
        return F.relu(gap - m2).square().mean()
    return gap.clamp(min=m2).square().mean()


def gate_count_loss(gates: Tensor, rate: float) -> Tensor:
    """Loss_Ngate of table 2: (mean of the gates − target rate)²; gates 0..1, (B,) → scalar."""
    return (gates.mean() - rate) ** 2


def hard_gates(logits: Tensor, noise: Tensor | None = None) -> Tensor:
    """Gates that are 0 or 1 forwards and differentiable backwards (straight-through).

    Args:
        logits: of (reuse, compute), (B, 2).
        noise: Gumbel noise of the same shape, for sampling; None takes the larger output.
    """
    soft = torch.softmax(logits if noise is None else logits + noise, dim=1)[:, 0]
    return (soft > 0.5).to(soft.dtype) - soft.detach() + soft


def delta_loss(delta: Tensor, mask: Tensor, score: Tensor, weight: Tensor | None = None) -> Tensor:
    """Loss_Δ = L2(Δ_t, y'_t − S_{t−n}) (eq. 3), mean over positions.

    Args:
        delta: Δ_t (B, 1, h, w).
        mask: y_t, 0 or 1, at full size (B, 1, H, W); y' is its average over each cell.
        score: S_{t−n} (B, 1, h, w).
        weight: of each sample, (B,); None for equal ones.
    """
    reduced = F.interpolate(mask, delta.shape[-2:], mode="area")
    gap = (delta - (reduced - score)).square().mean(dim=(1, 2, 3))
    return gap.mean() if weight is None else (weight * gap).mean()


def mask_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """BCE(y, ŷ) per sample: logits and masks (B, 1, H, W) → (B,)."""
    bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
    return bce.mean(dim=(1, 2, 3))


def soft_iou_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """One minus the IoU of soft masks, per sample: (B, 1, H, W) → (B,); small objects count."""
    p = torch.sigmoid(logits)
    overlap = (p * mask).sum(dim=(1, 2, 3))
    union = (p + mask - p * mask).sum(dim=(1, 2, 3))
    return 1 - (overlap + 1) / (union + 1)


def mask_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of 0/1 masks, per sample: (B, ...) → (B,); of two empty ones 1."""
    a, b = a.flatten(1) > 0.5, b.flatten(1) > 0.5
    union = (a | b).sum(1)
    iou = (a & b).sum(1) / union.clamp(min=1)
    return torch.where(union == 0, torch.ones_like(iou), iou)
