"""A model small enough to ask a policy everything: it tells all that a policy may need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vosbench.runners.interface import ObjectTrace, Path, Precision, RunnerSpec, Spans, WeightsInfo
from vosbench.runners.policy import Need
from vosbench.runners.tracker_runner import TrackerRunner


@dataclass(frozen=True)
class _State:
    image: Tensor
    mask: Tensor


@dataclass(frozen=True)
class _Match:
    state: _State
    image: Tensor
    change: Tensor
    p_gate: Tensor


@dataclass(frozen=True)
class _Segment:
    match: _Match
    probability: Tensor
    full: bool
    trace: ObjectTrace | None = None


@dataclass(frozen=True)
class _Competed:
    winner: Tensor
    masks: Tensor


class _Tracker:
    """Masks creep to the right with full frames and stand still with others."""

    cheap = Path.REUSE

    def features(self, image: Tensor, spans: Spans) -> Tensor:  # noqa: ARG002 - it has no stages
        return image.float() / 255

    def begin(self, features: Tensor, image: Tensor, mask: Tensor) -> _State:  # noqa: ARG002
        return _State(features, mask.float())

    def match(self, features: Tensor, state: _State, spans: Spans) -> _Match:  # noqa: ARG002
        change = (features - state.image).abs().mean(0)
        inside = (change * state.mask).sum() / state.mask.sum().clamp(min=1)
        return _Match(state, features, change, torch.exp(-4 * inside))

    def delta(self, match: _Match, spans: Spans) -> Tensor:  # noqa: ARG002
        return match.change

    def segment(self, match: _Match, path: Path, spans: Spans) -> _Segment:  # noqa: ARG002
        full = path is Path.FULL
        mask = match.state.mask
        return _Segment(match, mask.roll(1, dims=-1) if full else mask, full)

    def compete(self, probabilities: Tensor) -> _Competed:
        best, which = probabilities.max(0)
        winner = torch.where(best > 0.5, which + 1, 0)
        places = torch.arange(1, len(probabilities) + 1)[:, None, None]
        return _Competed(winner, probabilities * (winner == places))

    def settle(self, segment: _Segment, mask: Tensor, spans: Spans) -> _State:  # noqa: ARG002
        return _State(segment.match.image, mask) if segment.full else segment.match.state


class StandIn(TrackerRunner):
    """The model: no weights, three paths, and every need told."""

    def __init__(self) -> None:
        self.spec = RunnerSpec(
            "stand-in",
            "1",
            "what policies are tried on",
            takes_weights=False,
            paths=frozenset({Path.FULL, Path.REUSE, Path.COPY}),
            tells=frozenset(Need),
        )
        self.weights = WeightsInfo("none", "0" * 64, trained=False)

    def tracker(self, device: torch.device, precision: Precision) -> _Tracker:  # noqa: ARG002
        return _Tracker()
