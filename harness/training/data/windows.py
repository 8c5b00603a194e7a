"""Windows of encoded clips: more variety from the same clips, and steps that cost less."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.encoding import NAMES, EncodedClip

CELL = 32
"""Pixels a side of a cell: the coarsest level has one value for each."""

_PER_CELL = {"f4": 8, "f8": 4, "f16": 2, "f32": 1, "scores": 2, "masks": CELL}


@dataclass(frozen=True)
class CropWindow:
    """A part of the picture, the same in all frames and levels.

    Features of a part, or of a mirrored picture, are not quite the part of the features; for
    layers that learn on them they are near enough.

    Attributes:
        top, left, height, width: in cells.
        mirrored: left and right change places.
    """

    top: int
    left: int
    height: int
    width: int
    mirrored: bool

    def clip(self, clip: EncodedClip) -> EncodedClip:
        """All levels, the scores and the masks, cut alike."""
        return EncodedClip(*(self._cut(getattr(clip, n), _PER_CELL[n]) for n in NAMES))

    def masks(self, masks: Tensor) -> Tensor:
        """Masks alone, (..., H, W)."""
        return self._cut(masks, CELL)

    def _cut(self, x: Tensor, scale: int) -> Tensor:
        rows = slice(self.top * scale, (self.top + self.height) * scale)
        columns = slice(self.left * scale, (self.left + self.width) * scale)
        part = x[..., rows, columns]
        return part.flip(-1) if self.mirrored else part


@dataclass(frozen=True)
class Windows:
    """How windows are drawn.

    Attributes:
        cells: height and width in cells of 32 pixels; None for whole frames.
        mirror: mirror every second one.
    """

    cells: tuple[int, int] | None = None
    mirror: bool = False

    def draw(self, mask: Tensor, rng: np.random.Generator) -> CropWindow:
        """A window that holds a random pixel of the object, or of the picture without one.

        Args:
            mask: (1, H, W), 0 or 1.

        Raises:
            InputError: frames are smaller than the window.
        """
        rows, columns = (side // CELL for side in mask.shape[-2:])
        height, width = self.cells or (rows, columns)
        if height > rows or width > columns:
            raise InputError(
                f"a window of {height}x{width} cells of {CELL} pixels doesn't fit into frames of "
                f"{rows}x{columns} cells: train on smaller windows or larger clips"
            )
        inside = torch.nonzero(mask[0] > 0.5)
        if len(inside):
            y, x = (int(v) // CELL for v in inside[int(rng.integers(len(inside)))])
        else:
            y, x = int(rng.integers(rows)), int(rng.integers(columns))
        top = int(np.clip(y - rng.integers(height), 0, rows - height))
        left = int(np.clip(x - rng.integers(width), 0, columns - width))
        return CropWindow(top, left, height, width, self.mirror and bool(rng.random() < 0.5))
