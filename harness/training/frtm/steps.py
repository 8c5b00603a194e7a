"""One step of each stage: which frames it draws, and what it minimises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.baselines.frtm.refiner import SHALLOW
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.scaling import normalised
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.processes import shared_mean
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


def draw_frames(pool: ClipPool, moment: Moment, windows: Windows = WHOLE) -> EncodedClip:
    """One later frame of each clip of a batch, or of the moment's part of it."""
    batch, rng = moment.stage.batch, moment.rng
    indices = pool.choose(batch, rng).tolist()
    frames = rng.integers(1, pool.frames, batch).tolist()
    read = []
    for sample, (index, frame) in enumerate(zip(indices, frames, strict=True)):
        read += cut(pool, index, [frame], windows=windows, moment=moment, sample=sample)
    return normalised(pool.deliver(read), pool.statistics)


def cut(
    pool: ClipPool,
    index: int,
    frames: list[int],
    *,
    windows: Windows,
    moment: Moment,
    sample: int,
) -> list[EncodedClip]:
    """Frames of a sample of a batch within its window, or nothing where another part has it.

    The window is drawn all the same: every part draws all that a step draws. It is drawn from the
    host's masks, since those on a GPU would have to be waited for.
    """
    window = None
    if windows != WHOLE:
        window = windows.draw(pool.masks(index, frames)[-1], moment.rng)
    if sample not in moment.own:
        return []
    clip = pool.stored(index, frames)
    return [clip if window is None else window.clip(clip)]


def draw_pairs(
    pool: ClipPool, moment: Moment, gaps: tuple[int, ...], windows: Windows = WHOLE
) -> Drawn:
    """Frames t − n and t of each clip, n drawn from ``gaps``, and the first frame."""
    rng = moment.rng
    possible = [gap for gap in gaps if gap < pool.frames]
    if not possible:
        raise InputError(
            f"clips of {pool.frames} frames hold no gap of {', '.join(map(str, gaps))} frames"
        )
    chosen, starts = [], []
    for sample, index in enumerate(pool.choose(moment.stage.batch, rng).tolist()):
        gap = int(rng.choice(possible))
        last = int(rng.integers(0, pool.frames - gap))
        frames = [0, last, last + gap - 1, last + gap]
        chosen += cut(pool, index, frames, windows=windows, moment=moment, sample=sample)
        if sample in moment.own:
            starts.append(last == 0)
    whole = normalised(pool.deliver(chosen), pool.statistics)
    first, last_full, before, now = (whole.take(slice(offset, None, 4)) for offset in range(4))
    flags = torch.tensor(starts).to(pool.device, non_blocking=True)
    return Drawn(first, last_full, now, before.masks, flags)


def segmentation_losses(network: FrtmNetwork, frames: EncodedClip, soft_iou: float) -> Losses:
    """First stage: the full path's mask against the annotation."""
    r8 = network.refiner.deep(frames.f32, frames.f16, frames.scores)
    logits = masks_of(network, frames, r8, frames.scores)
    terms = {"bce": losses.mask_loss(logits, frames.masks).mean()}
    if soft_iou:
        terms["soft iou"] = soft_iou * losses.soft_iou_loss(logits, frames.masks).mean()
    return terms


@dataclass(frozen=True)
class MatchedBatch:
    """A batch matched against its past: S_{t−n}, D, and the gate's logits (B, 2)."""

    score: Tensor
    d: Tensor
    gate_logits: Tensor


@dataclass(frozen=True)
class ReusedBatch:
    """What the reuse path makes of a match: Δ, R̂8 (both at 1/16), and the mask's logits.

    The logits are None where they were not asked for: they cost most of the path.
    """

    delta: Tensor
    r8: Tensor
    logits: Tensor | None


def match(network: GatedFrtmNetwork, drawn: Drawn) -> MatchedBatch:
    """Match each pair as the tracker does."""
    # The tracker begins with the given mask in place of a score.
    given = F.interpolate(drawn.last.masks, drawn.last.scores.shape[-2:], mode="nearest")
    score = torch.where(drawn.starts.view(-1, 1, 1, 1), given, drawn.last.scores)
    template = network.Tmatching.template(drawn.first.f8, drawn.first.masks)
    d = network.Tmatching.match(drawn.now.f8, score, template)
    return MatchedBatch(score, d, losses.wide(network.convGS(d)))


def reuse(
    network: GatedFrtmNetwork, drawn: Drawn, matched: MatchedBatch, with_mask: bool = True
) -> ReusedBatch:
    """The reuse path as the tracker runs it; S and R8 of t − n are constants."""
    last, now = drawn.last, drawn.now
    with torch.no_grad():
        r8 = network.refiner.deep(last.f32, last.f16, last.scores)
    delta = network.Convert_Diff(matched.d)
    estimate = network.refiner.translate(r8, delta)
    logits = masks_of(network, now, estimate, matched.score + delta) if with_mask else None
    return ReusedBatch(losses.wide(delta), losses.wide(estimate), logits)


def masks_of(network: FrtmNetwork, now: EncodedClip, r8: Tensor, score: Tensor) -> Tensor:
    """Logits at full size from R8 and S, computed or estimated."""
    size = (now.masks.shape[-2], now.masks.shape[-1])
    r4 = network.refiner.shallow(r8, now.f8, now.f4, score)
    logits: Tensor = network.refiner.project(r4, size)
    return losses.wide(logits)


def of_masks(logits: Tensor, masks: Tensor, soft_iou: float) -> Tensor:
    """Loss of each sample's mask, (B,): BCE, and that of the overlap where a recipe asks for it."""
    loss = losses.mask_loss(logits, masks)
    return loss + soft_iou * losses.soft_iou_loss(logits, masks) if soft_iou else loss


def reuse_losses(
    network: GatedFrtmNetwork,
    drawn: Drawn,
    recipe: ReuseRecipe,
    moment: Moment,
    *,
    soft_iou: float,
) -> Losses:
    """Second stage: gate, Δ and the reuse path's mask (eq. 6), and what the recipe adds."""
    now, rate, progress = drawn.now, recipe.gate.rate, moment.progress
    weight = _weights(drawn, recipe.focus)
    matched = match(network, drawn)
    terms: Losses = {}
    if rate is None:
        reference = drawn.before if recipe.gate.reference == "adjacent" else drawn.last.masks
        terms["gate"] = gate_loss(matched.gate_logits, reference, now.masks, recipe.gate, progress)
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
        true = losses.wide(r8.detach())
        gap = (weight * (reused.r8 - true).square().mean(dim=(1, 2, 3))).mean()
        terms["imitation"] = recipe.imitation * gap / shared_mean(true.square().mean())
    if reused.logits is None:
        return terms
    of_reuse = of_masks(reused.logits, now.masks, soft_iou)
    if not recipe.gate_only:
        terms["reuse"] = (weight * of_reuse).mean()
    if with_full and r8 is not None:
        of_full = of_masks(masks_of(network, now, r8, now.scores), now.masks, soft_iou)
        if recipe.finetune != "none":
            terms["full"] = recipe.full_path * of_full.mean()
        if rate is not None:
            terms |= _count_losses(matched.gate_logits, of_reuse, of_full, rate, moment)
    return terms


def _weights(drawn: Drawn, focus: float) -> Tensor:
    """What each pair counts for the reuse path, (B,), 1 on average."""
    iou = losses.mask_iou(drawn.last.masks, drawn.now.masks)
    weight = iou**focus + _LEAST_WEIGHT
    return weight / shared_mean(weight.mean())


def _count_losses(
    logits: Tensor, of_reuse: Tensor, of_full: Tensor, rate: float, moment: Moment
) -> Losses:
    """N-gate: sampled gates pay for the mask of the path they take, and keep to a rate."""
    drawn = moment.rng.random((moment.stage.batch, logits.shape[1]))[list(moment.own)]
    uniform = np.clip(drawn, 1e-9, 1 - 1e-9)
    gumbel = torch.from_numpy(-np.log(-np.log(uniform)))
    gumbel = gumbel.to(logits.device, logits.dtype, non_blocking=True)
    gates = losses.hard_gates(logits, gumbel)
    # Both paths learn elsewhere; here only the choice does.
    taken = gates * of_reuse.detach() + (1 - gates) * of_full.detach()
    taken_rate = shared_mean(gates.mean())
    return {"taken": taken.mean(), "gate": losses.gate_count_loss(taken_rate, rate)}


def gate_loss(
    logits: Tensor, reference: Tensor, now: Tensor, gate: GateRecipe, progress: float
) -> Tensor:
    """The gate probability loss (eq. 5): P_gate against the IoU of two masks."""
    iou = losses.mask_iou(reference, now)
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
