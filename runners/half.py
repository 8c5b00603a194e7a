"""FRTM-half and G-FRTM-half as trackers: every frame is first looked at in half size.

The look gives the carried mask and the gate's probability. A reused frame ends there; a full one
goes on with the whole frame's features and the target model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.frtm.aggregate import Aggregated, aggregate
from vosbench.baselines.frtm.half import HalfFrtm, halved_image
from vosbench.baselines.frtm.matching import Keys, Reference, mask_levels
from vosbench.baselines.frtm.target import TargetModel, fit, scores
from vosbench.baselines.rows import each_row, own_rows, rows
from vosbench.runners.frtm import AugmentedSet, FrtmFeatures, others_f16, taught
from vosbench.runners.interface import ObjectTrace, Spans, no_spans
from vosbench.runners.policy import Path
from vosbench.runners.tracker import BatchTracker, by_path


class HalfFeatures:
    """A frame in half size, with its keys; the whole frame's features when somebody asks.

    Attributes:
        levels: h32, h16, h8, h4.
        keys: what the frame is matched by.
    """

    def __init__(
        self,
        network: HalfFrtm,
        image: Tensor,
        spans: Spans,
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._network = network
        self._image = image
        self._autocast = autocast
        self._whole: FrtmFeatures | None = None
        self.size = (int(image.shape[-2]), int(image.shape[-1]))
        with spans("half frame"), autocast():
            half = halved_image(image[None]).to(network.feature_extractor.mean.dtype)
            h4, h8, h16, h32 = network.feature_extractor.early(half)
            self.levels: tuple[Tensor, Tensor, Tensor, Tensor] = (h32, h16, h8, h4)
            self.keys: Keys = network.matching.keys(h32, h16)

    def whole(self, spans: Spans) -> FrtmFeatures:
        """The whole frame's features, computed once for all objects."""
        if self._whole is None:
            extractor = self._network.feature_extractor
            self._whole = FrtmFeatures(extractor, self._image, spans, self._autocast)
        return self._whole


@dataclass(frozen=True)
class HalfState:
    """One object before a frame: its target model, and the frames it is carried over from."""

    target: TargetModel
    first: Reference
    last: Reference
    previous: Reference


@dataclass(frozen=True)
class HalfMatch:
    """An object's mask carried over to a frame, and what the gate says of it.

    Attributes:
        logits, maps: of the decoder that carries the mask, (1, …) each.
        score: the target model's, of h32.
    """

    features: HalfFeatures
    state: HalfState
    logits: Tensor
    maps: tuple[Tensor, ...]
    score: Tensor
    p_gate: Tensor | None


class _Made(NamedTuple):
    """What a path makes of one object: the mask at 1/4, and what tells how."""

    match: HalfMatch
    logits: Tensor
    score: Tensor
    map16: Tensor
    f16: Tensor | None


@dataclass(frozen=True)
class HalfSegment:
    """An object's mask; a fully computed one has f16 that its target model learns from."""

    made: _Made
    probability: Tensor

    @property
    def trace(self) -> ObjectTrace:
        return ObjectTrace(self.made.score[0, 0], self.made.map16[0].abs().mean(0))


class HalfTracker(BatchTracker):
    """An FRTM-half network in use on sequences; arguments as those of ``FrtmTracker``."""

    def __init__(
        self,
        network: HalfFrtm,
        augment: Callable[[Tensor, Tensor], AugmentedSet],
        start: Callable[[Tensor], tuple[Tensor, Tensor]],
        autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.network = network
        self.autocast = autocast
        self.cheap = Path.COPY if network.gate is None else Path.REUSE
        self.pixels_at_once = 0
        self._augment = augment
        self._start = start

    def features(self, image: Tensor, spans: Spans) -> HalfFeatures:
        return HalfFeatures(self.network, image, spans, self.autocast)

    def compete(self, probabilities: Tensor) -> Aggregated:
        return aggregate(probabilities)

    def begin(self, features: HalfFeatures, image: Tensor, mask: Tensor) -> HalfState:
        """Fit the target model; the given frame is the first known one."""
        samples = self._augment(image, mask)
        backbone = self.network.feature_extractor
        whole = features.whole(no_spans)
        with self.autocast():
            f16 = [whole.f16(no_spans), *others_f16(backbone, samples)]
        target = self.fitted(torch.cat(f16), samples[1])
        (known,) = _references(features, mask[None])
        return HalfState(target, known, known, known)

    def fitted(self, f16: Tensor, masks: Tensor) -> TargetModel:
        """As that of ``FrtmTracker``."""
        start = self._start(self.network.refine.fine.weight.new_empty(()))
        return fit(self.network.config.target, start, f16, masks)

    def matches(
        self, features: HalfFeatures, states: Sequence[HalfState], spans: Spans
    ) -> list[HalfMatch]:
        """Carry the objects' masks over to a frame, and ask the gate."""
        score = scores([state.target for state in states], features.levels[0])
        first = Reference.join([state.first for state in states])
        last = Reference.join([state.last for state in states])
        previous = Reference.join([state.previous for state in states])
        with spans("carry"), self.autocast():
            known = (first, last, previous)
            carried = self.network.carried(features.levels, score, features.keys, known)
        p_gate: Sequence[Tensor | None] = [None] * len(states)
        if self.network.gate is not None:
            with spans("gate"), self.autocast():
                logits = self.network.asked(carried, last, previous)
                p_gate = torch.sigmoid(logits.to(score.dtype)).unbind()
        maps = zip(*(each_row(level) for level in carried.maps), strict=True)
        of_each = zip(states, each_row(carried.logits), maps, each_row(score), p_gate, strict=True)
        return [HalfMatch(features, *each) for each in of_each]

    def deltas(self, matches: Sequence[HalfMatch], spans: Spans) -> Tensor:  # noqa: ARG002 - nothing to compute
        """How the carried masks differ from the last full frames', (N, 1, h, w) at 1/4."""
        last = rows([match.state.last.masks[3] for match in matches])
        return torch.sigmoid(rows([match.logits for match in matches])) - last

    def segments(self, asked: Sequence[tuple[HalfMatch, Path]], spans: Spans) -> list[HalfSegment]:
        """What differs between the paths first, then up-sampling for all."""
        made = by_path(asked, lambda matches: self._full(matches, spans), _reused)
        with spans("upsample"):
            logits = rows([each.logits for each in made]).to(made[0].score.dtype)
            size = made[0].match.features.size
            whole = F.interpolate(logits, size, mode="bilinear", align_corners=False)
            return list(map(HalfSegment, made, torch.sigmoid(whole[:, 0])))

    def _full(self, matches: Sequence[HalfMatch], spans: Spans) -> list[_Made]:
        """S from f16, and the mask from the whole frame's features, led by the carried one."""
        whole = matches[0].features.whole(spans)
        f16, f32 = whole.f16(spans), whole.f32(spans)
        with spans("target classify"):
            score = scores([match.state.target for match in matches], f16)
        carried = rows([match.logits for match in matches])
        maps = [rows(level) for level in zip(*(match.maps for match in matches), strict=True)]
        with spans("refiner"), self.autocast():
            levels = (f32, f16, whole.f8, whole.f4)
            _, map16, _, _, logits = self.network.refined(levels, score, carried, maps)
        of_each = zip(matches, each_row(logits), each_row(score), each_row(map16), strict=True)
        return [_Made(*each, f16) for each in of_each]

    def settled(
        self, segments: Sequence[HalfSegment], masks: Sequence[Tensor], spans: Spans
    ) -> list[HalfState]:
        """The states after a frame; a reused one moves on the previous frame alone."""
        made = [segment.made for segment in segments]
        with spans("settle"):
            now = _references(made[0].match.features, torch.stack(list(masks)))
        states = [each.match.state for each in made]
        asked = [
            (k, states[k].target.scored(), each.f16)
            for k, each in enumerate(made)
            if each.f16 is not None
        ]
        learnt = taught(asked, masks, spans)
        return [
            replace(state, target=learnt[k], last=of, previous=of)
            if k in learnt
            else replace(state, previous=of)
            for k, (state, of) in enumerate(zip(states, now, strict=True))
        ]


def _reused(matches: Sequence[HalfMatch]) -> list[_Made]:
    """The carried masks, as they are."""
    return [_Made(match, match.logits, match.score, match.maps[1], None) for match in matches]


def _references(features: HalfFeatures, masks: Tensor) -> list[Reference]:
    """The frame as each object knows it, given masks (N, H, W)."""
    levels = features.levels
    made = mask_levels(masks[:, None].to(levels[0].dtype), levels)
    return [Reference(features.keys, each) for each in zip(*map(own_rows, made), strict=True)]
