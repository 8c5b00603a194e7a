"""FRTM's segmentation network: from f32 up to f4, guided by the coarse score S.

Paper, section 3.1; layers as in the published checkpoints (module names are its keys).
Levels are named ``layer5`` (f32) to ``layer2`` (f4) as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.backbones import Channels
from vosbench.baselines.frtm.upsample import bicubic_double, conv_of_upsampled

DEEP = ("layer5", "layer4")
SHALLOW = ("layer3", "layer2")


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear (corners not aligned) to the height and width of ``like``."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    return F.interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


class TSE(nn.Module):
    """Target segmentation encoder: merges a level's features with the score."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(features, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )
        self.transform = nn.Sequential(
            nn.Conv2d(width + 1, width + 1, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width + 1, width + 1, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width + 1, width, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, ft: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w), (B, 1, h, w) → merged (B, W, h, w) and the reduced features h.

        One frame's features, (1, C, h, w), are reduced once for the scores of all its objects.
        """
        h = self.reduce(ft).expand(len(score), -1, -1, -1)
        return self.transform(torch.cat((h, score), dim=1)), h


class RRB(nn.Module):
    """Refinement residual block: 1×1, then relu(c + branch(c))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1x1 = nn.Conv2d(width, width, 1)
        self.bblock = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        c = self.conv1x1(x)
        return F.relu(c + self.bblock(c))


class CAB(nn.Module):
    """Channel attention block: gates the shallow map, adds the deeper one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convreluconv = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.ReLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, deeper: Tensor, shallow: Tensor) -> Tensor:
        """(B, W, h', w') (or (B, W, 1, 1) at the deepest level), (B, W, h, w) → (B, W, h, w)."""
        averages = torch.cat((_average(shallow), _average(deeper)), dim=1)
        gate = torch.sigmoid(self.convreluconv(averages))
        return shallow * gate + resize(deeper, shallow)


class Translator(nn.Module):
    """Refine-translator (fig. 5a): R8 of the last full frame and Δ to R8 of this one."""

    def __init__(self, width: int, branch: int = 48) -> None:
        super().__init__()
        self.conv_multi = nn.ModuleDict(
            {f"conv{d}": nn.Conv2d(width + 1, branch, 3, padding=d, dilation=d) for d in (1, 2, 3)}
        )
        self.conv_multi["convBlend"] = nn.Conv2d(3 * branch, width, 5, padding=2)
        self.postRBB = RRB(width)

    def forward(self, r8: Tensor, delta: Tensor) -> Tensor:
        """R8 (B, W, h, w), Δ (B, 1, h, w) → R̂8 (B, W, h, w), all at 1/16."""
        x = torch.cat((r8, delta), dim=1)
        branches = torch.cat([self.conv_multi[f"conv{d}"](x) for d in (1, 2, 3)], dim=1)
        estimate: Tensor = self.postRBB(self.conv_multi["convBlend"](branches))
        return estimate


class _LightBranches(nn.Module):
    """The translator's dilated branches at a fraction of their cost: depth-wise."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(width + 1, width, 1)
        self.branches = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=d, dilation=d, groups=width) for d in (1, 2, 3)
        )
        self.blend = nn.Conv2d(3 * width, width, 1)

    def blended(self, r8: Tensor, delta: Tensor) -> Tensor:
        """R8 (B, W, h, w), Δ (B, 1, h, w) → (B, W, h, w)."""
        x = F.relu(self.reduce(torch.cat((r8, delta), dim=1)))
        return F.relu(self.blend(torch.cat([branch(x) for branch in self.branches], dim=1)))


class LightTranslator(_LightBranches):
    """The translator's idea at a fraction of its cost."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.post = RRB(width)

    def forward(self, r8: Tensor, delta: Tensor) -> Tensor:
        """R8 (B, W, h, w), Δ (B, 1, h, w) → R̂8 (B, W, h, w), all at 1/16."""
        estimate: Tensor = self.post(self.blended(r8, delta))
        return estimate


class ResidualTranslator(_LightBranches):
    """The light translator as a correction of R8: at first it changes nothing.

    Where little moves, which is where frames are reused, R8 itself is nearly right.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.mix = nn.Conv2d(width, width, 3, padding=1)
        self.correct = nn.Conv2d(width, width, 3, padding=1, bias=False)
        nn.init.zeros_(self.correct.weight)

    def forward(self, r8: Tensor, delta: Tensor) -> Tensor:
        """R8 (B, W, h, w), Δ (B, 1, h, w) → R̂8 (B, W, h, w), all at 1/16."""
        return F.relu(r8 + self.correct(F.relu(self.mix(self.blended(r8, delta)))))


TRANSLATORS: Mapping[str, Callable[[int], nn.Module]] = {
    "published": Translator,
    "light": LightTranslator,
    "residual": ResidualTranslator,
}


class Project(nn.Module):
    """Head: R4 to logits at the image's size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.conv2 = nn.Conv2d(width // 2, 1, 3, padding=1)

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, W, h, w) at 1/4 → logits (B, 1, H, W)."""
        x = F.relu(self.conv1(bicubic_double(x)))
        return conv_of_upsampled(x, self.conv2, size)


class Refined(NamedTuple):
    """The refiner's output: mask logits (B, 1, H, W), and R8 (B, W, h, w) at 1/16."""

    logits: Tensor
    r8: Tensor


class Refiner(nn.Module):
    """The segmentation network; with a translator (by name) where the reuse path exists."""

    def __init__(self, channels: Channels, width: int = 64, translator: str | None = None) -> None:
        super().__init__()
        of_level = {
            "layer5": channels.f32,
            "layer4": channels.f16,
            "layer3": channels.f8,
            "layer2": channels.f4,
        }
        self.TSE = nn.ModuleDict({name: TSE(c, width) for name, c in of_level.items()})
        self.RRB1 = nn.ModuleDict({name: RRB(width) for name in of_level})
        self.CAB = nn.ModuleDict({name: CAB(width) for name in of_level})
        self.RRB2 = nn.ModuleDict({name: RRB(width) for name in of_level})
        self.Diff_process = TRANSLATORS[translator](width) if translator else None
        self.project = Project(width)

    def _level(self, name: str, ft: Tensor, score: Tensor, deeper: Tensor | None) -> Tensor:
        merged, h = self.TSE[name](ft, resize(score, ft))
        x = self.CAB[name](_average(h) if deeper is None else deeper, self.RRB1[name](merged))
        refined: Tensor = self.RRB2[name](x)
        return refined

    def deep(self, f32: Tensor, f16: Tensor, score: Tensor) -> Tensor:
        """The two deep levels: f32, f16 and S (B, 1, h, w) → R8 at 1/16."""
        x = None
        for name, ft in zip(DEEP, (f32, f16), strict=True):
            x = self._level(name, ft, score, x)
        assert x is not None
        return x

    def translate(self, r8: Tensor, delta: Tensor) -> Tensor:
        """What a reused frame has in place of :meth:`deep`: R8 of the last full frame and Δ."""
        if self.Diff_process is None:
            raise RuntimeError("this refiner was built without the reuse path")
        estimate: Tensor = self.Diff_process(r8, delta)
        return estimate

    def shallow(self, r8: Tensor, f8: Tensor, f4: Tensor, score: Tensor) -> Tensor:
        """The two shallow levels: R8, f8, f4 and S (or Ŝ) → R4 at 1/4."""
        x = r8
        for name, ft in zip(SHALLOW, (f8, f4), strict=True):
            x = self._level(name, ft, score, x)
        return x

    def forward(self, features: Iterable[Tensor], score: Tensor, size: tuple[int, int]) -> Refined:
        """Full path: (f4, f8, f16, f32), S (B, 1, h, w) and the image's size → logits, R8."""
        f4, f8, f16, f32 = features
        r8 = self.deep(f32, f16, score)
        return Refined(self.project(self.shallow(r8, f8, f4, score), size), r8)


def _average(x: Tensor) -> Tensor:
    return x.mean(dim=(-2, -1), keepdim=True)
