"""The values that cross TTVOS's functions: none is changed once it is made.

So runs that differ only in their reuse decisions can share them. Symbols as in
:mod:`vosbench.baselines.ttvos.modules`; maps of one object have batch size 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vosbench.baselines.backbones import Backbone
from vosbench.baselines.ttvos.modules import MASK_CHANNELS, halve
from vosbench.baselines.ttvos.padding import Padding


@dataclass(frozen=True, eq=False)
class TtvosFeatures:
    """Features of one frame, for all its objects.

    Attributes:
        s4: (1, C4, H16/4, W16/4).
        s8: (1, C8, H16/8, W16/8).
        s8_places: s8 with row, column and radius, (1, C8 + 3, H16/8, W16/8).
        padding: what made H×W pixels H16×W16.
        backbone: computes s16 when somebody first asks.
    """

    s4: Tensor
    s8: Tensor
    s8_places: Tensor
    padding: Padding
    backbone: Backbone

    @cached_property
    def s16(self) -> Tensor:
        """(1, C16, H16/16, W16/16); a frame that every object reuses never asks."""
        return self.backbone.third_level(self.s8)


@dataclass(frozen=True, eq=False)
class ObjectState:
    """What the network knows of one object after its last full (or given) frame.

    Attributes:
        masks: M at 1/8, (1, 6, h8, w8).
        s16: that frame's features, (1, C16, h16, w16).
        u16: that frame's decoder input, (1, width, h16, w16); None in an ungated network.
        template: T, (1, C8, C8).
    """

    masks: Tensor
    s16: Tensor
    u16: Tensor | None
    template: Tensor


@dataclass(frozen=True, eq=False)
class MatchedObject:
    """An object matched against a frame, before anybody decided about it.

    Attributes:
        matched: the matched map at 1/8, (1, C8, h8, w8).
        p_gate: P_gate, a scalar; None in a network without a gate.
    """

    matched: Tensor
    p_gate: Tensor | None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One object's mask before the competition with other objects.

    Attributes:
        probability: of the foreground, at padded size, (H16, W16).
        u16: decoder input, (1, width, h16, w16); None where it was only estimated (reuse path).
        update_weight: u, (1, 1, 1).
    """

    probability: Tensor
    u16: Tensor | None
    update_weight: Tensor


def mask_pair8(foreground: Tensor) -> Tensor:
    """Foreground probability (H16, W16) → (background, foreground) at 1/8, (1, 2, h8, w8)."""
    return halve(halve(halve(torch.stack((1 - foreground, foreground))[None])))


def first_masks(foreground: Tensor) -> Tensor:
    """The first mask (H16, W16) and two empty slots → M, (1, 6, h8, w8)."""
    pair = mask_pair8(foreground)
    empty = pair.new_zeros((1, MASK_CHANNELS - 2, *pair.shape[-2:]))
    return torch.cat((pair, empty), dim=1)


def shifted_masks(masks: Tensor, foreground: Tensor) -> Tensor:
    """M (1, 6, h8, w8) with the mask (H16, W16) as newest and its oldest dropped."""
    return torch.cat((mask_pair8(foreground), masks[:, : MASK_CHANNELS - 2]), dim=1)
