"""The competition between objects, on odds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-7


class TtvosAggregated(NamedTuple):
    """Winner per pixel, (H, W) int64 with 0 for background, and shares P_i, (N, H, W).

    Winner i is the i-th of the objects, counted from 1.
    """

    winner: Tensor
    masks: Tensor


def aggregate(probabilities: Tensor) -> TtvosAggregated:
    """Let N objects compete for each pixel: foreground probabilities (N, H, W) → Aggregated.

    P = odds / sum of odds; an object's odds are p/(1 − p), those of the background b/(1 − b) with
    b the least background probability of all objects. Ties go to the lower index.
    """
    p = probabilities.clamp(EPSILON, 1 - EPSILON)
    q = (1 - probabilities).clamp(EPSILON, 1 - EPSILON)
    b = q.amin(dim=-3, keepdim=True)
    odds = torch.cat((b / (1 - b), p / q), dim=-3)
    shares = odds / odds.sum(dim=-3, keepdim=True)
    return TtvosAggregated(shares.argmax(dim=-3), shares[..., 1:, :, :])
