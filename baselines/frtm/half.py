"""FRTM-half and G-FRTM-half: every frame is first looked at in half size. Ours, not the paper's.

In the paper a reused frame reads f8 of the whole frame, which is most of a small backbone's cost,
and corrects the last full frame's features by what has moved. Here it reads the frame in half
size, at a quarter of that cost, and *carries* the mask over: dense matching finds where the
object of three known frames went (the first one, the last full one, the previous one), and a
small decoder makes the mask. The gate is asked how well the last full frame's mask still fits. A
full frame begins where a reused one ends: the same kind of decoder, over the whole frame's
features, is guided by the carried mask and by the target model's score.

Grids: 1/32, 1/16, 1/8, 1/4 of the frame, coarse to fine wherever there are four of something. hN
is what the half-size frame gives on the grid 1/N; fN is what the frame itself gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.frtm.matching import Keys, Matched, Matching, Reference
from vosbench.baselines.frtm.refiner import resize
from vosbench.baselines.frtm.target import FRTM_FAST_TARGET, TargetConfig


@dataclass(frozen=True)
class HalfConfig:
    """What distinguishes the models of the family.

    Attributes:
        backbone: a name of :func:`vosbench.baselines.backbones.make_backbone`.
        target: schedule of the online optimiser.
        far, near: channels of the keys that are matched everywhere, at 1/32, and near by, at 1/16.
        radius: how far "near by" goes, in cells.
        carry, refine: channels of the two decoders' levels.
        gated: with a gate.
    """

    backbone: str
    target: TargetConfig
    far: int = 48
    near: int = 24
    radius: int = 3
    carry: tuple[int, int, int, int] = (48, 40, 32, 16)
    refine: tuple[int, int, int, int] = (48, 40, 32, 16)
    gated: bool = False


FRTM_HALF = HalfConfig("tf_efficientnet_lite0", replace(FRTM_FAST_TARGET, learning_rate=0.03))
G_FRTM_HALF = replace(FRTM_HALF, gated=True)


def halved_image(image: Tensor) -> Tensor:
    """Average 2×2 pixels: RGB 0..255 (B, 3, H, W) → float (B, 3, ⌈H/2⌉, ⌈W/2⌉)."""
    return F.avg_pool2d(image.float(), 2, ceil_mode=True, count_include_pad=False)


class Level(nn.Module):
    """One level of a decoder: features, guides and what comes from below, mixed and refined."""

    def __init__(self, features: int, beside: int, width: int, blocks: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Conv2d(features, width, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.mix = nn.Conv2d(width + beside, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1),
            )
            for _ in range(blocks)
        )

    def forward(self, features: Tensor, beside: Sequence[Tensor]) -> Tensor:
        """(B, C, h, w), and maps that are brought to its size → (B, W, h, w).

        Features of one frame, (1, C, h, w), are reduced once for all its objects.
        """
        parts = [self.reduce(features), *(resize(each, features) for each in beside)]
        count = max(map(len, parts))
        x = F.relu(self.mix(torch.cat([part.expand(count, -1, -1, -1) for part in parts], dim=1)))
        for block in self.blocks:
            x = F.relu(x + block(x))
        return x


class Decoder(nn.Module):
    """From features and guides on four grids to the object's logits at 1/4."""

    BLOCKS = (1, 1, 1, 0)

    def __init__(
        self, features: Sequence[int], guides: Sequence[int], widths: Sequence[int]
    ) -> None:
        super().__init__()
        deeper = (0, *widths[:-1])
        self.levels = nn.ModuleList(
            Level(*sizes)
            for sizes in zip(
                features,
                (g + d for g, d in zip(guides, deeper, strict=True)),
                widths,
                self.BLOCKS,
                strict=True,
            )
        )
        self.coarse = nn.Conv2d(widths[2], 1, 3, padding=1)
        self.fine = nn.Conv2d(widths[3], 1, 3, padding=1)

    def forward(
        self, features: Sequence[Tensor], guides: Sequence[Sequence[Tensor]], finest: bool = True
    ) -> tuple[Tensor, ...]:
        """Maps of the four levels, then logits at 1/4 (B, 1, h, w).

        Without ``finest`` the last level is left out, for cheap steps of training: maps of three
        levels, then logits at 1/8.
        """
        maps: list[Tensor] = []
        count = len(self.levels) if finest else len(self.levels) - 1
        for level, ft, guide in zip(
            list(self.levels)[:count], features[:count], guides[:count], strict=True
        ):
            maps.append(level(ft, [*guide, *maps[-1:]]))
        # The coarse logits are a start that the last level only has to correct.
        logits = self.coarse(maps[2])
        if finest:
            logits = resize(logits, maps[3]) + self.fine(maps[3])
        return (*maps, logits.to(torch.promote_types(logits.dtype, torch.float32)))


class FitGate(nn.Module):
    """Asked how well the last full frame's mask still fits; one output, as in the paper's text."""

    FACTS = 8

    def __init__(self, width: int, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(self.FACTS + width, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, carried: Tensor, maps16: Tensor, matched: Matched, masks: _Masks) -> Tensor:
        """Carried mask, probabilities (B, 1, h, w), the decoder's map at 1/16 → logits (B,)."""
        now, last = resize(carried, masks.last[3]), masks.last
        area, before = now.mean(dim=(1, 2, 3)), last[3].mean(dim=(1, 2, 3))
        weight = last[1] / last[1].sum(dim=(2, 3), keepdim=True).clamp(min=1)
        facts = (
            soft_iou(now, last[3]),
            soft_iou(matched.from_last, last[1]),
            soft_iou(now, masks.previous[3]),
            (area / before.clamp(min=1e-3)).clamp(max=3),
            area.sqrt(),
            before.sqrt(),
            (now * (1 - now)).mean(dim=(1, 2, 3)) / area.clamp(min=1e-3),
            (matched.near * weight).sum(dim=(1, 2, 3)),
        )
        seen = (maps16 * weight).sum(dim=(2, 3))
        logits: Tensor = self.layers(torch.cat((torch.stack(facts, dim=1), seen), dim=1))
        return logits[:, 0]


class _Masks(NamedTuple):
    """Masks of the last full and of the previous frame on four grids."""

    last: tuple[Tensor, ...]
    previous: tuple[Tensor, ...]


def soft_iou(a: Tensor, b: Tensor) -> Tensor:
    """Overlap of soft masks over their union: (B, 1, h, w) twice → (B,); of two empty ones 1."""
    overlap = (a * b).sum(dim=(1, 2, 3))
    return (overlap + 1) / ((a + b - a * b).sum(dim=(1, 2, 3)) + 1)


class Carried(NamedTuple):
    """What a look at the half-size frame gives.

    Attributes:
        logits: of the mask at 1/4, (B, 1, h, w) (at 1/8 without the finest level).
        maps: of the decoder's levels, coarse to fine.
        matched: what matching told.
    """

    logits: Tensor
    maps: tuple[Tensor, ...]
    matched: Matched


class HalfFrtm(nn.Module):
    """Backbone, matching, two decoders, and with a gate in the gated form.

    The network holds no state of a sequence; :mod:`vosbench.runners.half` does.
    """

    def __init__(self, config: HalfConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = make_backbone(config.backbone)
        spec = self.feature_extractor.spec
        f4, f8, f16, f32 = spec.channels
        self.matching = Matching(f16, f8, far=config.far, near=config.near, radius=config.radius)
        self.carry = Decoder((f16, f8, f4, spec.stem), (11, 6, 3, 2), config.carry)
        guides = tuple(2 + width for width in config.carry)
        self.refine = Decoder((f32, f16, f8, f4), guides, config.refine)
        self.gate = FitGate(config.carry[1]) if config.gated else None

    def carried(
        self,
        halves: Sequence[Tensor],
        score: Tensor,
        now: Keys,
        known: tuple[Reference, Reference, Reference],
        finest: bool = True,
    ) -> Carried:
        """What a reused frame computes: its mask, carried over from known frames.

        Args:
            halves: h32, h16, h8, h4.
            score: the target model's score of h32, (B, 1, h, w).
            now: this frame's keys.
            known: the first, the last full and the previous frame.
        """
        first, last, previous = known
        found: Matched = self.matching(now, first, last, previous)
        masks = tuple(zip(last.masks, previous.masks, strict=True))
        guides = (
            (found.first, found.last, found.from_first, found.from_last, found.near,
             found.from_previous, score, *masks[0]),
            (found.from_first, found.from_last, found.near, found.from_previous, *masks[1]),
            (found.from_previous, *masks[2]),
            masks[3],
        )  # fmt: skip
        *maps, logits = self.carry(halves, guides, finest)
        return Carried(logits, tuple(maps), found)

    def asked(self, carried: Carried, last: Reference, previous: Reference) -> Tensor:
        """The gate's logits (B,); P_gate is their sigmoid."""
        if self.gate is None:
            raise RuntimeError("a network without a gate can't be asked")
        logits: Tensor = self.gate(
            torch.sigmoid(carried.logits),
            carried.maps[1],
            carried.matched,
            _Masks(last.masks, previous.masks),
        )
        return logits

    def refined(
        self,
        features: Sequence[Tensor],
        score: Tensor,
        logits: Tensor,
        maps: Sequence[Tensor],
        *,
        finest: bool = True,
        led: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """What a full frame adds: f32, f16, f8, f4 and S (B, 1, h, w) at 1/16 → maps, logits.

        Args:
            logits, maps: of what was carried.
            led: bool (B,): which are led by that; None for all.
        """
        mask = torch.sigmoid(logits)
        if led is not None:
            kept = led.view(-1, 1, 1, 1)
            mask, maps = mask * kept, [level * kept for level in maps]
        out: tuple[Tensor, ...] = self.refine(
            features, [(score, mask, level) for level in maps], finest
        )
        return out


def make_half(config: HalfConfig) -> HalfFrtm:
    """Build the network of a config, in eval mode, with untrained weights."""
    return HalfFrtm(config).eval()
