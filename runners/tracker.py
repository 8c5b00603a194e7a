"""What a walk asks of a network, object by object, and of one that takes several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from vosbench.runners.interface import ObjectTrace, Spans
    from vosbench.runners.policy import Path

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


@runtime_checkable
class BatchTracker(Tracker, Protocol):
    """A tracker that takes several objects of one frame at once, of any branches.

    Its ``compete`` takes further leading axes. A batch may differ from its members one by one in
    the last bits, as kernels are chosen by size: where ``pixels_at_once`` is 0 there are none.
    """

    pixels_at_once: int
    """Most pixels of all members' frames together in one batch; what bounds memory."""

    def matches(
        self, features: Features, states: Sequence[State], spans: Spans
    ) -> Sequence[Match]: ...

    def segments(self, asked: Sequence[tuple[Any, Path]], spans: Spans) -> Sequence[Segment]: ...

    def settled(
        self, segments: Sequence[Any], masks: Sequence[Tensor], spans: Spans
    ) -> Sequence[State]: ...


_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Batches:
    """A tracker's work on many objects: in batches as large as it takes, or one by one."""

    def __init__(self, tracker: Tracker, pixels: int) -> None:
        self._one = tracker
        self._many = tracker if isinstance(tracker, BatchTracker) else None
        self._pixels = pixels

    @property
    def at_once(self) -> int:
        """How many objects go through the network together."""
        return 1 if self._many is None else max(1, self._many.pixels_at_once // self._pixels)

    def match(self, features: Features, states: Sequence[State], spans: Spans) -> list[Match]:
        many = self._many
        if many is None:
            return [self._one.match(features, state, spans) for state in states]
        return self._batched(states, lambda part: many.matches(features, part, spans))

    def segment(self, asked: Sequence[tuple[Match, Path]], spans: Spans) -> list[Segment]:
        many = self._many
        if many is None:
            return [self._one.segment(match, path, spans) for match, path in asked]
        return self._batched(asked, lambda part: many.segments(part, spans))

    def settle(self, segments: Sequence[tuple[Segment, Tensor]], spans: Spans) -> list[State]:
        """States after the frame, from segments and their soft masks."""
        many = self._many
        if many is None:
            return [self._one.settle(segment, mask, spans) for segment, mask in segments]
        return self._batched(
            segments,
            lambda part: many.settled([s for s, _ in part], [mask for _, mask in part], spans),
        )

    def _batched(
        self, items: Sequence[_In], work: Callable[[Sequence[_In]], Sequence[_Out]]
    ) -> list[_Out]:
        step = self.at_once
        return [
            each
            for start in range(0, len(items), step)
            for each in work(items[start : start + step])
        ]
