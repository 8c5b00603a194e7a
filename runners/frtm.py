"""FRTM and G-FRTM as trackers: the order of things within a frame (paper, section 3.1).

Symbols: S the coarse score, Δ its change, R8 the refined features that the translator turns over.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.augment import first_frame_set
from vosbench.baselines.backbones import Backbone
from vosbench.baselines.frtm.aggregate import Aggregated, aggregate
from vosbench.baselines.frtm.half import HalfFrtm
from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.baselines.frtm.target import TargetModel, fit, initial_weights
from vosbench.runners.interface import ObjectTrace, Path, Spans, no_spans

AugmentedSet = tuple[Tensor, Tensor]
"""Images, uint8 (K, 3, H, W), the untouched one first, and 0/1 masks (K, H, W)."""


class FrameFeatures:
    """Features of one frame; f16 and f32 are computed when somebody first asks."""

    def __init__(
        self,
        backbone: Backbone,
        image: Tensor,
        spans: Spans,
        autocast: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._backbone = backbone
        self._autocast = autocast
        self.size = (int(image.shape[-2]), int(image.shape[-1]))
        with spans("f8"), autocast():
            self.f4, self.f8 = self._backbone.first(image[None])
        self._f16: Tensor | None = None
        self._f32: Tensor | None = None

    def f16(self, spans: Spans) -> Tensor:
        """(1, C16, h, w)."""
        if self._f16 is None:
            with spans("f16+f32"), self._autocast():
                self._f16 = self._backbone.third_level(self.f8)
        return self._f16

    def f32(self, spans: Spans) -> Tensor:
        """(1, C32, h/2, w/2)."""
        f16 = self.f16(spans)
        if self._f32 is None:
            with spans("f16+f32"), self._autocast():
                self._f32 = self._backbone.fourth_level(f16)
        return self._f32


@dataclass(frozen=True)
class ReuseState:
    """What the reuse path carries on: template, S_{t-n} and R8_{t-n} of the last full frame."""

    template: Tensor
    score: Tensor
    r8: Tensor


@dataclass(frozen=True)
class FrtmState:
    """One object before a frame; ``reuse`` is None for plain FRTM."""

    target: TargetModel
    reuse: ReuseState | None


@dataclass
class FrtmMatch:
    """An object matched against a frame: D, the gate's probability, Δ once somebody asked."""

    features: FrameFeatures
    state: FrtmState
    d: Tensor | None = None
    p_gate: Tensor | None = None
    delta: Tensor | None = None


@dataclass(frozen=True)
class FrtmSegment:
    """An object's mask; a fully computed one has learnt ``f16`` to learn from."""

    probability: Tensor
    state: FrtmState
    f16: Tensor | None
    score: Tensor
    r8: Tensor
    delta: Tensor | None = None

    @property
    def trace(self) -> ObjectTrace:
        delta = None if self.delta is None else self.delta[0, 0]
        return ObjectTrace(self.score[0, 0], self.r8[0].abs().mean(0), delta)


class FrtmTracker:
    """An FRTM network in use on clips.

    Args:
        network: plain or gated, in eval mode, on its device.
        augment: makes the first-frame set from an image, uint8 (3, H, W), and a bool mask.
        start: draws starting values of ``project`` and ``filter``, like the given features.
        autocast: arithmetic of the network; the target model keeps that of its parameters.
    """

    def __init__(
        self,
        network: FrtmNetwork,
        augment: Callable[[Tensor, Tensor], AugmentedSet],
        start: Callable[[Tensor], tuple[Tensor, Tensor]],
        autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.network = network
        self.autocast = autocast
        self._gated = network if isinstance(network, GatedFrtmNetwork) else None
        self.cheap = Path.COPY if self._gated is None else Path.REUSE
        self._augment = augment
        self._start = start

    def features(self, image: Tensor, spans: Spans) -> FrameFeatures:
        return FrameFeatures(self.network.feature_extractor, image, spans, self.autocast)

    def compete(self, probabilities: Tensor) -> Aggregated:
        return aggregate(probabilities)

    def begin(self, features: FrameFeatures, image: Tensor, mask: Tensor) -> FrtmState:
        """Fit the target model; a gated network also takes template, S_0 and R8_0."""
        target = self._fit(features, image, mask)
        if self._gated is None:
            return FrtmState(target, None)
        f16, f32 = features.f16(no_spans), features.f32(no_spans)
        given = mask[None, None].to(target.kernel.dtype)
        first_score = target.score(f16)
        with self.autocast():
            template = self._gated.Tmatching.template(features.f8, given)
            r8 = self.network.refiner.deep(f32, f16, first_score)
        # S_0 is the given mask, while R8_0 comes from the target model's own first score.
        score = F.interpolate(given, f16.shape[-2:], mode="nearest")
        return FrtmState(target.scored(), ReuseState(template, score, r8))

    def match(self, features: FrameFeatures, state: FrtmState, spans: Spans) -> FrtmMatch:
        if self._gated is None or state.reuse is None:
            return FrtmMatch(features, state)
        with spans("matching"), self.autocast():
            d = self._gated.Tmatching.match(features.f8, state.reuse.score, state.reuse.template)
        with spans("gate"), self.autocast():
            logits = self._gated.convGS(d)
            probability = p_gate(logits.to(state.target.kernel.dtype))[0]
        return FrtmMatch(features, state, d, probability)

    def delta(self, match: FrtmMatch, spans: Spans) -> Tensor:
        """Δ at 1/16, (1, 1, h, w), computed once a match."""
        if self._gated is None or match.d is None:
            raise RuntimeError("a network without reuse modules has no Δ")
        if match.delta is None:
            with spans("delta"), self.autocast():
                match.delta = self._gated.Convert_Diff(match.d)
        return match.delta

    def segment(self, match: FrtmMatch, path: Path, spans: Spans) -> FrtmSegment:
        return self._full(match, spans) if path is Path.FULL else self._reuse(match, spans)

    def settle(self, segment: FrtmSegment, mask: Tensor, spans: Spans) -> FrtmState:
        """The state after a frame; a reused one taught nothing."""
        state = segment.state
        if segment.f16 is None:
            return state
        with spans("target update"):
            return replace(state, target=state.target.updated(segment.f16, mask))

    def _full(self, match: FrtmMatch, spans: Spans) -> FrtmSegment:
        """S from f16, R8 from f32 and f16, then the shallow levels."""
        features, state = match.features, match.state
        f16, f32 = features.f16(spans), features.f32(spans)
        with spans("target classify"):
            score = state.target.score(f16)
        with spans("refiner deep"), self.autocast():
            r8 = self.network.refiner.deep(f32, f16, score)
        reuse = None if state.reuse is None else replace(state.reuse, score=score, r8=r8)
        state = FrtmState(state.target.scored(), reuse)
        return FrtmSegment(self._finish(features, r8, score, spans), state, f16, score, r8)

    def _reuse(self, match: FrtmMatch, spans: Spans) -> FrtmSegment:
        """Ŝ = S_{t-n} + Δ, R̂8 from R8_{t-n} and Δ; S_{t-n} and R8_{t-n} stay."""
        carried = match.state.reuse
        if carried is None:
            raise RuntimeError("a network without reuse modules has no reuse path")
        delta = self.delta(match, spans)
        with spans("translator"), self.autocast():
            r8 = self.network.refiner.translate(carried.r8, delta)
        score = carried.score + delta
        probability = self._finish(match.features, r8, score, spans)
        return FrtmSegment(probability, match.state, None, score, r8, delta)

    def _finish(self, features: FrameFeatures, r8: Tensor, score: Tensor, spans: Spans) -> Tensor:
        """R8 (or R̂8) and S (or Ŝ) → foreground probability (H, W)."""
        refiner = self.network.refiner
        with spans("refiner shallow"), self.autocast():
            r4 = refiner.shallow(r8, features.f8, features.f4, score)
        with spans("upsample"):
            with self.autocast():
                logits = refiner.project(r4, features.size)
            return torch.sigmoid(logits[0, 0].to(score.dtype))

    def _fit(self, features: FrameFeatures, image: Tensor, mask: Tensor) -> TargetModel:
        like = self.network.refiner.project.conv2.weight.new_empty(())
        samples = self._augment(image, mask)
        backbone, config = self.network.feature_extractor, self.network.config.target
        with self.autocast():
            f16 = [features.f16(no_spans), *others_f16(backbone, samples)]
        return fit(config, self._start(like), torch.cat(f16), samples[1])


def others_f16(backbone: Backbone, samples: AugmentedSet) -> list[Tensor]:
    """f16 of a first-frame set but for the untouched frame, (1, C16, h, w) each."""
    # One at a time: a batch of full-size activations leaves every cache.
    return [backbone.third_level(backbone.first(other[None])[1]) for other in samples[0][1:]]


def seeded_augment(seed: int) -> Callable[[Tensor, Tensor], AugmentedSet]:
    """First-frame sets by :func:`first_frame_set`, drawn anew from ``seed`` for each object."""

    def augment(image: Tensor, mask: Tensor) -> AugmentedSet:
        rng = np.random.default_rng(seed)
        pixels = image.permute(1, 2, 0).cpu().numpy()
        samples = first_frame_set(pixels, mask.cpu().numpy(), rng)
        images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([s.mask for s in samples]))
        return images.to(image.device), masks.to(image.device)

    return augment


def seeded_start(
    network: FrtmNetwork | HalfFrtm, seed: int
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Starting values drawn anew from ``seed`` for each object, as the published code does."""
    channels = network.feature_extractor.spec.channels.f16
    config = network.config.target
    return lambda like: initial_weights(config, channels, seed, like)
