"""TTVOS and G-TTVOS as trackers: the order of things within a frame.

The walk runs at padded size, as the published loop does: objects claim pixels of the border too,
and their masks of the padded frame are what the state keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from vosbench.baselines.rows import each_row, rows
from vosbench.baselines.ttvos.aggregate import TtvosAggregated, aggregate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.baselines.ttvos.state import MatchedObjects, ObjectState, Segmentation, TtvosFeatures
from vosbench.runners.interface import ObjectTrace, Path, Spans
from vosbench.runners.tracker import BatchTracker, by_path


@dataclass
class TtvosMatch:
    """An object matched against a frame: its matched map, P_gate, Δ once somebody asked."""

    features: TtvosFeatures
    state: ObjectState
    matched: Tensor
    p_gate: Tensor | None
    delta: Tensor | None = None


@dataclass(frozen=True)
class TtvosSegment:
    """An object's mask before the competition."""

    match: TtvosMatch
    segmentation: Segmentation
    trace: ObjectTrace | None = None  # TTVOS has no score map to tell of

    @property
    def probability(self) -> Tensor:
        return self.segmentation.probability[0]


class TtvosTracker(BatchTracker):
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
        self.pixels_at_once = 0

    def features(self, image: Tensor, spans: Spans) -> TtvosFeatures:
        with spans("f8"), self.autocast():
            return self.network.features(image)

    def begin(self, features: TtvosFeatures, image: Tensor, mask: Tensor) -> ObjectState:  # noqa: ARG002
        with self.autocast():
            return self.network.begin_object(features, mask)

    def compete(self, probabilities: Tensor) -> TtvosAggregated:
        return aggregate(probabilities)

    def matches(
        self, features: TtvosFeatures, states: Sequence[ObjectState], spans: Spans
    ) -> list[TtvosMatch]:
        with spans("matching"), self.autocast():
            found = self.network.match(features, ObjectState.join(states))
        p_gate = [None] * len(states) if found.p_gate is None else found.p_gate.unbind()
        of_each = zip(states, each_row(found.matched), p_gate, strict=True)
        return [TtvosMatch(features, *each) for each in of_each]

    def deltas(self, matches: Sequence[TtvosMatch], spans: Spans) -> Tensor:
        """Δ at 1/16, (N, 1, h, w), computed once a match."""
        if self._gated is None:
            raise RuntimeError("a network without reuse modules has no Δ")
        unknown = [match for match in matches if match.delta is None]
        if unknown:
            with spans("delta"), self.autocast():
                deltas = self._gated.change(_evidence(unknown))
            for match, delta in zip(unknown, each_row(deltas), strict=True):
                match.delta = delta
        return rows([match.delta for match in matches if match.delta is not None])

    def segments(
        self, asked: Sequence[tuple[TtvosMatch, Path]], spans: Spans
    ) -> list[TtvosSegment]:
        return by_path(
            asked,
            lambda matches: self._full(matches, spans),
            lambda matches: self._reuse(matches, spans),
        )

    def _full(self, matches: Sequence[TtvosMatch], spans: Spans) -> list[TtvosSegment]:
        features, state = matches[0].features, ObjectState.join([m.state for m in matches])
        with self.autocast():
            with spans("f16+f32"):
                _ = features.s16  # once a frame, whoever asks first
            with spans("decode"):
                made = self.network.segment_full(features, state, _evidence(matches))
        return list(map(TtvosSegment, matches, made.apart()))

    def _reuse(self, matches: Sequence[TtvosMatch], spans: Spans) -> list[TtvosSegment]:
        if self._gated is None:
            raise RuntimeError("a network without reuse modules has no reuse path")
        features, state = matches[0].features, ObjectState.join([m.state for m in matches])
        delta = self.deltas(matches, spans)
        with spans("decode"), self.autocast():
            made = self._gated.segment_reuse(features, state, _evidence(matches), delta)
        return list(map(TtvosSegment, matches, made.apart()))

    def settled(
        self, segments: Sequence[TtvosSegment], masks: Sequence[Tensor], spans: Spans
    ) -> list[ObjectState]:
        """The states after a frame; a reused one changed nothing."""
        states = [segment.match.state for segment in segments]
        full = [k for k, each in enumerate(segments) if each.segmentation.u16 is not None]
        if full:
            with spans("template update"), self.autocast():
                moved = self.network.advance(
                    segments[0].match.features,
                    ObjectState.join([states[k] for k in full]),
                    Segmentation.join([segments[k].segmentation for k in full]),
                    torch.stack([masks[k] for k in full]),
                )
            for k, state in zip(full, moved.apart(), strict=True):
                states[k] = state
        return states


def _evidence(matches: Sequence[TtvosMatch]) -> MatchedObjects:
    return MatchedObjects(rows([match.matched for match in matches]), None)
