"""What a step of each stage of TTVOS's training minimises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.modules import Refine, halve
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.steps import Losses, gate_loss, of_masks
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.processes import shared_mean
from vosbench.harness.training.recipe import Recipe, ReuseRecipe
from vosbench.harness.training.ttvos.steps import (
    Follower,
    TtvosSegmented,
    detached,
    draw_run,
    follow,
    pairs8,
    reuse_frame,
)

_LEAST_WEIGHT = 0.05
"""Of a pair of frames without overlap, before weights are brought to 1 on average."""


@dataclass(frozen=True)
class RunRecipe:
    """The runs of frames that TTVOS learns from.

    Attributes:
        shortest, longest: frames after the given one; the longest allowed grows from the one to
            the other over the first ``growth`` of a stage.
        truncate: frames that a gradient goes back through.
        sharpest: largest sharpness of templates, drawn from 1 up; 1.9 for training at 256×448
            and use at 480×854. See :func:`.ttvos_steps.template`.
        transition: weight of the temporal consistency loss.
        matching: weight of a mask loss on the matched map alone.
        warm: most frames on the full path before a reused one, in the second stage.
    """

    shortest: int = 2
    longest: int = 6
    growth: float = 0.6
    truncate: int = 3
    sharpest: float = 1.9
    transition: float = 1.0
    matching: float = 0.2
    warm: int = 3

    def draw_length(self, progress: float, rng: np.random.Generator) -> int:
        """Length of a run at some progress (0..1) of the stage."""
        grown = min(progress / self.growth, 1.0) * (self.longest - self.shortest + 1)
        most = min(self.shortest + int(grown), self.longest)
        return int(rng.integers(self.shortest, most + 1))

    def draw_sharpness(self, rng: np.random.Generator) -> float:
        """Sharpness of a step's templates."""
        return float(np.exp(rng.uniform(0.0, np.log(self.sharpest))))


@dataclass(frozen=True)
class TtvosRecipe(Recipe):
    """A training of TTVOS or G-TTVOS; ``runs`` are what it learns from."""

    runs: RunRecipe = RunRecipe()

    @property
    def windows(self) -> Windows:
        return Windows(self.window, self.mirror)


def segmentation_losses(
    network: Ttvos,
    pool: ClipPool,
    recipe: TtvosRecipe,
    moment: Moment,
) -> Losses:
    """First stage: masks of a run on the full path, each fed to the frames after it."""
    rng = moment.rng
    length = recipe.runs.draw_length(moment.progress, rng)
    follower = Follower(network, recipe.runs.draw_sharpness(rng))
    given, *frames = draw_run(
        pool, [range(length + 1)] * moment.stage.batch, moment, recipe.windows
    )
    state = follower.begin(given)
    parts: list[Losses] = []
    for time, frame in enumerate(frames, 1):
        matched = follower.match(frame, state)
        result = follower.full(frame, state, matched)
        parts.append(_mask_losses(result, frame, recipe))
        true, before = pairs8(frame.masks), state.masks[:, :2].detach()
        seen = (matched, result.context)
        parts[-1] |= _auxiliary_losses(network.vos.refine, recipe.runs, true, before, seen)
        if time < length:
            state = follower.advance(frame, state, result)
            if time % recipe.runs.truncate == 0:
                state = detached(state)
    return {name: torch.stack([part[name] for part in parts]).mean() for name in parts[0]}


def _mask_losses(result: TtvosSegmented, frame: EncodedClip, recipe: TtvosRecipe) -> Losses:
    terms = {"bce": losses.mask_loss(result.logits, frame.masks).mean()}
    if recipe.soft_iou:
        overlap = losses.soft_iou_loss(result.logits, frame.masks).mean()
        terms["soft iou"] = recipe.soft_iou * overlap
    return terms


def _auxiliary_losses(
    refine: Refine, runs: RunRecipe, true: Tensor, before: Tensor, seen: tuple[Tensor, Tensor]
) -> Losses:
    """What the heads that serve training alone are asked.

    Args:
        true: annotated (background, foreground) at 1/8, (B, 2, h8, w8).
        before: the newest such pair that the network made itself.
        seen: the matched map, and the decoder's context.
    """
    matched, context = seen
    terms: Losses = {}
    if runs.transition:
        gap = F.mse_loss(refine.predictor_Diff(context).float(), true - before)
        terms["transition"] = runs.transition * gap
    if runs.matching:
        alone = refine.predictor_Tmp(matched).float()
        bce = F.binary_cross_entropy_with_logits(alone, true[:, 1:])
        terms["matching"] = runs.matching * bce
    return terms


def reuse_losses(
    network: GatedTtvos,
    pool: ClipPool,
    recipe: TtvosRecipe,
    reuse: ReuseRecipe,
    moment: Moment,
) -> Losses:
    """Second stage: gate, Δ and the reuse path's mask, n frames after a run's last full frame."""
    rng = moment.rng
    warm = int(rng.integers(0, recipe.runs.warm + 1))
    gaps = rng.choice([n for n in reuse.gaps if n < pool.frames], moment.stage.batch)
    times = [(*range(warm + 1), warm + n - 1, warm + n) for n in gaps.tolist()]
    *past, before, now = draw_run(pool, times, moment, recipe.windows)
    follower = Follower(network, recipe.runs.draw_sharpness(rng))
    with torch.no_grad():
        state = follow(follower, past[1:], follower.begin(past[0]))
    with_mask = not reuse.gate_only and moment.progress >= reuse.mask_from
    reused = reuse_frame(follower, network, now, state, with_mask)
    reference = before if reuse.gate.reference == "adjacent" else past[-1]
    gate = gate_loss(reused.gate_logits, reference.masks, now.masks, reuse.gate, moment.progress)
    terms: Losses = {"gate": gate}
    if reuse.gate_only:
        return terms
    weight = _weights(past[-1].masks, now.masks, reuse.focus)
    newest = halve(state.masks[:, 1:2])
    terms["delta"] = losses.delta_loss(reused.delta, now.masks, newest, weight)
    if reuse.imitation:
        with torch.no_grad():
            u16 = network.vos.refine.short_term(now.f16, state.masks, state.s16).float()
        miss = (weight * (reused.u16 - u16).square().mean(dim=(1, 2, 3))).mean()
        terms["imitation"] = reuse.imitation * miss / shared_mean(u16.square().mean())
    if reused.segmented is not None:
        terms["reuse"] = (
            weight * of_masks(reused.segmented.logits, now.masks, recipe.soft_iou)
        ).mean()
        if reuse.finetune != "none":
            full = segmentation_losses(network, pool, recipe, moment)
            terms["full"] = reuse.full_path * torch.stack(list(full.values())).sum()
    return terms


def _weights(last: Tensor, now: Tensor, focus: float) -> Tensor:
    """What each pair of frames counts for the reuse path, (B,), 1 on average."""
    weight = losses.mask_iou(last, now) ** focus + _LEAST_WEIGHT
    return weight / shared_mean(weight.mean())
