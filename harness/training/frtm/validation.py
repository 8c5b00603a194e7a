"""How well a network does on held-out clips while it learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.harness.training.data.pool import ClipPool, LevelStatistics
from vosbench.harness.training.frtm.losses import mask_iou
from vosbench.harness.training.frtm.scaling import normalised
from vosbench.harness.training.frtm.steps import Drawn, match, reuse

_FULL_FRAMES = (1, 4, 9)


@dataclass(frozen=True)
class Validation:
    """Mean IoU over held-out clips.

    Attributes:
        full: of the full path.
        reuse: of the reuse path, by the gap n to the last full frame.
        gate: correlation of P_gate with the IoU of the masks of t − n and t.
    """

    full: float
    reuse: Mapping[int, float] = field(default_factory=dict)
    gate: float | None = None

    def as_series(self) -> dict[str, float]:
        """Named values, for a curve."""
        series = {"full": self.full} | {f"reuse {gap}": iou for gap, iou in self.reuse.items()}
        return series if self.gate is None else series | {"gate": self.gate}


@torch.no_grad()
def validate(
    network: FrtmNetwork,
    pool: ClipPool,
    statistics: Sequence[LevelStatistics],
    gaps: tuple[int, ...] = (),
    autocast: bool = False,
) -> Validation:
    """Score a network (in eval mode) on a pool's clips; with ``gaps`` its reuse path too.

    ``statistics`` are those that the network's input was scaled by in training.
    """
    with torch.autocast(pool.device.type, torch.bfloat16, enabled=autocast):
        full = np.mean([_full_iou(network, pool, statistics, index) for index in range(pool.size)])
        if not gaps or not isinstance(network, GatedFrtmNetwork):
            return Validation(float(full))
        ious: dict[int, list[float]] = {gap: [] for gap in gaps if gap < pool.frames}
        gates: list[tuple[float, float]] = []
        for index in range(pool.size):
            for gap, drawn in _pairs(pool, statistics, index, tuple(ious)).items():
                matched = match(network, drawn)
                logits = reuse(network, drawn, matched).logits
                assert logits is not None  # it was asked for
                ious[gap] += mask_iou(logits > 0, drawn.now.masks).tolist()
                true = mask_iou(drawn.last.masks, drawn.now.masks)
                gates += zip(p_gate(matched.gate_logits).tolist(), true.tolist(), strict=True)
    by_gap = {gap: float(np.mean(values)) for gap, values in ious.items()}
    return Validation(float(full), by_gap, correlation(gates))


def correlation(pairs: Sequence[tuple[float, float]]) -> float:
    """Pearson's, of P_gate and the IoU that it estimates; 0 where one of them never changes."""
    predicted, true = np.array(pairs).T
    spread = predicted.std() > 0 and true.std() > 0
    return float(np.corrcoef(predicted, true)[0, 1]) if spread else 0.0


def _full_iou(
    network: FrtmNetwork, pool: ClipPool, statistics: Sequence[LevelStatistics], index: int
) -> float:
    frames = [t for t in _FULL_FRAMES if t < pool.frames]
    clip = normalised(pool.read(index, frames), statistics)
    size = (clip.masks.shape[-2], clip.masks.shape[-1])
    logits = network.refiner(clip.levels, clip.scores, size).logits
    return float(mask_iou(logits > 0, clip.masks).mean())


def _pairs(
    pool: ClipPool, statistics: Sequence[LevelStatistics], index: int, gaps: tuple[int, ...]
) -> dict[int, Drawn]:
    """One pair for each gap, beginning at frame 1 (frame 0 where the clip is too short)."""
    pairs = {}
    for gap in gaps:
        last = 1 if gap + 1 < pool.frames else 0
        clip = normalised(pool.read(index, [0, last, last + gap]), statistics)
        first, full, now = (clip.take(slice(i, i + 1)) for i in range(3))
        pairs[gap] = Drawn(
            first, full, now, full.masks, torch.tensor([last == 0], device=pool.device)
        )
    return pairs
