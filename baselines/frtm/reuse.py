"""The reuse modules: template matching, gate, delta generator (paper, sections 3.1 and 3.2).

Symbols: S is the coarse score at 1/16, D the dissimilarity map at 1/8, Δ the change of S.
Module names are the keys of the published checkpoints.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 64
"""Channels of template, D and the gate's input (c_f in the paper)."""


def _grouped(width: int) -> nn.Conv2d:
    return nn.Conv2d(width, width, 5, padding=2, groups=width // 4)


class TemplateGenerator(nn.Module):
    """Makes the template from the first frame and its mask, once."""

    def __init__(self, f8_channels: int, width: int = WIDTH) -> None:
        super().__init__()
        self.conv_key = self._branch(f8_channels + 1, width)
        self.conv_val = self._branch(f8_channels + 1, width)

    @staticmethod
    def _branch(channels: int, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2), _grouped(width))

    def forward(self, f8: Tensor, mask8: Tensor) -> Tensor:
        """f8 (B, C8, h, w) and the mask at its size (B, 1, h, w) → template (B, 64, 64)."""
        x = torch.cat((f8, mask8), dim=1)
        key, value = self.conv_key(x).flatten(2), self.conv_val(x).flatten(2)
        return torch.softmax(value @ key.transpose(1, 2) / math.sqrt(key.shape[-1]), dim=-1)


class TemplateMatching(nn.Module):
    """Compares this frame, given the previous score, with the template."""

    def __init__(self, f8_channels: int, width: int = WIDTH) -> None:
        super().__init__()
        self.conv_key = self._branch(f8_channels + 1, width)
        self.conv_feat = self._branch(f8_channels + 1, width)
        self.blend = nn.Sequential(_grouped(2 * width), nn.Conv2d(2 * width, width, 1), nn.ReLU())

    @staticmethod
    def _branch(channels: int, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels, width, 1), _grouped(width), nn.LeakyReLU(0.2))

    def forward(self, f8: Tensor, score8: Tensor, template: Tensor) -> Tensor:
        """f8 (B, C8, h, w), S_{t-n} at its size (B, 1, h, w), template → D (B, 64, h, w).

        One frame's features, (1, C8, h, w), do for the scores of all its objects.
        """
        x = torch.cat((f8.expand(len(score8), -1, -1, -1), score8), dim=1)
        similarity = template @ self.conv_key(x).flatten(2)
        feat = self.conv_feat(x)
        d: Tensor = self.blend(torch.cat((feat, similarity.view_as(feat)), dim=1))
        return d


class _MaxPool(nn.Module):
    """Adaptive max-pooling whose gradient a GPU can give with the same bits again.

    torch's adds up with atomics where windows overlap; that of picking values by index doesn't,
    once deterministic algorithms are asked for, as training does.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, cells, cells)."""
        if not (torch.are_deterministic_algorithms_enabled() and x.requires_grad):
            return F.adaptive_max_pool2d(x, self.cells)
        with torch.no_grad():
            pooled, places = F.adaptive_max_pool2d(x, self.cells, return_indices=True)
        return x.flatten(2).gather(2, places.flatten(2)).view_as(pooled)


class Gate(nn.Sequential):
    """The reuse gate: two convolutions and two max-poolings (eq. 1), two outputs."""

    def __init__(self, width: int = WIDTH) -> None:
        last = nn.Conv2d(16, 2, 3)
        super().__init__(
            _MaxPool(7),
            nn.Conv2d(width, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            _MaxPool(3),
            last,
        )
        assert last.bias is not None
        with torch.no_grad():  # on with about 15 % (AIG's initialisation): sigmoid(0.1 - 2.0)
            last.bias.copy_(torch.tensor([0.1, 2.0]))

    def forward(self, d: Tensor) -> Tensor:
        """D (B, 64, h, w) → logits (B, 2) of (reuse, compute)."""
        logits: Tensor = super().forward(d)  # type: ignore[no-untyped-call]
        return logits.flatten(1)


def p_gate(logits: Tensor) -> Tensor:
    """Probability that the gate is on (reuse): (B, 2) → (B,); P_gate in the paper."""
    return torch.softmax(logits, dim=1)[:, 0]


class PublishedMatching(nn.Module):
    """Template and matching under the published names."""

    def __init__(self, f8_channels: int, width: int = WIDTH) -> None:
        super().__init__()
        self.Tmatching = TemplateMatching(f8_channels, width)
        self.Tgenerate = TemplateGenerator(f8_channels, width)

    def template(self, f8: Tensor, mask: Tensor) -> Tensor:
        """f8 and the first mask at full size (B, 1, H, W) → template (B, 64, 64)."""
        mask8 = F.interpolate(mask.to(f8.dtype), f8.shape[-2:], mode="nearest")
        template: Tensor = self.Tgenerate(f8, mask8)
        return template

    def match(self, f8: Tensor, score: Tensor, template: Tensor) -> Tensor:
        """f8 and S_{t-n} at 1/16 → D at 1/8."""
        score8 = F.interpolate(
            score.to(f8.dtype), f8.shape[-2:], mode="bilinear", align_corners=False
        )
        d: Tensor = self.Tmatching(f8, score8, template)
        return d


def delta_generator(width: int = WIDTH) -> nn.Conv2d:
    """One convolution, D → Δ (B, 1, h, w) at 1/16, so that Ŝ_t = S_{t-n} + Δ_t (eq. 3)."""
    return nn.Conv2d(width, 1, 3, stride=2, padding=1)
