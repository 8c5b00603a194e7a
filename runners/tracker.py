"""What a walk asks of a network, object by object, and of one that takes several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

import torch
from torch import Tensor

from vosbench.runners.policy import Path

if TYPE_CHECKING:
    from vosbench.runners.interface import ObjectTrace, Spans

Features: TypeAlias = Any
"""A frame as the network sees it, for all its objects."""
State: TypeAlias = Any
"""What a network knows of one object before a frame; never changed in place."""


class Match(Protocol):
    """An object in a frame, before anybody decided about it."""

    @property
    def p_gate(self) -> Tensor | None:
        """Probability that the gate is on, a scalar; None for a network without a gate."""


class Segment(Protocol):
    """An object's mask before the competition with other objects."""

    @property
    def probability(self) -> Tensor:
        """Foreground probability, (H, W)."""

    @property
    def trace(self) -> ObjectTrace | None:
        """What the network saw, where it tells."""


class Competed(Protocol):
    """The outcome: index of the winner per pixel (H, W), 0 for background; masks (N, H, W)."""

    @property
    def winner(self) -> Tensor: ...

    @property
    def masks(self) -> Tensor: ...


class Tracker(Protocol):
    """A network as the walk needs it; it gets back the states, matches and segments it made."""

    cheap: Path
    """What policies may choose in place of FULL: REUSE, or COPY without reuse modules."""

    def features(self, image: Tensor, spans: Spans) -> Features:
        """Features of a frame, uint8 (3, H, W); the deep ones only when somebody asks."""

    def begin(self, features: Features, image: Tensor, mask: Tensor) -> State:
        """State of a new object with the given mask, bool (H, W)."""

    def match(self, features: Features, state: State, spans: Spans) -> Match:
        """Compare the frame with the object's past."""

    def delta(self, match: Any, spans: Spans) -> Tensor:
        """Δ, of any shape; asked for of networks that say so (``RunnerSpec.tells``)."""

    def segment(self, match: Any, path: Path, spans: Spans) -> Segment:
        """Take the FULL or the REUSE path."""

    def compete(self, probabilities: Tensor) -> Competed:
        """Give each pixel to one object or none, by foreground probabilities (N, H, W)."""

    def settle(self, segment: Any, mask: Tensor, spans: Spans) -> State:
        """State after the frame, given the soft mask (H, W) that the competition left."""


class ManyAtOnce(Protocol):
    """Work on several objects of one frame at once, of any branches."""

    pixels_at_once: int
    """Most pixels of all members' frames together in one batch; what bounds memory."""

    def matches(
        self, features: Features, states: Sequence[State], spans: Spans
    ) -> Sequence[Match]: ...

    def deltas(self, matches: Sequence[Any], spans: Spans) -> Tensor:
        """Δ, a row a match."""

    def segments(self, asked: Sequence[tuple[Any, Path]], spans: Spans) -> Sequence[Segment]: ...

    def settled(
        self, segments: Sequence[Any], masks: Sequence[Tensor], spans: Spans
    ) -> Sequence[State]: ...


@runtime_checkable
class BatchTracker(ManyAtOnce, Tracker, Protocol):
    """A tracker that takes several objects at once; to those who inherit, one is a batch of one.

    Its ``compete`` takes further leading axes. A batch may differ from its members one by one in
    the last bits, as kernels are chosen by size: where ``pixels_at_once`` is 0 there are none.
    """

    def match(self, features: Features, state: State, spans: Spans) -> Match:
        return self.matches(features, (state,), spans)[0]

    def delta(self, match: Any, spans: Spans) -> Tensor:
        return self.deltas((match,), spans)

    def segment(self, match: Any, path: Path, spans: Spans) -> Segment:
        return self.segments(((match, path),), spans)[0]

    def settle(self, segment: Any, mask: Tensor, spans: Spans) -> State:
        return self.settled((segment,), (mask,), spans)[0]


_In = TypeVar("_In")
_Out = TypeVar("_Out")


def by_path(
    asked: Sequence[tuple[_In, Path]],
    full: Callable[[Sequence[_In]], Sequence[_Out]],
    reuse: Callable[[Sequence[_In]], Sequence[_Out]],
) -> list[_Out]:
    """What each path makes of those that take it, in the order in which they were asked."""
    found: dict[int, _Out] = {}
    for path, way in ((Path.FULL, full), (Path.REUSE, reuse)):
        places = [k for k, (_, chosen) in enumerate(asked) if chosen is path]
        if places:
            found |= zip(places, way([asked[k][0] for k in places]), strict=True)
    return [found[k] for k in range(len(asked))]


class Batches:
    """A tracker's work on many objects: in batches as large as it takes, or one by one."""

    def __init__(self, tracker: Tracker, pixels: int) -> None:
        many = tracker if isinstance(tracker, BatchTracker) else _OneByOne(tracker)
        self._many: ManyAtOnce = many
        self.at_once = max(1, many.pixels_at_once // pixels)
        """How many objects go through the network together."""

    def match(self, features: Features, states: Sequence[State], spans: Spans) -> list[Match]:
        return self._batched(states, lambda part: self._many.matches(features, part, spans))

    def change(self, matches: Sequence[Match], spans: Spans) -> list[Tensor]:
        """Mean |Δ| of each, scalars still on the device."""

        def means(part: Sequence[Match]) -> Sequence[Tensor]:
            deltas = self._many.deltas(part, spans).reshape(len(part), -1)
            return deltas.abs().mean(dim=1, dtype=torch.float32).unbind()

        return self._batched(matches, means)

    def segment(self, asked: Sequence[tuple[Match, Path]], spans: Spans) -> list[Segment]:
        return self._batched(asked, lambda part: self._many.segments(part, spans))

    def settle(self, segments: Sequence[tuple[Segment, Tensor]], spans: Spans) -> list[State]:
        """States after the frame, from segments and their soft masks."""

        def settled(part: Sequence[tuple[Segment, Tensor]]) -> Sequence[State]:
            return self._many.settled([each for each, _ in part], [mask for _, mask in part], spans)

        return self._batched(segments, settled)

    def _batched(
        self, items: Sequence[_In], work: Callable[[Sequence[_In]], Sequence[_Out]]
    ) -> list[_Out]:
        starts = range(0, len(items), self.at_once)
        return [each for k in starts for each in work(items[k : k + self.at_once])]


class _OneByOne:
    """A tracker of single objects."""

    pixels_at_once = 0

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def matches(self, features: Features, states: Sequence[State], spans: Spans) -> Sequence[Match]:
        return [self._tracker.match(features, state, spans) for state in states]

    def deltas(self, matches: Sequence[Any], spans: Spans) -> Tensor:
        return torch.stack([self._tracker.delta(match, spans) for match in matches])

    def segments(self, asked: Sequence[tuple[Any, Path]], spans: Spans) -> Sequence[Segment]:
        return [self._tracker.segment(match, path, spans) for match, path in asked]

    def settled(
        self, segments: Sequence[Any], masks: Sequence[Tensor], spans: Spans
    ) -> Sequence[State]:
        pairs = zip(segments, masks, strict=True)
        return [self._tracker.settle(segment, mask, spans) for segment, mask in pairs]
