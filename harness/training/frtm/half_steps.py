"""One step: a walk over a few frames, each reused or full, with the walk's own masks.

What a tracker meets is its own mask of the frame before, its own of the last full one, and gaps
of any length. So does a walk; only gradients stay within a frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.frtm.half import Carried, HalfFrtm
from vosbench.baselines.frtm.matching import Reference, mask_levels, reduced
from vosbench.baselines.frtm.refiner import resize
from vosbench.harness.training.data.encoding import EncodedClip, HalfLevels
from vosbench.harness.training.data.pool import HalvedPool
from vosbench.harness.training.frtm import losses
from vosbench.harness.training.frtm.half_recipe import HalfRecipe
from vosbench.harness.training.frtm.steps import Losses
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import GateRecipe


@dataclass(frozen=True)
class HalfWalk:
    """Frames of a batch of clips, the first one first: one entry of each tuple for each frame.

    Attributes:
        halves: what the frames give in half size.
        whole: features, scores and masks of the whole frames; of a frame that is not computed in
            full the masks alone are used.
        full: which are computed in full.
    """

    halves: tuple[HalfLevels, ...]
    whole: tuple[EncodedClip, ...]
    full: tuple[bool, ...]

    @property
    def masks(self) -> tuple[Tensor, ...]:
        """The true masks, (B, 1, H, W) each."""
        return tuple(clip.masks for clip in self.whole)


def read_walk(
    pool: HalvedPool, clips: list[tuple[int, list[int]]], full: tuple[bool, ...]
) -> HalfWalk:
    """Read the named frames of each clip."""
    whole = [pool.read(index, frames) for index, frames in clips]
    halves = [pool.read_halves(index, frames) for index, frames in clips]
    count = len(full)
    return HalfWalk(
        tuple(
            HalfLevels(*(torch.stack([h[level][t] for h in halves]) for level in range(5)))
            for t in range(count)
        ),
        tuple(
            EncodedClip.cat([clip.take(slice(t, t + 1)) for clip in whole]) for t in range(count)
        ),
        full,
    )


def draw_walk(pool: HalvedPool, recipe: HalfRecipe, moment: Moment) -> HalfWalk:
    """Frame 0 and some that follow each other, of each clip of the moment's part of a batch."""
    length, rng = min(recipe.walk, pool.frames - 1), moment.rng
    clips = []
    for index in pool.choose(moment.stage.batch, rng):
        start = int(rng.integers(1, pool.frames - length + 1))
        clips.append((int(index), [0, *range(start, start + length)]))
    full = rng.random(length) < recipe.full_rate
    own = clips[moment.own.start : moment.own.stop]
    drawn = read_walk(pool, own, (False, *(bool(f) for f in full)))
    return mirrored(drawn) if recipe.mirror and rng.random() < 0.5 else drawn


def mirrored(walk: HalfWalk) -> HalfWalk:
    """Left and right change places, in features too, which is near enough for what learns."""
    return HalfWalk(
        tuple(HalfLevels(*(level.flip(-1) for level in halves)) for halves in walk.halves),
        tuple(
            EncodedClip(*(x.flip(-1) for x in (*clip.levels, clip.scores, clip.masks)))
            for clip in walk.whole
        ),
        walk.full,
    )


@dataclass(frozen=True)
class Seen:
    """A frame of a walk: what was carried to it, logits of the full path, what the gate said.

    Attributes:
        known: the last full frame and the previous one, as they were.
        last: index of the last full frame.
    """

    carried: Carried
    logits: Tensor | None
    known: tuple[Reference, Reference]
    last: int


@dataclass(frozen=True)
class Mishaps:
    """What a walk of training meets and a tracker doesn't: bool (T, B) each, by frame and clip.

    Attributes:
        truth: it goes on with the true mask.
        gone, swapped: it goes on with no mask, or with the next clip's.
        unled: a full frame is decoded without the carried mask.
        damaged: it goes on with its mask as drift leaves it; NaN for no, else three numbers of
            :func:`with_drift`, so float32 (T, B, 3). None where a recipe damages none.
    """

    truth: Tensor
    gone: Tensor
    swapped: Tensor
    unled: Tensor
    damaged: Tensor | None = None

    @classmethod
    def draw(cls, walk: HalfWalk, recipe: HalfRecipe, moment: Moment) -> Mishaps:
        """Draw them at a recipe's rates, for the whole batch, and take the moment's part."""
        rng, shape = moment.rng, (len(walk.masks), moment.stage.batch)
        truth = rng.random(shape) < recipe.truth_rate
        # Drawn only where asked for, so that recipes without them draw what they always did.
        lost = rng.random(shape) < recipe.lost_rate if recipe.lost_rate else truth & False
        which = rng.random(shape) < 0.5 if recipe.lost_rate else lost
        unled = rng.random(shape) < recipe.unled_rate if recipe.unled_rate else lost & False
        drawn = [truth & ~lost, lost & which, lost & ~which, unled]
        if recipe.damage_rate:
            hit = rng.random(shape) < recipe.damage_rate
            how = np.where(hit[..., None], rng.random((*shape, 3)), np.nan)
            drawn.append(how.astype(np.float32))
        own, device = slice(moment.own.start, moment.own.stop), walk.masks[0].device
        return cls(*(torch.from_numpy(p[:, own]).to(device, non_blocking=True) for p in drawn))

    def handed_on(self, t: int, mask: Tensor, true: Tensor) -> Tensor:
        """The mask (B, 1, h, w) that a walk goes on with after frame t."""
        truth, gone, swapped = (
            each[t].view(-1, 1, 1, 1) for each in (self.truth, self.gone, self.swapped)
        )
        mask = torch.where(swapped, mask.roll(1, dims=0), torch.where(truth, true, mask))
        if self.damaged is not None:
            drifted = with_drift(mask, self.damaged[t].nan_to_num())
            mask = torch.where(self.damaged[t, :, 0].isnan().view(-1, 1, 1, 1), mask, drifted)
        return torch.where(gone, torch.zeros_like(mask), mask)


def with_drift(mask: Tensor, how: Tensor) -> Tensor:
    """What drift leaves of masks: a part is cut off, or a copy beside it is added.

    Args:
        mask: soft, (B, 1, h, w).
        how: (B, 3) in 0..1: the direction; how far from the middle it is cut, or the copy lies; and
            which of the two.
    """
    height, width = mask.shape[-2:]
    ys = torch.linspace(-1, 1, height, device=mask.device).view(1, 1, -1, 1)
    xs = torch.linspace(-1, 1, width, device=mask.device).view(1, 1, 1, -1)
    turn, far, which = how.t().reshape(3, -1, 1, 1, 1)
    weight = mask / mask.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)

    def spread(places: Tensor) -> tuple[Tensor, Tensor]:
        middle = (weight * places).sum(dim=(2, 3), keepdim=True)
        variance = (weight * (places - middle) ** 2).sum(dim=(2, 3), keepdim=True)
        return middle, variance.sqrt().clamp(min=1e-3)

    (cy, sy), (cx, sx) = spread(ys), spread(xs)
    down, across = torch.sin(2 * math.pi * turn), torch.cos(2 * math.pi * turn)
    cut = mask * ((ys - cy) / sy * down + (xs - cx) / sx * across < 2 * far - 1)
    away = 1.5 + 3 * far
    x = (xs - away * across * sx).expand(-1, -1, height, -1)
    y = (ys - away * down * sy).expand(-1, -1, -1, width)
    places = torch.stack((x[:, 0], y[:, 0]), dim=-1)
    copy = F.grid_sample(mask, places.to(mask.dtype), align_corners=True)
    return torch.where(which < 0.5, cut, torch.maximum(mask, copy))


def walk_along(
    network: HalfFrtm,
    walk: HalfWalk,
    *,
    finest: bool = True,
    mishaps: Mishaps | None = None,
    sound_last: bool = False,
) -> list[Seen]:
    """Walk as the tracker does; masks that are handed on carry no gradient.

    Args:
        sound_last: the last full frame's mask meets no mishap but the truth: the gate is asked
            about it.
    """
    first = _reference(network, walk.halves[0], walk.masks[0])
    last = previous = first
    seen, last_full = [], 0
    for t in range(1, len(walk.halves)):
        h4, h8, h16, h32, score = walk.halves[t]
        now = network.matching.keys(h32, h16)
        known = (first, last, previous)
        carried = network.carried((h32, h16, h8, h4), score, now, known, finest)
        logits = None
        if walk.full[t]:
            clip = walk.whole[t]
            features = (clip.f32, clip.f16, clip.f8, clip.f4)
            led = None if mishaps is None else ~mishaps.unled[t]
            logits = network.refined(
                features, clip.scores, carried.logits, carried.maps, finest=finest, led=led
            )[-1]
        seen.append(Seen(carried, logits, (last, previous), last_full))
        mask = resize(torch.sigmoid(carried.logits if logits is None else logits).detach(), h4)
        kept = mask
        if mishaps is not None:
            true = reduced(walk.masks[t], mask)
            mask = mishaps.handed_on(t, mask, true)
            kept = torch.where(mishaps.truth[t].view(-1, 1, 1, 1), true, kept)
        previous = Reference(now, mask_levels(mask, (h32, h16, h8, h4)))
        if walk.full[t]:
            sound = Reference(now, mask_levels(kept, (h32, h16, h8, h4)))
            last, last_full = sound if sound_last else previous, t
    return seen


def _reference(network: HalfFrtm, halves: HalfLevels, mask: Tensor) -> Reference:
    h4, h8, h16, h32, _ = halves
    return Reference(network.matching.keys(h32, h16), mask_levels(mask, (h32, h16, h8, h4)))


def walk_losses(
    network: HalfFrtm,
    walk: HalfWalk,
    recipe: HalfRecipe,
    moment: Moment,
    *,
    finest: bool = True,
) -> Losses:
    """Both paths' masks against the annotations."""
    mishaps = Mishaps.draw(walk, recipe, moment)
    seen = walk_along(network, walk, finest=finest, mishaps=mishaps)
    return _mask_terms(seen, walk, recipe.soft_iou)


def gate_losses(
    network: HalfFrtm,
    walk: HalfWalk,
    recipe: HalfRecipe,
    moment: Moment,
) -> Losses:
    """The gate's loss beside those of the masks, or alone where nothing else learns."""
    assert recipe.reuse is not None
    alone = recipe.reuse.finetune == "none"
    with torch.set_grad_enabled(not alone):
        mishaps = Mishaps.draw(walk, recipe, moment)
        seen = walk_along(network, walk, mishaps=mishaps, sound_last=True)
    gaps = [
        gate_gap(network, walk, t, frame, gate=recipe.reuse.gate, progress=moment.progress)
        for t, frame in enumerate(seen, start=1)
    ]
    terms = {} if alone else _mask_terms(seen, walk, recipe.soft_iou)
    return terms | {"gate": recipe.gate_weight * torch.stack(gaps).mean()}


def gate_gap(
    network: HalfFrtm, walk: HalfWalk, t: int, seen: Seen, *, gate: GateRecipe, progress: float
) -> Tensor:
    """The gate probability loss of one frame of a walk."""
    iou = asked_iou(walk, t, seen, gate.reference)
    m = losses.margin(gate.m1, progress, gate.reach)
    target = losses.gate_target(iou, m, gate.margin)
    p = torch.sigmoid(network.asked(seen.carried, *seen.known).float())
    return losses.gate_probability_loss(p, target, gate.m2, gate.hinge)


def asked_iou(walk: HalfWalk, t: int, seen: Seen, reference: str) -> Tensor:
    """What the gate is asked of frame t, (B,): see :attr:`GateRecipe.reference`."""
    true = walk.masks[t]
    if reference == "carried":
        return losses.mask_iou(resize(seen.carried.logits.detach(), true) > 0, true)
    return losses.mask_iou(walk.masks[t - 1 if reference == "adjacent" else seen.last], true)


def _mask_terms(seen: list[Seen], walk: HalfWalk, soft_iou: float) -> Losses:
    carried, refined = [], []
    for t, frame in enumerate(seen, start=1):
        carried.append(_of_mask(frame.carried.logits, walk.masks[t], soft_iou))
        if frame.logits is not None:
            refined.append(_of_mask(frame.logits, walk.masks[t], soft_iou))
    terms = {"carried": torch.stack(carried).mean()}
    return terms | ({"full": torch.stack(refined).mean()} if refined else {})


def _of_mask(logits: Tensor, mask: Tensor, soft_iou: float) -> Tensor:
    """BCE and the loss of overlap on the logits' own grid."""
    true = reduced(mask, logits)
    loss = losses.mask_loss(logits, true).mean()
    return loss + soft_iou * losses.soft_iou_loss(logits, true).mean() if soft_iou else loss
