"""FRTM-half and G-FRTM-half as trackers: every frame is first looked at in half size.

The look gives the carried mask and the gate's probability. A reused frame ends there; a full one
goes on with the whole frame's features and the target model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.frtm.aggregate import Aggregated, aggregate
from vosbench.baselines.frtm.half import (
    Carried,
    HalfFrtm,
    Keys,
    Reference,
    halved_image,
    mask_levels,
)
from vosbench.baselines.frtm.target import TargetModel, fit
from vosbench.runners.frtm import AugmentedSet, FrtmFeatures, others_f16
from vosbench.runners.interface import ObjectTrace, Spans, no_spans
from vosbench.runners.policy import Path


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
    """An object's mask carried over to a frame, and what the gate says of it."""

    features: HalfFeatures
    state: HalfState
    carried: Carried
    score: Tensor
    p_gate: Tensor | None


@dataclass(frozen=True)
class HalfSegment:
    """An object's mask; a fully computed one has f16 that its target model learns from."""

    match: HalfMatch
    probability: Tensor
    score: Tensor
    map16: Tensor
    f16: Tensor | None

    @property
    def trace(self) -> ObjectTrace:
        return ObjectTrace(self.score[0, 0], self.map16[0].abs().mean(0))


def _reference(features: HalfFeatures, mask: Tensor) -> Reference:
    levels = features.levels
    return Reference(features.keys, mask_levels(mask[None, None].to(levels[0].dtype), levels))


class HalfTracker:
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
        known = _reference(features, mask)
        return HalfState(target, known, known, known)

    def fitted(self, f16: Tensor, masks: Tensor) -> TargetModel:
        """As that of ``FrtmTracker``."""
        start = self._start(self.network.refine.fine.weight.new_empty(()))
        return fit(self.network.config.target, start, f16, masks)

    def match(self, features: HalfFeatures, state: HalfState, spans: Spans) -> HalfMatch:
        """Carry the object's mask over to a frame, and ask the gate."""
        known = (state.first, state.last, state.previous)
        score = state.target.score(features.levels[0])
        with spans("carry"), self.autocast():
            carried = self.network.carried(features.levels, score, features.keys, known)
        if self.network.gate is None:
            return HalfMatch(features, state, carried, score, None)
        with spans("gate"), self.autocast():
            logits = self.network.asked(carried, state.last, state.previous)
            probability = torch.sigmoid(logits.to(score.dtype))[0]
        return HalfMatch(features, state, carried, score, probability)

    def delta(self, match: HalfMatch, spans: Spans) -> Tensor:  # noqa: ARG002 - nothing to compute
        """How the carried mask differs from the last full frame's, (1, 1, h, w) at 1/4."""
        return torch.sigmoid(match.carried.logits) - match.state.last.masks[3]

    def segment(self, match: HalfMatch, path: Path, spans: Spans) -> HalfSegment:
        return self._full(match, spans) if path is Path.FULL else self._reuse(match, spans)

    def settle(self, segment: HalfSegment, mask: Tensor, spans: Spans) -> HalfState:
        """The state after a frame; a reused one moves on the previous frame alone."""
        features, state = segment.match.features, segment.match.state
        with spans("settle"):
            now = _reference(features, mask)
        if segment.f16 is None:
            return replace(state, previous=now)
        with spans("target update"):
            target = state.target.scored().updated(segment.f16, mask)
        return replace(state, target=target, last=now, previous=now)

    def _reuse(self, match: HalfMatch, spans: Spans) -> HalfSegment:
        """The carried mask, as it is."""
        probability = self._at_full_size(match, match.carried.logits, spans)
        return HalfSegment(match, probability, match.score, match.carried.maps[1], None)

    def _full(self, match: HalfMatch, spans: Spans) -> HalfSegment:
        """S from f16, and the mask from the whole frame's features, led by the carried one."""
        whole = match.features.whole(spans)
        f16, f32 = whole.f16(spans), whole.f32(spans)
        with spans("target classify"):
            score = match.state.target.score(f16)
        with spans("refiner"), self.autocast():
            levels: Sequence[Tensor] = (f32, f16, whole.f8, whole.f4)
            _, map16, _, _, logits = self.network.refined(levels, score, match.carried)
        probability = self._at_full_size(match, logits, spans)
        return HalfSegment(match, probability, score, map16, f16)

    def _at_full_size(self, match: HalfMatch, logits: Tensor, spans: Spans) -> Tensor:
        """Logits at 1/4 → foreground probability (H, W)."""
        with spans("upsample"):
            logits = logits.to(match.score.dtype)
            whole = F.interpolate(logits, match.features.size, mode="bilinear", align_corners=False)
            return torch.sigmoid(whole[0, 0])
