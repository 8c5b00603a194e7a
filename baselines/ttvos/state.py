"""The values that cross TTVOS's functions: none is changed once it is made.

So runs that differ only in their reuse decisions can share them. Symbols as in
:mod:`vosbench.baselines.ttvos.modules`; maps of N objects have a row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vosbench.baselines.backbones import Backbone
from vosbench.baselines.rows import each_row, own_rows, rows, shared_or_rows
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
    """What the network knows of N objects after the last full (or given) frame of each.

    Attributes:
        masks: M at 1/8, (N, 6, h8, w8).
        s16: that frame's features, (N, C16, h16, w16), or one row where it is one frame.
        u16: that frame's decoder input, (N, width, h16, w16); None in an ungated network.
        template: T, (N, C8, C8).
    """

    masks: Tensor
    s16: Tensor
    u16: Tensor | None
    template: Tensor

    @classmethod
    def join(cls, states: Sequence[ObjectState]) -> ObjectState:
        """States of one object each as one."""
        u16 = [state.u16 for state in states if state.u16 is not None]
        return cls(
            rows([state.masks for state in states]),
            shared_or_rows([state.s16 for state in states]),
            rows(u16) if u16 else None,
            rows([state.template for state in states]),
        )

    def apart(self) -> tuple[ObjectState, ...]:
        """A state for each object; none keeps the memory of the others."""
        masks, templates = own_rows(self.masks), own_rows(self.template)
        count = len(masks)
        u16 = [None] * count if self.u16 is None else own_rows(self.u16)
        s16 = [self.s16] * count if len(self.s16) == 1 else own_rows(self.s16)
        return tuple(map(ObjectState, masks, s16, u16, templates))


@dataclass(frozen=True, eq=False)
class MatchedObjects:
    """N objects matched against a frame, before anybody decided about them.

    Attributes:
        matched: the matched maps at 1/8, (N, C8, h8, w8).
        p_gate: P_gate, (N,); None in a network without a gate.
    """

    matched: Tensor
    p_gate: Tensor | None


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Masks of N objects before the competition between objects.

    Attributes:
        probability: of the foreground, at padded size, (N, H16, W16).
        u16: decoder input, (N, width, h16, w16); None where it was only estimated (reuse path).
        update_weight: u, (N, 1, 1).
    """

    probability: Tensor
    u16: Tensor | None
    update_weight: Tensor

    @classmethod
    def join(cls, parts: Sequence[Segmentation]) -> Segmentation:
        """Those of one object each as one; all took the same path."""
        u16 = [part.u16 for part in parts if part.u16 is not None]
        return cls(
            rows([part.probability for part in parts]),
            rows(u16) if u16 else None,
            rows([part.update_weight for part in parts]),
        )

    def apart(self) -> tuple[Segmentation, ...]:
        """A segmentation for each object, within the memory of all."""
        probabilities, weights = each_row(self.probability), each_row(self.update_weight)
        u16 = [None] * len(weights) if self.u16 is None else each_row(self.u16)
        return tuple(map(Segmentation, probabilities, u16, weights))


def mask_pair8(foreground: Tensor) -> Tensor:
    """Foreground probabilities (N, H16, W16) → (background, foreground) at 1/8, (N, 2, h8, w8)."""
    return halve(halve(halve(torch.stack((1 - foreground, foreground), dim=1))))


def first_masks(foreground: Tensor) -> Tensor:
    """The first masks (N, H16, W16) and two empty slots → M, (N, 6, h8, w8)."""
    pair = mask_pair8(foreground)
    empty = pair.new_zeros((len(pair), MASK_CHANNELS - 2, *pair.shape[-2:]))
    return torch.cat((pair, empty), dim=1)


def shifted_masks(masks: Tensor, foreground: Tensor) -> Tensor:
    """M (N, 6, h8, w8) with the masks (N, H16, W16) as newest and the oldest dropped."""
    return torch.cat((mask_pair8(foreground), masks[:, : MASK_CHANNELS - 2]), dim=1)
