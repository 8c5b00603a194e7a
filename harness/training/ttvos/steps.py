"""TTVOS on batches of short runs of frames, as the tracker runs it on clips.

Symbols as in :mod:`vosbench.baselines.ttvos.modules`. A run is frame 0, whose mask is given, and
frames after it; each is segmented with what the network itself made of those before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.modules import (
    MASK_CHANNELS,
    TtvosTemplateGenerator,
    halve,
    with_places,
)
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.baselines.ttvos.state import ObjectState
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm.steps import WHOLE, cut
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.ttvos.scaling import scaled

Run: TypeAlias = tuple[EncodedClip, ...]
"""Frames in their order, each of all clips of a batch: fields (B, ...)."""

_LEAST_VISIBLE = 0.01
"""A frame may be the given one where the object covers so much of it."""


@dataclass(frozen=True)
class TtvosSegmented:
    """A frame segmented on either path, before the state moves on.

    Attributes:
        logits: of the foreground against the background, (B, 1, H, W).
        u16: the decoder's input, (B, width, h16, w16).
        update_weight: u, (B, 1, 1).
        context: what the decoder made of both branches at 1/8, (B, width, h8, w8).
    """

    logits: Tensor
    u16: Tensor
    update_weight: Tensor
    context: Tensor


def draw_run(
    pool: ClipPool, times: Sequence[Sequence[int]], moment: Moment, windows: Windows = WHOLE
) -> Run:
    """Frames of one clip for each of ``times``, which count from the given frame, 0.

    Half the runs begin at frame 0 of their clip. The others begin anywhere, may skip every
    second frame, and may go backwards. Frames bounce at the clip's ends.
    """
    length, rng = len(times[0]), moment.rng
    indices = pool.choose(len(times), rng).tolist()
    read = []
    for sample, (index, wanted) in enumerate(zip(indices, times, strict=True)):
        start, step = _beginning(pool, index, rng)
        frames = [_bounced(start + step * time, pool.frames - 1) for time in wanted]
        # The window holds the object of the given frame, which is read last for that.
        turned = [*frames[1:], frames[0]]
        read += cut(pool, index, turned, windows=windows, moment=moment, sample=sample)
    whole = scaled(pool.deliver(read), pool.statistics)
    later = tuple(whole.take(slice(t, None, length)) for t in range(length))
    return (later[-1], *later[:-1])


def _beginning(pool: ClipPool, index: int, rng: np.random.Generator) -> tuple[int, int]:
    """The given frame of a run, and the step from each of its frames to the next."""
    start, step = int(rng.integers(pool.frames)), int(rng.choice((-1, 1, 1, 2)))
    visible = float(pool.masks(index, [start]).mean()) >= _LEAST_VISIBLE
    return (start, step) if visible and rng.random() < 0.5 else (0, 1)


def _bounced(time: int, last: int) -> int:
    folded = time % (2 * last)
    return min(folded, 2 * last - folded)


def pairs8(foreground: Tensor) -> Tensor:
    """Foreground probabilities (B, 1, H, W) → (background, foreground) at 1/8."""
    return halve(halve(halve(torch.cat((1 - foreground, foreground), dim=1))))


def template(gcm: TtvosTemplateGenerator, s8: Tensor, masks: Tensor, sharpness: float) -> Tensor:
    """The template that a frame of ``sharpness²`` times the area would give.

    Its logits are a sum over positions divided by the square root of their number, so they grow
    with the frame: a network trained on small frames alone would meet others in use. 1 gives
    :meth:`TtvosTemplateGenerator.forward`.
    """
    x = torch.cat((s8, masks), dim=1)
    key, value = gcm.conv_key(x).flatten(2), gcm.conv_val(x).flatten(2)
    products = key @ value.transpose(1, 2) / math.sqrt(key.shape[-1])
    return torch.softmax(sharpness * products.float(), dim=-1)


@dataclass(frozen=True)
class Follower:
    """Follows the objects of a batch through a run.

    Attributes:
        sharpness: see :func:`template`.
    """

    network: Ttvos
    sharpness: float = 1.0

    def begin(self, frame: EncodedClip) -> ObjectState:
        """State after the frame whose mask is given."""
        pair = pairs8(frame.masks)
        empty = pair.new_zeros((len(pair), MASK_CHANNELS - 2, *pair.shape[-2:]))
        masks = torch.cat((pair, empty), dim=1)
        made = template(self.network.vos.gcm, with_places(frame.f8), masks, self.sharpness)
        u16 = None
        if isinstance(self.network, GatedTtvos):
            u16 = self.network.vos.refine.short_term(frame.f16, masks, frame.f16)
        return ObjectState(masks, frame.f16, u16, made)

    def match(self, frame: EncodedClip, state: ObjectState) -> Tensor:
        """The matched map, (B, C8, h8, w8)."""
        matched: Tensor = self.network.vos.gcq(with_places(frame.f8), state.masks, state.template)
        return matched

    def full(self, frame: EncodedClip, state: ObjectState, matched: Tensor) -> TtvosSegmented:
        """The full path."""
        u16 = self.network.vos.refine.short_term(frame.f16, state.masks, state.s16)
        return self.decode(frame, u16, matched)

    def decode(self, frame: EncodedClip, u16: Tensor, matched: Tensor) -> TtvosSegmented:
        """Masks from u16, be it computed or estimated."""
        refine = self.network.vos.refine
        with _outputs(refine.blend_s8) as context:
            logits, weight = refine.decode(u16, matched, frame.f4)
        margin = (logits[:, 1:] - logits[:, :1]).float()
        return TtvosSegmented(margin, u16, weight.flatten(1)[..., None].float(), context[0].float())

    def advance(
        self, frame: EncodedClip, state: ObjectState, result: TtvosSegmented
    ) -> ObjectState:
        """State after a frame that took the full path."""
        masks = torch.cat((pairs8(share(result.logits)), state.masks[:, : MASK_CHANNELS - 2]), 1)
        new = template(self.network.vos.gcm, with_places(frame.f8), masks, self.sharpness)
        u = result.update_weight
        return ObjectState(
            masks, frame.f16, result.u16, state.template / (u + 1) + new * (u / (u + 1))
        )


def share(logits: Tensor) -> Tensor:
    """P_1 of one object alone after the competition: p² / (p² + (1 − p)²)."""
    return torch.sigmoid(2 * logits)


def detached(state: ObjectState) -> ObjectState:
    """The state as a constant: back-propagation ends here."""
    u16 = None if state.u16 is None else state.u16.detach()
    return replace(state, masks=state.masks.detach(), template=state.template.detach(), u16=u16)


def follow(follower: Follower, frames: Sequence[EncodedClip], state: ObjectState) -> ObjectState:
    """The state after some frames on the full path."""
    for frame in frames:
        result = follower.full(frame, state, follower.match(frame, state))
        state = follower.advance(frame, state, result)
    return state


@dataclass(frozen=True)
class TtvosReused:
    """A frame matched against an object's last full frame, and what the reuse path makes of it.

    Attributes:
        gate_logits: (B, 2).
        delta: Δ at 1/16, (B, 1, h16, w16).
        u16: the estimate of it, (B, width, h16, w16).
        segmented: None where it was not asked for; it costs most of the path.
    """

    gate_logits: Tensor
    delta: Tensor
    u16: Tensor
    segmented: TtvosSegmented | None


def reuse_frame(
    follower: Follower,
    network: GatedTtvos,
    frame: EncodedClip,
    state: ObjectState,
    with_mask: bool = True,
) -> TtvosReused:
    """The reuse path; ``state`` is that of the last full frame."""
    assert state.u16 is not None  # a gated network's follower keeps it
    matched = follower.match(frame, state)
    delta = network.delta(matched)
    u16 = network.translator(state.u16, delta)
    segmented = follower.decode(frame, u16, matched) if with_mask else None
    return TtvosReused(network.gate(matched).float(), delta.float(), u16.float(), segmented)


@contextmanager
def _outputs(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a module gives while the context lasts."""
    seen: list[Tensor] = []
    handle = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        yield seen
    finally:
        handle.remove()
