"""TTVOS and G-TTVOS as trackers: the order of things within a frame.

The walk runs at padded size, as the published loop does: objects claim pixels of the border too,
and their masks of the padded frame are what the state keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor

from vosbench.baselines.ttvos.aggregate import TtvosAggregated, aggregate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.baselines.ttvos.state import MatchedObject, ObjectState, Segmentation, TtvosFeatures
from vosbench.runners.interface import ObjectTrace, Path, Spans


@dataclass
class TtvosMatch:
    """An object matched against a frame; Δ once somebody asked."""

    features: TtvosFeatures
    state: ObjectState
    evidence: MatchedObject
    delta: Tensor | None = None

    @property
    def p_gate(self) -> Tensor | None:
        return self.evidence.p_gate


@dataclass(frozen=True)
class TtvosSegment:
    """An object's mask before the competition."""

    match: TtvosMatch
    segmentation: Segmentation
    trace: ObjectTrace | None = None  # TTVOS has no score map to tell of

    @property
    def probability(self) -> Tensor:
        return self.segmentation.probability


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
        self.cheap = Path.COPY if self._gated is None else Path.REUSE

    def features(self, image: Tensor, spans: Spans) -> TtvosFeatures:
        with spans("f8"), self.autocast():
            return self.network.features(image)

    def begin(self, features: TtvosFeatures, image: Tensor, mask: Tensor) -> ObjectState:  # noqa: ARG002
        with self.autocast():
            return self.network.begin_object(features, mask)

    def compete(self, probabilities: Tensor) -> TtvosAggregated:
        return aggregate(probabilities)

    def match(self, features: TtvosFeatures, state: ObjectState, spans: Spans) -> TtvosMatch:
        with spans("matching"), self.autocast():
            return TtvosMatch(features, state, self.network.match(features, state))

    def delta(self, match: TtvosMatch, spans: Spans) -> Tensor:
        """Δ at 1/16, (1, 1, h, w), computed once a match."""
        if self._gated is None:
            raise RuntimeError("a network without reuse modules has no Δ")
        if match.delta is None:
            with spans("delta"), self.autocast():
                match.delta = self._gated.change(match.evidence)
        return match.delta

    def segment(self, match: TtvosMatch, path: Path, spans: Spans) -> TtvosSegment:
        return self._full(match, spans) if path is Path.FULL else self._reuse(match, spans)

    def _full(self, match: TtvosMatch, spans: Spans) -> TtvosSegment:
        with self.autocast():
            with spans("f16+f32"):
                _ = match.features.s16  # once a frame, whoever asks first
            with spans("decode"):
                segmentation = self.network.segment_full(
                    match.features, match.state, match.evidence
                )
        return TtvosSegment(match, segmentation)

    def _reuse(self, match: TtvosMatch, spans: Spans) -> TtvosSegment:
        if self._gated is None:
            raise RuntimeError("a network without reuse modules has no reuse path")
        with spans("decode"), self.autocast():
            segmentation = self._gated.segment_reuse(
                match.features, match.state, match.evidence, match.delta
            )
        return TtvosSegment(match, segmentation)

    def settle(self, segment: TtvosSegment, mask: Tensor, spans: Spans) -> ObjectState:
        match = segment.match
        with spans("template update"), self.autocast():
            return self.network.advance(match.features, match.state, segment.segmentation, mask)
