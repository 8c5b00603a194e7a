"""FRTM and G-FRTM as trackers: the order of things within a frame (paper, section 3.1).

Symbols: S the coarse score, Δ its change, R8 the refined features that the translator turns over.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import NamedTuple

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
from vosbench.baselines.frtm.target import TargetModel, fit, initial_weights, learn, scores
from vosbench.baselines.rows import each_row, own_rows, rows
from vosbench.runners.interface import ObjectTrace, Path, Spans, no_spans
from vosbench.runners.tracker import BatchTracker, by_path

AugmentedSet = tuple[Tensor, Tensor]
"""Images, uint8 (K, 3, H, W), the untouched one first, and 0/1 masks (K, H, W)."""


class FrtmFeatures:
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

    features: FrtmFeatures
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


class _Refined(NamedTuple):
    """What a path gives the shallow levels for one object, and the object's state after it."""

    r8: Tensor
    score: Tensor
    state: FrtmState
    f16: Tensor | None
    delta: Tensor | None


class FrtmTracker(BatchTracker):
    """An FRTM network in use on clips; takes objects of a frame in batches.

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
        self.pixels_at_once = 0
        self._augment = augment
        self._start = start

    def features(self, image: Tensor, spans: Spans) -> FrtmFeatures:
        return FrtmFeatures(self.network.feature_extractor, image, spans, self.autocast)

    def compete(self, probabilities: Tensor) -> Aggregated:
        return aggregate(probabilities)

    def begin(self, features: FrtmFeatures, image: Tensor, mask: Tensor) -> FrtmState:
        """Fit the target model; a gated network also takes template, S_0 and R8_0."""
        target = self.fitted(*self._first_set(features, image, mask))
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

    def matches(
        self, features: FrtmFeatures, states: Sequence[FrtmState], spans: Spans
    ) -> list[FrtmMatch]:
        """D and P_gate of each object."""
        carried = [state.reuse for state in states if state.reuse is not None]
        if self._gated is None or not carried:
            return [FrtmMatch(features, state) for state in states]
        score, template = rows([c.score for c in carried]), rows([c.template for c in carried])
        with spans("matching"), self.autocast():
            d = self._gated.Tmatching.match(features.f8, score, template)
        with spans("gate"), self.autocast():
            logits = self._gated.convGS(d)
            probabilities = p_gate(logits.to(states[0].target.kernel.dtype))
        return [
            FrtmMatch(features, state, d[k : k + 1], probabilities[k])
            for k, state in enumerate(states)
        ]

    def deltas(self, matches: Sequence[FrtmMatch], spans: Spans) -> Tensor:
        """Δ at 1/16, (N, 1, h, w), computed once a match."""
        unknown = [match for match in matches if match.delta is None]
        if unknown:
            d = [match.d for match in unknown if match.d is not None]
            if self._gated is None or not d:
                raise RuntimeError("a network without reuse modules has no Δ")
            with spans("delta"), self.autocast():
                deltas = self._gated.Convert_Diff(rows(d))
            for k, match in enumerate(unknown):
                match.delta = deltas[k : k + 1]
        return rows([match.delta for match in matches if match.delta is not None])

    def segments(self, asked: Sequence[tuple[FrtmMatch, Path]], spans: Spans) -> list[FrtmSegment]:
        """What differs between the paths first, then shallow levels and head for all."""
        features = asked[0][0].features
        refined = by_path(
            asked,
            lambda matches: self._full(matches, spans),
            lambda matches: self._reuse(matches, spans),
        )
        score = rows([each.score for each in refined])
        probability = self._finish(features, rows([each.r8 for each in refined]), score, spans)
        return [
            FrtmSegment(of, each.state, each.f16, each.score, each.r8, each.delta)
            for of, each in zip(probability, refined, strict=True)
        ]

    def settled(
        self, segments: Sequence[FrtmSegment], masks: Sequence[Tensor], spans: Spans
    ) -> list[FrtmState]:
        """The states after a frame; a reused one taught nothing."""
        asked = [(k, s.state.target, s.f16) for k, s in enumerate(segments) if s.f16 is not None]
        learnt = taught(asked, masks, spans)
        return [
            replace(segment.state, target=learnt[k]) if k in learnt else segment.state
            for k, segment in enumerate(segments)
        ]

    def _full(self, matches: Sequence[FrtmMatch], spans: Spans) -> list[_Refined]:
        """S from f16, R8 from f32 and f16."""
        features = matches[0].features
        f16, f32 = features.f16(spans), features.f32(spans)
        with spans("target classify"):
            score = scores([match.state.target for match in matches], f16)
        with spans("refiner deep"), self.autocast():
            r8 = self.network.refiner.deep(f32, f16, score)
        found = []
        for match, own_score, own_r8 in zip(matches, own_rows(score), own_rows(r8), strict=True):
            carried = match.state.reuse
            if carried is not None:
                carried = replace(carried, score=own_score, r8=own_r8)
            state = FrtmState(match.state.target.scored(), carried)
            found.append(_Refined(own_r8, own_score, state, f16, None))
        return found

    def _reuse(self, matches: Sequence[FrtmMatch], spans: Spans) -> list[_Refined]:
        """Ŝ = S_{t-n} + Δ, R̂8 from R8_{t-n} and Δ; S_{t-n} and R8_{t-n} stay."""
        carried = [match.state.reuse for match in matches if match.state.reuse is not None]
        if not carried:
            raise RuntimeError("a network without reuse modules has no reuse path")
        delta = self.deltas(matches, spans)
        with spans("translator"), self.autocast():
            r8 = self.network.refiner.translate(rows([c.r8 for c in carried]), delta)
        score = rows([c.score for c in carried]) + delta
        of_each = zip(matches, each_row(r8), each_row(score), strict=True)
        return [_Refined(r8, s, match.state, None, match.delta) for match, r8, s in of_each]

    def _finish(self, features: FrtmFeatures, r8: Tensor, score: Tensor, spans: Spans) -> Tensor:
        """R8 (or R̂8) and S (or Ŝ), a row an object → foreground probabilities (N, H, W)."""
        refiner = self.network.refiner
        with spans("refiner shallow"), self.autocast():
            r4 = refiner.shallow(r8, features.f8, features.f4, score)
        with spans("upsample"):
            with self.autocast():
                logits = refiner.project(r4, features.size)
            return torch.sigmoid(logits[:, 0].to(score.dtype))

    def fitted(self, f16: Tensor, masks: Tensor) -> TargetModel:
        """The target model of a first-frame set: f16 (K, C16, h, w) and 0/1 masks (K, H, W)."""
        like = self.network.refiner.project.conv2.weight.new_empty(())
        return fit(self.network.config.target, self._start(like), f16, masks)

    def _first_set(
        self, features: FrtmFeatures, image: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        samples = self._augment(image, mask)
        with self.autocast():
            backbone = self.network.feature_extractor
            f16 = [features.f16(no_spans), *others_f16(backbone, samples)]
        return torch.cat(f16), samples[1]


def taught(
    asked: Sequence[tuple[int, TargetModel, Tensor]], masks: Sequence[Tensor], spans: Spans
) -> dict[int, TargetModel]:
    """The target models of a frame's fully computed objects after it, by place in ``masks``.

    Args:
        asked: the place, the model, and the frame's f16, which is one for all.
    """
    if not asked:
        return {}
    places, targets, f16 = zip(*asked, strict=True)
    with spans("target update"):
        learnt = learn(targets, f16[0], torch.stack([masks[k] for k in places]))
    return dict(zip(places, learnt, strict=True))


def others_f16(backbone: Backbone, samples: AugmentedSet) -> list[Tensor]:
    """f16 of a first-frame set but for the untouched frame, (1, C16, h, w) each."""
    # One at a time: a batch of full-size activations leaves every cache.
    return [backbone.third_level(backbone.first(other[None])[1]) for other in samples[0][1:]]


def seeded_augment(seed: int) -> Callable[[Tensor, Tensor], AugmentedSet]:
    """First-frame sets by :func:`first_frame_set`, drawn anew from ``seed`` for each object."""

    def augment(image: Tensor, mask: Tensor) -> AugmentedSet:
        rng = np.random.default_rng(seed)
        # Drawn on the CPU for all devices, so that they learn from the same pixels. A GPU is waited
        # for once, and works on while the outcome travels.
        given = torch.cat((image, mask[None].to(image.dtype))).permute(1, 2, 0).cpu().numpy()
        pixels, inside = np.ascontiguousarray(given[..., :3]), given[..., 3] > 0
        samples = first_frame_set(pixels, inside, rng)
        images = torch.from_numpy(np.stack([s.image for s in samples])).permute(0, 3, 1, 2)
        masks = torch.from_numpy(np.stack([s.mask for s in samples]))
        return _sent(images, image.device), _sent(masks, image.device)

    return augment


def _sent(x: Tensor, device: torch.device) -> Tensor:
    """To a GPU from pinned memory, beside what it computes."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x


def seeded_start(
    network: FrtmNetwork | HalfFrtm, seed: int
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Starting values drawn anew from ``seed`` for each object, as the published code does."""
    channels = network.feature_extractor.spec.channels.f16
    config = network.config.target
    return lambda like: initial_weights(config, channels, seed, like)
