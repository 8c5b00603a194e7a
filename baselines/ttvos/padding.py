"""Pad frames by reflection so that every level divides evenly, and cut results back."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.errors import InputError

MULTIPLE = 16
"""The deepest level is at 1/16."""


@dataclass(frozen=True)
class Padding:
    """Pixels added on each side; left and top get the larger half."""

    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def to_multiple(cls, height: int, width: int) -> Padding:
        """Least padding to multiples of 16; raises InputError if there is too little to reflect."""
        rows, columns = -height % MULTIPLE, -width % MULTIPLE
        padding = cls(columns - columns // 2, columns // 2, rows - rows // 2, rows // 2)
        if padding.top >= height or padding.left >= width:
            raise InputError(
                f"frame of {height}x{width} pixels is too small for TTVOS: give at least 6x6"
            )
        return padding

    def pad(self, x: Tensor) -> Tensor:
        """Reflect a floating-point map at its edges: (C, H, W) → (C, H16, W16)."""
        if self == Padding(0, 0, 0, 0):
            return x
        sides = (self.left, self.right, self.top, self.bottom)
        return F.pad(x[None], sides, mode="reflect")[0]

    def crop(self, x: Tensor) -> Tensor:
        """Cut the padding off again: (..., H16, W16) → (..., H, W)."""
        height, width = x.shape[-2], x.shape[-1]
        return x[..., self.top : height - self.bottom, self.left : width - self.right]
