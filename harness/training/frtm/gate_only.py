"""Training of the gate alone: everything before it is frozen, so pairs are matched just once.

A gate then costs seconds, and margins and seeds can be compared on equal terms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vosbench.baselines.frtm.network import GatedFrtmNetwork
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.harness.training.data.pool import ClipPool, LevelStatistics, write_tensors
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.scaling import normalised
from vosbench.harness.training.frtm.steps import Drawn, Losses, match
from vosbench.harness.training.loop import TrainingJob
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe

PAIRS_PER_CLIP = 12
_GATE_INPUT = nn.AdaptiveMaxPool2d(7)  # the gate's own first layer: pooling twice changes nothing


class GatePairs(NamedTuple):
    """Pairs of frames t − n and t as the gate sees them.

    Attributes:
        d: D pooled to 7×7, (N, W, 7, 7).
        iou: of the masks of t − n and t, (N,).
        adjacent: of the masks of t − 1 and t, (N,).
    """

    d: Tensor
    iou: Tensor
    adjacent: Tensor

    def target(self, which: Tensor, gate: GateRecipe) -> Tensor:
        """What P_gate is compared with, before the margin m."""
        return (self.adjacent if gate.reference == "adjacent" else self.iou)[which]


@torch.no_grad()
def match_pairs(
    network: GatedFrtmNetwork,
    pool: ClipPool,
    statistics: tuple[LevelStatistics, ...],
    gaps: tuple[int, ...],
) -> GatePairs:
    """Match :data:`PAIRS_PER_CLIP` pairs of each clip of a pool, gaps drawn as in other steps.

    ``network`` is left in eval mode or not as it was.
    """
    learning = [module for module in network.modules() if module.training]
    network.eval()
    possible = [gap for gap in gaps if gap < pool.frames]
    parts: list[GatePairs] = []
    for index in range(pool.size):
        rng = np.random.default_rng([index, *gaps])
        clip = normalised(pool.read(index, range(pool.frames)), statistics)
        chosen = rng.choice(possible, PAIRS_PER_CLIP)
        lasts = np.array([rng.integers(0, pool.frames - gap) for gap in chosen])
        nows = lasts + chosen
        first, last, now, before = (
            clip.at(torch.as_tensor(t).to(pool.device))
            for t in (np.zeros_like(lasts), lasts, nows, nows - 1)
        )
        starts = torch.as_tensor(lasts == 0).to(pool.device)
        drawn = Drawn(first, last, now, before.masks, starts)
        d = _GATE_INPUT(match(network, drawn).d.float())
        iou = losses.mask_iou(last.masks, now.masks)
        parts.append(GatePairs(d, iou, losses.mask_iou(before.masks, now.masks)))
    for module in learning:
        module.training = True
    return GatePairs(*(torch.cat(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True)
class GateJob(TrainingJob):
    """A training of the gate alone, towards the loss of the paper (not the N-gate's)."""

    network: GatedFrtmNetwork

    def learning(self, reuse: ReuseRecipe | None) -> Iterable[nn.Module]:  # noqa: ARG002
        yield self.network.convGS

    def set_modes(self, reuse: ReuseRecipe | None) -> None:  # noqa: ARG002
        self.network.eval()
        self.network.convGS.train()

    def losses(self, moment: Moment, reuse: ReuseRecipe | None) -> Losses:
        assert reuse is not None  # a recipe of the gate alone has no first stage
        pairs, gate = self._pairs, reuse.gate
        drawn = moment.rng.integers(0, len(pairs.iou), moment.stage.batch)
        which = torch.as_tensor(drawn[list(moment.own)]).to(pairs.iou.device, non_blocking=True)
        m = losses.margin(gate.m1, moment.progress, gate.reach)
        target = losses.gate_target(pairs.target(which, gate), m, gate.margin)
        predicted = p_gate(self.network.convGS(pairs.d[which]).float())
        return {"gate": losses.gate_probability_loss(predicted, target, gate.m2, gate.hinge)}

    @torch.no_grad()
    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        """Correlation of P_gate with the IoU it is to predict, its mean, and the mean gap."""
        assert reuse is not None
        pairs = self._held_out if pool is self.validation else self._matched(pool, reuse)
        predicted = p_gate(self.network.convGS(pairs.d).float())
        everything = torch.arange(len(pairs.iou), device=pairs.iou.device)
        true = pairs.target(everything, reuse.gate)
        both = torch.stack((predicted, true))
        spread = bool((both.std(dim=1) > 0).all())
        return {
            "gate": float(torch.corrcoef(both)[0, 1]) if spread else 0.0,
            "p_gate": float(predicted.mean()),
            "gap": float((predicted - true).abs().mean()),
        }

    @cached_property
    def _pairs(self) -> GatePairs:
        assert self.recipe.reuse is not None
        return self._matched(self.pool, self.recipe.reuse)

    @cached_property
    def _held_out(self) -> GatePairs:
        assert self.recipe.reuse is not None and self.validation is not None
        return self._matched(self.validation, self.recipe.reuse)

    def _matched(self, pool: ClipPool, reuse: ReuseRecipe) -> GatePairs:
        """Matched pairs, kept beside the clips for other gates of the same network."""
        digest = hashlib.sha256(f"{pool.sha256}/{reuse.gaps}/{PAIRS_PER_CLIP}".encode())
        for name, tensor in sorted(self.network.Tmatching.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        path = pool.beside(f"gate-{digest.hexdigest()[:16]}.safetensors")
        if not path.exists():
            # The statistics are those that the network's input has been scaled by.
            made = match_pairs(self.network, pool, self.pool.statistics, reuse.gaps)
            write_tensors(path, made._asdict())
        return GatePairs(**load_file(path, device=str(pool.device)))
