"""TTVOS and G-TTVOS as trackers: the order of things within a frame.

The walk runs at padded size (:class:`PaddedWalk`), as the published loop does: objects compete in
the border too, and their masks of the padded frame are what the state keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vosbench.baselines.ttvos.aggregate import Aggregated, aggregate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.baselines.ttvos.padding import Padding
from vosbench.baselines.ttvos.state import Evidence, FrameFeatures, ObjectState, Segmentation
from vosbench.runners.interface import ClipInfo, Frame, ObjectTrace, Path, Spans, Step, Walk


@dataclass(frozen=True)
class TtvosState:
    """One object before a frame."""

    tracker: TtvosTracker
    state: ObjectState

    def match(self, features: FrameFeatures, spans: Spans) -> TtvosMatch:
        return self.tracker.match(features, self, spans)


@dataclass(frozen=True)
class TtvosMatch:
    """An object matched against a frame."""

    features: FrameFeatures
    before: TtvosState
    evidence: Evidence
    p_gate: float | None

    def segment(self, path: Path, spans: Spans) -> TtvosSegment:
        tracker = self.before.tracker
        return tracker.full(self, spans) if path is Path.FULL else tracker.reuse(self, spans)


@dataclass(frozen=True)
class TtvosSegment:
    """An object's mask before the competition."""

    match: TtvosMatch
    segmentation: Segmentation
    trace: ObjectTrace | None = None  # TTVOS has no score map to tell of

    @property
    def probability(self) -> Tensor:
        return self.segmentation.probability

    def settle(self, mask: Tensor, spans: Spans) -> TtvosState:
        return self.match.before.tracker.settle(self, mask, spans)


class TtvosTracker:
    """A TTVOS network in use on clips; gates are open to a :class:`GatedTtvos`."""

    def __init__(
        self,
        network: Ttvos,
        autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.network = network
        self._gated = network if isinstance(network, GatedTtvos) else None
        self.autocast = autocast

    def features(self, image: Tensor, spans: Spans) -> FrameFeatures:
        with spans("f8"), self.autocast():
            return self.network.features(image)

    def begin(self, features: FrameFeatures, image: Tensor, mask: Tensor) -> TtvosState:  # noqa: ARG002
        with self.autocast():
            return TtvosState(self, self.network.begin_object(features, mask))

    def compete(self, probabilities: Tensor) -> Aggregated:
        return aggregate(probabilities)

    def match(self, features: FrameFeatures, before: TtvosState, spans: Spans) -> TtvosMatch:
        with spans("matching"), self.autocast():
            evidence = self.network.match(features, before.state)
        p_gate = None if evidence.p_gate is None else float(evidence.p_gate)
        return TtvosMatch(features, before, evidence, p_gate)

    def full(self, match: TtvosMatch, spans: Spans) -> TtvosSegment:
        with self.autocast():
            with spans("f16+f32"):
                _ = match.features.s16  # once a frame, whoever asks first
            with spans("decode"):
                state, evidence = match.before.state, match.evidence
                segmentation = self.network.segment_full(match.features, state, evidence)
        return TtvosSegment(match, segmentation)

    def reuse(self, match: TtvosMatch, spans: Spans) -> TtvosSegment:
        if self._gated is None:
            raise RuntimeError("a network without reuse modules has no reuse path")
        with spans("decode"), self.autocast():
            segmentation = self._gated.segment_reuse(
                match.features, match.before.state, match.evidence
            )
        return TtvosSegment(match, segmentation)

    def settle(self, segment: TtvosSegment, mask: Tensor, spans: Spans) -> TtvosState:
        match = segment.match
        with spans("template update"), self.autocast():
            state = self.network.advance(
                match.features, match.before.state, segment.segmentation, mask
            )
        return TtvosState(self, state)


class PaddedWalk:
    """A walk at padded size: frames and given masks are padded, labels cut back."""

    def __init__(self, walk: Walk, padding: Padding) -> None:
        self._walk, self._padding = walk, padding

    @property
    def passes_computed(self) -> int:
        return self._walk.passes_computed

    @property
    def passes_saved(self) -> int:
        return self._walk.passes_saved

    def add_objects(self, frame: Frame, masks: Mapping[int, Tensor]) -> None:
        padded = {i: self._pad(mask[None])[0] for i, mask in masks.items()}
        self._walk.add_objects(self._padded(frame), padded)

    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        steps = self._walk.step(self._padded(frame), spans)
        # Policies in one branch got one step; they still do.
        cropped = {id(s): replace(s, labels=self._padding.crop(s.labels)) for s in steps}
        return tuple(cropped[id(s)] for s in steps)

    def _padded(self, frame: Frame) -> Frame:
        return replace(frame, image=self._pad(frame.image))

    def _pad(self, x: Tensor) -> Tensor:
        # Reflection isn't implemented for integers; these are small enough to be exact in float.
        return self._padding.pad(x.to(torch.float32)).to(x.dtype)


def padded(walk: Walk, clip: ClipInfo) -> Walk:
    """Let a walk over ``clip`` run at padded size."""
    return PaddedWalk(walk, Padding.to_multiple(clip.height, clip.width))
