"""Dense matching of FRTM-half: where the cells of known frames went, with their masks.

Grids and names as in :mod:`vosbench.baselines.frtm.half`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.rows import rows, shared_or_rows


class Keys(NamedTuple):
    """A frame as it is matched, of unit length: far (B, C, h, w) at 1/32, near at 1/16."""

    far: Tensor
    near: Tensor


class Reference(NamedTuple):
    """Known frames: keys, and each object's soft mask on the four grids, (B, 1, h, w) each.

    Keys of one frame, (1, …), do for all its objects.
    """

    keys: Keys
    masks: tuple[Tensor, ...]

    @classmethod
    def join(cls, references: Sequence[Reference]) -> Reference:
        """Those of one object each as one."""
        far, near = zip(*(each.keys for each in references), strict=True)
        levels = zip(*(each.masks for each in references), strict=True)
        return cls(Keys(shared_or_rows(far), shared_or_rows(near)), tuple(map(rows, levels)))


class Matched(NamedTuple):
    """What matching tells.

    Attributes:
        first, last: of these frames, at 1/32 (B, 2, h, w): the best similarity of a cell to the
            object and to all else.
        from_first, from_last: their masks carried over, at 1/16 (B, 1, h, w).
        near: the best similarity to a cell near by in the previous frame, at 1/16, (B, 1, h, w),
            or one row where that is one frame.
        from_previous: its mask carried over, at 1/8 (B, 1, h, w).
    """

    first: Tensor
    last: Tensor
    from_first: Tensor
    from_last: Tensor
    near: Tensor
    from_previous: Tensor


def reduced(mask: Tensor, like: Tensor) -> Tensor:
    """A map averaged over the cells of a coarser grid: (B, 1, H, W) → (B, 1, h, w)."""
    return F.adaptive_avg_pool2d(mask, (like.shape[-2], like.shape[-1]))


def mask_levels(mask: Tensor, like: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """A soft mask (B, 1, H, W) averaged over the cells of each of four grids, coarse to fine."""
    levels = []
    for grid in reversed(like):
        mask = reduced(mask, grid)
        levels.append(mask)
    return tuple(reversed(levels))


class Matching(nn.Module):
    """Finds where the cells of known frames went, and carries their masks over."""

    def __init__(self, h32: int, h16: int, *, far: int, near: int, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.far = nn.Sequential(nn.Conv2d(h32, far, 1), nn.BatchNorm2d(far))
        self.near = nn.Sequential(nn.Conv2d(h16, near, 1), nn.BatchNorm2d(near))
        self.sharpness = nn.Parameter(torch.full((3,), math.log(10.0)))  # first, last, previous
        self.nearness = nn.Parameter(torch.tensor((-4.0, -1.0, -2.0)))

    def keys(self, h32: Tensor, h16: Tensor) -> Keys:
        """What a frame is matched by."""
        return Keys(F.normalize(self.far(h32), dim=1), F.normalize(self.near(h16), dim=1))

    def forward(self, now: Keys, first: Reference, last: Reference, previous: Reference) -> Matched:
        """Match a frame with three known ones."""
        to_first, from_first = self._everywhere(now, first, 0)
        to_last, from_last = self._everywhere(now, last, 1)
        near, from_previous = self._near_by(now, previous)
        return Matched(to_first, to_last, from_first, from_last, near, from_previous)

    def _everywhere(self, now: Keys, known: Reference, which: int) -> tuple[Tensor, Tensor]:
        size = now.far.shape[-2:]
        similarity = now.far.flatten(2).transpose(1, 2) @ known.keys.far.flatten(2)  # (B, N, N')
        value = _cells(known.masks[1], size)
        away = F.softplus(self.nearness[which]) * _squared_distances(size, similarity)
        weights = (self.sharpness[which].exp() * similarity - away).softmax(dim=-1)
        carried = _on_grid(value.flatten(2) @ weights.transpose(1, 2), size)
        inside = value.mean(dim=1).flatten(1)[:, None]  # (B, 1, N')
        # Both bests in one map each: a cell that is half object counts half for either.
        best = [(similarity - 2 * other).amax(dim=-1) for other in (1 - inside, inside)]
        return _on_grid(torch.stack(best, dim=1), size), _whole(carried, known.masks[1])

    def _near_by(self, now: Keys, known: Reference) -> tuple[Tensor, Tensor]:
        size, reach = now.near.shape[-2:], 2 * self.radius + 1
        around = _neighbours(known.keys.near, self.radius)  # (B, C, R², N)
        similarity = (now.near.flatten(2)[:, :, None] * around).sum(dim=1)
        steps = torch.arange(reach, device=similarity.device) - self.radius
        away = (steps[:, None] ** 2 + steps**2).flatten()[:, None].to(similarity)
        away = F.softplus(self.nearness[2]) * away / 4
        weights = (self.sharpness[2].exp() * similarity - away).softmax(dim=1)
        values = _neighbours(_cells(known.masks[2], size), self.radius)
        carried = _on_grid((values * weights[:, None]).sum(dim=2), size)
        best = _on_grid(similarity.amax(dim=1, keepdim=True), size)
        return best, _whole(carried, known.masks[2])


def _on_grid(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, h·w) → (B, C, h, w)."""
    return x.reshape(x.shape[0], x.shape[1], size[0], size[1])


def _cells(mask: Tensor, size: Sequence[int]) -> Tensor:
    """A mask (B, 1, h, w) as 2×2 values of each cell of a grid half as fine: (B, 4, *size)."""
    missing = (2 * size[1] - mask.shape[-1], 2 * size[0] - mask.shape[-2])
    return F.pixel_unshuffle(F.pad(mask, (0, missing[0], 0, missing[1])), 2)


def _whole(cells: Tensor, like: Tensor) -> Tensor:
    """Undo :func:`_cells`."""
    return F.pixel_shuffle(cells, 2)[..., : like.shape[-2], : like.shape[-1]]


def _neighbours(x: Tensor, radius: int) -> Tensor:
    """All cells around each: (B, C, h, w) → (B, C, (2·radius + 1)², h·w)."""
    reach = 2 * radius + 1
    return F.unfold(x, reach, padding=radius).view(len(x), x.shape[1], reach * reach, -1)


def _squared_distances(size: Sequence[int], like: Tensor) -> Tensor:
    """Between all cells of a grid, (N, N), in eights of cells."""
    rows, columns = (torch.arange(side, device=like.device, dtype=like.dtype) for side in size)
    down = ((rows[:, None] - rows) / 8) ** 2
    across = ((columns[:, None] - columns) / 8) ** 2
    return (down[:, None, :, None] + across[None, :, None, :]).flatten(2).flatten(0, 1)
