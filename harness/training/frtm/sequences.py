"""The paper's step: whole sequences, frame by frame, the gate choosing the path of each frame.

Refiner, reuse modules and gate learn together from Loss = Loss_gp + Loss_Δ + BCE (eq. 6), on the
masks of the paths that were taken at τ = 0.5. Symbols as in :mod:`.steps`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.scaling import normalised
from vosbench.harness.training.frtm.steps import WHOLE, Losses, cut, gate_loss, masks_of, of_masks
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import ReuseRecipe


def draw_sequences(
    pool: ClipPool, moment: Moment, windows: Windows = WHOLE
) -> tuple[EncodedClip, ...]:
    """All frames of each clip of a batch, in order: fields (B, ...) of each frame."""
    read, count = [], pool.frames
    # The window holds the object of the first frame, which is read last for that.
    turned = [*range(1, count), 0]
    for sample, index in enumerate(pool.choose(moment.stage.batch, moment.rng).tolist()):
        read += cut(pool, index, turned, windows=windows, moment=moment, sample=sample)
    whole = normalised(pool.deliver(read), pool.statistics)
    frames = [whole.take(slice(t, None, count)) for t in range(count)]
    return (frames[-1], *frames[:-1])


def full_losses(network: FrtmNetwork, frames: tuple[EncodedClip, ...], soft_iou: float) -> Losses:
    """The full path's masks of all frames after the first: FRTM's own training."""
    later = EncodedClip.cat(frames[1:])
    r8 = network.refiner.deep(later.f32, later.f16, later.scores)
    logits = masks_of(network, later, r8, later.scores)
    return {"bce": of_masks(logits, later.masks, soft_iou).mean()}


@dataclass(frozen=True)
class _LastFull:
    """What is kept of each sample's last full frame: S, R8 and the true mask."""

    score: Tensor
    r8: Tensor
    mask: Tensor

    def where(self, reused: Tensor, now: _LastFull) -> _LastFull:
        """The same where a frame was reused, else the frame itself."""
        return _LastFull(
            torch.where(reused, self.score, now.score),
            torch.where(reused, self.r8, now.r8),
            torch.where(reused, self.mask, now.mask),
        )


def sequence_losses(
    network: GatedFrtmNetwork,
    frames: tuple[EncodedClip, ...],
    recipe: ReuseRecipe,
    progress: float,
    soft_iou: float,
) -> Losses:
    """Follow a batch of sequences; each sample takes its own path through each frame.

    Both paths run up to R8, which costs little, and the head over the one that was taken: shapes
    don't depend on decisions, so nothing waits for them on a GPU. Gradients flow through R8 from
    a reused frame to the full one before it.
    """
    first = frames[0]
    template = network.Tmatching.template(first.f8, first.masks)
    # The tracker begins with the given mask in place of a score.
    given = F.interpolate(first.masks, first.scores.shape[-2:], mode="nearest")
    last = _LastFull(given, network.refiner.deep(first.f32, first.f16, first.scores), first.masks)
    before = first.masks
    parts: list[Losses] = []
    for now in frames[1:]:
        d = network.Tmatching.match(now.f8, last.score, template)
        logits = losses.wide(network.convGS(d))
        delta = network.Convert_Diff(d)
        reused = (p_gate(logits.detach()) > recipe.tau).view(-1, 1, 1, 1)
        full = _LastFull(now.scores, network.refiner.deep(now.f32, now.f16, now.scores), now.masks)
        estimate = network.refiner.translate(last.r8, delta)
        r8 = torch.where(reused, estimate, full.r8)
        score = torch.where(reused, last.score + delta, now.scores)
        reference = before if recipe.gate.reference == "adjacent" else last.mask
        parts.append(
            {
                "gate": gate_loss(logits, reference, now.masks, recipe.gate, progress),
                "delta": losses.delta_loss(losses.wide(delta), now.masks, last.score),
                "bce": of_masks(masks_of(network, now, r8, score), now.masks, soft_iou).mean(),
            }
        )
        last, before = last.where(reused, full), now.masks
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}
