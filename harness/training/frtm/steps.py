"""One step of each stage: which frames it draws, and what it minimises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.baselines.frtm.refiner import SHALLOW
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.scaling import normalised
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe

_LEAST_WEIGHT = 0.05

Losses: TypeAlias = dict[str, Tensor]
"""Weighted terms by name; their sum is minimised."""


@dataclass(frozen=True)
class Drawn:
    """A batch as three frames of each clip.

    Attributes:
        first: frame 0.
        last: the last full frame, t − n.
        now: frame t.
        before: masks of frame t − 1, (B, 1, H, W).
        starts: whether the last full frame is frame 0, bool (B,).
    """

    first: EncodedClip
    last: EncodedClip
    now: EncodedClip
    before: Tensor
    starts: Tensor


WHOLE = Windows()
"""Whole frames, as they are."""


def draw_frames(
    pool: ClipPool, batch: int, rng: np.random.Generator, windows: Windows = WHOLE
) -> EncodedClip:
    """One later frame of each of ``batch`` clips."""
    indices = pool.choose(batch, rng)
    frames = rng.integers(1, pool.frames, batch)
    read = [pool.read(int(i), [int(t)]) for i, t in zip(indices, frames, strict=True)]
    if windows != WHOLE:
        read = [windows.draw(clip.masks[-1], rng).clip(clip) for clip in read]
    return normalised(EncodedClip.cat(read), pool.statistics)


def draw_pairs(
    pool: ClipPool,
    batch: int,
    gaps: tuple[int, ...],
    rng: np.random.Generator,
    windows: Windows = WHOLE,
) -> Drawn:
    """Frames t − n and t of each clip, n drawn from ``gaps``, and the first frame."""
    possible = [gap for gap in gaps if gap < pool.frames]
    chosen, before, starts = [], [], []
    for index in pool.choose(batch, rng):
        gap = int(rng.choice(possible))
        last = int(rng.integers(0, pool.frames - gap))
        clip = pool.read(int(index), [0, last, last + gap])
        mask = pool.masks(int(index), [last + gap - 1])
        if windows != WHOLE:
            window = windows.draw(clip.masks[-1], rng)
            clip, mask = window.clip(clip), window.masks(mask)
        chosen.append(clip)
        before.append(mask)
        starts.append(last == 0)
    whole = normalised(EncodedClip.cat(chosen), pool.statistics)
    first, last_full, now = (whole.take(slice(offset, None, 3)) for offset in range(3))
    return Drawn(first, last_full, now, torch.cat(before), torch.tensor(starts))


def segmentation_losses(network: FrtmNetwork, frames: EncodedClip, soft_iou: float) -> Losses:
    """First stage: the full path's mask against the annotation."""
    r8 = network.refiner.deep(frames.f32, frames.f16, frames.scores)
    logits = _masks(network, frames, r8, frames.scores)
    terms = {"bce": losses.mask_loss(logits, frames.masks).mean()}
    if soft_iou:
        terms["soft iou"] = soft_iou * losses.soft_iou_loss(logits, frames.masks).mean()
    return terms


@dataclass(frozen=True)
class Matched:
    """A batch matched against its past: S_{t−n}, D, and the gate's logits (B, 2)."""

    score: Tensor
    d: Tensor
    gate_logits: Tensor


@dataclass(frozen=True)
class Reused:
    """What the reuse path makes of a match: Δ, R̂8 (both at 1/16), and the mask's logits.

    The logits are None where they were not asked for: they cost most of the path.
    """

    delta: Tensor
    r8: Tensor
    logits: Tensor | None


def match(network: GatedFrtmNetwork, drawn: Drawn) -> Matched:
    """Match each pair as the tracker does."""
    # The tracker begins with the given mask in place of a score.
    given = F.interpolate(drawn.last.masks, drawn.last.scores.shape[-2:], mode="nearest")
    score = torch.where(drawn.starts.view(-1, 1, 1, 1), given, drawn.last.scores)
    template = network.Tmatching.template(drawn.first.f8, drawn.first.masks)
    d = network.Tmatching.match(drawn.now.f8, score, template)
    return Matched(score, d, network.convGS(d).float())


def reuse(
    network: GatedFrtmNetwork, drawn: Drawn, matched: Matched, with_mask: bool = True
) -> Reused:
    """The reuse path as the tracker runs it; S and R8 of t − n are constants."""
    last, now = drawn.last, drawn.now
    with torch.no_grad():
        r8 = network.refiner.deep(last.f32, last.f16, last.scores)
    delta = network.Convert_Diff(matched.d)
    estimate = network.refiner.translate(r8, delta)
    logits = _masks(network, now, estimate, matched.score + delta) if with_mask else None
    return Reused(delta.float(), estimate.float(), logits)


def _masks(network: FrtmNetwork, now: EncodedClip, r8: Tensor, score: Tensor) -> Tensor:
    size = (now.masks.shape[-2], now.masks.shape[-1])
    r4 = network.refiner.shallow(r8, now.f8, now.f4, score)
    logits: Tensor = network.refiner.project(r4, size)
    return logits.float()


def _of_masks(logits: Tensor, masks: Tensor, soft_iou: float) -> Tensor:
    loss = losses.mask_loss(logits, masks)
    return loss + soft_iou * losses.soft_iou_loss(logits, masks) if soft_iou else loss


def reuse_losses(
    network: GatedFrtmNetwork,
    drawn: Drawn,
    recipe: ReuseRecipe,
    progress: float,
    *,
    soft_iou: float,
    rng: np.random.Generator,
) -> Losses:
    """Second stage: gate, Δ and the reuse path's mask (eq. 6), and what the recipe adds."""
    now, rate = drawn.now, recipe.gate.rate
    weight = _weights(drawn, recipe.focus)
    matched = match(network, drawn)
    terms: Losses = {}
    if rate is None:
        terms["gate"] = _gate_loss(matched.gate_logits, drawn, recipe.gate, progress)
        if recipe.gate_only:
            return terms
    with_mask = rate is not None or progress >= recipe.mask_from
    reused = reuse(network, drawn, matched, with_mask)
    if not recipe.gate_only:
        terms["delta"] = losses.delta_loss(reused.delta, now.masks, matched.score, weight)
    with_full = rate is not None or (with_mask and recipe.finetune != "none")
    r8 = None
    if recipe.imitation or with_full:
        r8 = network.refiner.deep(now.f32, now.f16, now.scores)
    if recipe.imitation and not recipe.gate_only and r8 is not None:
        true = r8.detach().float()
        gap = (weight * (reused.r8 - true).square().mean(dim=(1, 2, 3))).mean()
        terms["imitation"] = recipe.imitation * gap / true.square().mean()
    if reused.logits is None:
        return terms
    of_reuse = _of_masks(reused.logits, now.masks, soft_iou)
    if not recipe.gate_only:
        terms["reuse"] = (weight * of_reuse).mean()
    if with_full and r8 is not None:
        of_full = _of_masks(_masks(network, now, r8, now.scores), now.masks, soft_iou)
        if recipe.finetune != "none":
            terms["full"] = recipe.full_path * of_full.mean()
        if rate is not None:
            terms |= _count_losses(matched.gate_logits, of_reuse, of_full, rate, rng)
    return terms


def _weights(drawn: Drawn, focus: float) -> Tensor:
    """What each pair counts for the reuse path, (B,), 1 on average."""
    iou = losses.mask_iou(drawn.last.masks, drawn.now.masks)
    weight = iou**focus + _LEAST_WEIGHT
    return weight / weight.mean()


def _count_losses(
    logits: Tensor, of_reuse: Tensor, of_full: Tensor, rate: float, rng: np.random.Generator
) -> Losses:
    """N-gate: sampled gates pay for the mask of the path they take, and keep to a rate."""
    uniform = np.clip(rng.random(tuple(logits.shape)), 1e-9, 1 - 1e-9)
    gumbel = torch.from_numpy(-np.log(-np.log(uniform))).float()
    gates = losses.hard_gates(logits, gumbel)
    # Both paths learn elsewhere; here only the choice does.
    taken = gates * of_reuse.detach() + (1 - gates) * of_full.detach()
    return {"taken": taken.mean(), "gate": losses.gate_count_loss(gates, rate)}


def _gate_loss(logits: Tensor, drawn: Drawn, gate: GateRecipe, progress: float) -> Tensor:
    reference = drawn.before if gate.reference == "adjacent" else drawn.last.masks
    iou = losses.mask_iou(reference, drawn.now.masks)
    m = losses.margin(gate.m1, progress, gate.reach)
    target = losses.gate_target(iou, m, gate.margin)
    return losses.gate_probability_loss(p_gate(logits), target, gate.m2, gate.hinge)


def learning_modules(network: FrtmNetwork, recipe: ReuseRecipe | None) -> Iterator[nn.Module]:
    """Modules whose weights a stage changes: the segmentation stage's where ``recipe`` is None."""
    refiner = network.refiner
    parts = (refiner.TSE, refiner.RRB1, refiner.CAB, refiner.RRB2)
    if recipe is None or recipe.finetune == "all":
        yield from (*parts, refiner.project)
    elif recipe.finetune == "shallow":
        yield from (part[name] for part in parts for name in SHALLOW)
        yield refiner.project
    if recipe is not None:
        if not isinstance(network, GatedFrtmNetwork) or refiner.Diff_process is None:
            raise RuntimeError("a network without a gate has no reuse modules to train")
        yield network.convGS
        if not recipe.gate_only:
            yield from (refiner.Diff_process, network.Tmatching, network.Convert_Diff)
