"""From one probability map per object to one label per pixel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-7


class Aggregated(NamedTuple):
    """Winner per pixel, (H, W) int64 with 0 for background, and soft masks (N, H, W).

    A soft mask holds the object's share where it won, 0 elsewhere.
    """

    winner: Tensor
    masks: Tensor


def aggregate(probabilities: Tensor) -> Aggregated:
    """Let N objects compete for each pixel, with a background: (N, H, W) → :class:`Aggregated`.

    The background is as probable as the least doubt about any object; the shares are the softmax
    over odds p/(1 − p). A winner with a share of at most one half gives way to the background.
    """
    p = probabilities.clamp(EPSILON, 1 - EPSILON)
    background = (1 - p).amin(dim=-3, keepdim=True)
    p = torch.cat((background, p), dim=-3)
    shares = torch.softmax(p / (1 - p), dim=-3)
    best, winner = shares.max(dim=-3)
    objects = torch.arange(1, p.shape[-3], device=p.device).view(-1, 1, 1)
    masks = torch.where(
        winner.unsqueeze(-3) == objects, shares[..., 1:, :, :], torch.zeros_like(best).unsqueeze(-3)
    )
    return Aggregated(torch.where(best > 0.5, winner, torch.zeros_like(winner)), masks)
