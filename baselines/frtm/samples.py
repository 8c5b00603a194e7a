"""Training samples of the target model, reduced to the resolution of the features.

FRTM compares the score, up-sampled to the mask's size, with the mask: for a score map s at 1/16,
a mask y and pixel weights v² at full size, and U the bilinear up-sampling, its loss is
``‖v · (U s − y)‖²``. That is a quadratic form of s alone: its gradient is ``2 (M s − m)`` with
``M = Uᵀ diag(v²) U`` and ``m = Uᵀ v² y``. A pixel depends on the four score values around it,
so a row of M couples a position with its eight neighbours only: nine numbers. With M and m at
hand, the optimiser never touches the full resolution again, and the result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.rows import each_row, own_rows


def pixel_weights(mask: Tensor, influence: float = 0.1, least_pixels: int = 10) -> Tensor:
    """Hinge weights v² that give small objects their say: 0/1 masks (K, H, W) → (K, H, W).

    With a the foreground fraction (``influence`` for masks under ``least_pixels``) and
    t' = max(a, influence): foreground weighs t'/a, background (1 − t')/(1 − a).
    """
    area = mask.sum(dim=(-2, -1), keepdim=True)
    a = area / mask[0].numel()
    a = torch.where(area < least_pixels, torch.full_like(a, influence), a)
    t = a.clamp(min=influence)
    background = (1 - t) / (1 - a).clamp(min=torch.finfo(mask.dtype).tiny)
    return torch.where(mask > 0, t / a, background)


def upsampling_matrix(small: int, large: int, like: Tensor) -> Tensor:
    """The bilinear up-sampling of one axis, corners not aligned, as a matrix (small, large)."""
    return _upsampling_matrix(small, large, like.dtype, like.device)


@lru_cache(maxsize=16)
def _upsampling_matrix(small: int, large: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # what is kept serves training too
        unit = torch.eye(small, dtype=dtype, device=device)
        return F.interpolate(unit[None], large, mode="linear", align_corners=False)[0]


def _coupled(u: Tensor) -> Tensor:
    """Products of each row of ``u`` (n, N) with the row before, itself, and after: (3·n, N)."""
    padded = F.pad(u, (0, 0, 1, 1))
    return torch.cat([u * padded[offset : offset + u.shape[0]] for offset in range(3)])


@dataclass(frozen=True)
class Samples:
    """K samples: features and the quadratic form that stands for their masks.

    Attributes:
        x: features (K, C, h·w).
        normal: M, (K, 9, h·w): how each position couples with its 3×3 neighbourhood.
        moment: m, (K, h·w).
        size: (h, w).
    """

    x: Tensor
    normal: Tensor
    moment: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, x: Tensor, label: Tensor, weight: Tensor) -> Self:
        """Reduce features (K, C, h, w) with labels 0..1 and weights v², both (K, H, W)."""
        count, _, h, w = x.shape
        rows = upsampling_matrix(h, label.shape[-2], label)
        columns = upsampling_matrix(w, label.shape[-1], label)
        coupled = _coupled(rows) @ weight @ _coupled(columns).t()  # (K, 3h, 3w)
        normal = coupled.view(count, 3, h, 3, w).permute(0, 1, 3, 2, 4)
        moment = rows @ (weight * label) @ columns.t()
        return cls(
            x.flatten(2),
            normal.reshape(count, 9, h * w).to(x.dtype),
            moment.flatten(1).to(x.dtype),
            (h, w),
        )

    @classmethod
    def stack(cls, parts: Sequence[Samples]) -> Self:
        """Join samples of one size."""
        return cls(
            torch.cat([part.x for part in parts]),
            torch.cat([part.normal for part in parts]),
            torch.cat([part.moment for part in parts]),
            parts[0].size,
        )

    def split(self) -> tuple[Samples, ...]:
        """Undo :meth:`stack`: K records of one sample each."""
        xs, normals, moments = (each_row(t) for t in (self.x, self.normal, self.moment))
        parts = zip(xs, normals, moments, strict=True)
        return tuple(Samples(x, normal, moment, self.size) for x, normal, moment in parts)

    def apart(self) -> tuple[Samples, ...]:
        """As :meth:`split`, but no part keeps the memory of the others."""
        xs, normals, moments = (own_rows(t) for t in (self.x, self.normal, self.moment))
        parts = zip(xs, normals, moments, strict=True)
        return tuple(Samples(x, normal, moment, self.size) for x, normal, moment in parts)

    def with_features(self, x: Tensor) -> Samples:
        """The same masks over other features (K, C', h·w)."""
        return Samples(x, self.normal, self.moment, self.size)

    def score(self, kernel: Tensor) -> Tensor:
        """Convolve with one 3×3 kernel (C, 9), zero padding: → s (K, h·w)."""
        responses = kernel.t().flip(0) @ self.x  # one map a tap, (K, 9, h·w)
        # fold shifts each map by its tap and adds them; the flip makes it a correlation.
        return F.fold(responses, self.size, kernel_size=3, padding=1).flatten(1)

    def score_adjoint(self, g: Tensor) -> Tensor:
        """The adjoint of :meth:`score`, summed over samples: g (K, h·w) → (C, 9)."""
        shifted = F.unfold(g.view(-1, 1, *self.size), kernel_size=3, padding=1)  # (K, 9, h·w)
        # A product a sample leaves the features where they lie; einsum would copy them all.
        return torch.bmm(shifted, self.x.transpose(1, 2)).sum(0).t().flip(1)

    def apply_normal(self, s: Tensor) -> Tensor:
        """M s for each sample: (K, h·w) → (K, h·w)."""
        around = F.unfold(s.view(-1, 1, *self.size), kernel_size=3, padding=1)
        return (self.normal * around).sum(1)
