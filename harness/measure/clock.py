"""Clocks: points in a sequence of work, and the milliseconds between them.

A clock only sets marks; which pairs of marks make a frame or a stage is the business of
:mod:`vosbench.harness.measure.spans`. Nothing is read before :meth:`Clock.resolve`, so a whole
sequence costs one synchronisation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

DEFAULT_EVENTS = 1024
"""Events made before the first mark; enough for a DAVIS clip without spans."""


class Clock(Protocol):
    """Sets marks in the order of the work and afterwards tells the time between them."""

    name: str
    """``cpu`` or ``cuda-event``; stored with every timing."""

    def reserve(self, marks: int) -> None:
        """Make ready for so many marks, so that none is allocated inside the timed part."""

    def mark(self) -> int:
        """Set a mark here; the result names it until the next resolve."""

    def pending(self) -> int:
        """Marks set since the last resolve or discard."""

    def resolve(self, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Wait once for the device; ms from the first to the second mark of each pair.

        Afterwards all marks are forgotten.
        """

    def discard(self) -> None:
        """Forget all marks, after a sequence that failed."""


class CpuClock:
    """The machine's monotonic nanosecond clock; work is done when the call returns."""

    name = "cpu"

    def __init__(self, now_ns: Callable[[], int] = time.perf_counter_ns) -> None:
        self._now_ns = now_ns
        self._marks_ns: list[int] = []

    def reserve(self, marks: int) -> None:
        """Nothing to do: a mark is one integer."""

    def mark(self) -> int:
        """Read the clock."""
        self._marks_ns.append(self._now_ns())
        return len(self._marks_ns) - 1

    def pending(self) -> int:
        """Marks set since the last resolve or discard."""
        return len(self._marks_ns)

    def resolve(self, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Ms between the marks of each pair; all marks are forgotten."""
        marks = self._marks_ns
        elapsed = [(marks[end] - marks[start]) / 1e6 for start, end in pairs]
        self.discard()
        return np.array(elapsed, dtype=np.float64)

    def discard(self) -> None:
        """Forget all marks."""
        self._marks_ns = []


class Event(Protocol):
    """A point on the device's stream, as :class:`torch.cuda.Event` is one."""

    def record(self) -> None:
        """Set the point after all work queued so far on the current stream."""

    def elapsed_time(self, end_event: Any, /) -> float:
        """Ms from this point to ``end_event``; raises unless the device has passed both."""


class EventClock:
    """Marks on a device's stream, from a pool of events made in advance.

    The queue is never waited for between marks. Each pair is asked of the device by itself:
    times are float32 there, and a difference of two times since the start of a long clip would
    lose the microseconds of a short stage.

    Args:
        make_event: makes one event, ready to be recorded at no further cost.
        synchronise: waits until the device has done all queued work.
        events: how many to make in advance.
    """

    name = "cuda-event"

    def __init__(
        self,
        make_event: Callable[[], Event],
        synchronise: Callable[[], None],
        events: int = DEFAULT_EVENTS,
    ) -> None:
        self._make_event = make_event
        self._synchronise = synchronise
        self._free: list[Event] = []
        self._marks: list[Event] = []
        self.reserve(events)

    def reserve(self, marks: int) -> None:
        """Make events until so many are free."""
        self._free += [self._make_event() for _ in range(marks - len(self._free))]

    def mark(self) -> int:
        """Record an event; one is made on the spot only if more are set than were reserved."""
        event = self._free.pop() if self._free else self._make_event()
        event.record()
        self._marks.append(event)
        return len(self._marks) - 1

    def pending(self) -> int:
        """Events recorded and not yet back in the pool."""
        return len(self._marks)

    def resolve(self, pairs: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
        """Synchronise once, read each pair in ms, and give the events back to the pool."""
        self._synchronise()
        marks = self._marks
        elapsed = [marks[start].elapsed_time(marks[end]) for start, end in pairs]
        self._release()
        return np.array(elapsed, dtype=np.float64)

    def discard(self) -> None:
        """Wait for the device, so that no event is still queued, and take the events back."""
        self._synchronise()
        self._release()

    def _release(self) -> None:
        self._free += self._marks
        self._marks = []


class _TorchEvent:
    """A CUDA event that records on the current stream of one device, whichever is current."""

    def __init__(self, device: torch.device) -> None:
        import torch

        self._current_stream = torch.cuda.current_stream
        self._device = device
        self._event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        # torch creates the event at its first record: pay for that here, not in a frame.
        self.record()

    def record(self) -> None:
        self._event.record(self._current_stream(self._device))

    def elapsed_time(self, end_event: _TorchEvent, /) -> float:
        return float(self._event.elapsed_time(end_event._event))


def clock_for(device: torch.device, events: int = DEFAULT_EVENTS) -> Clock:
    """The clock that tells the truth on ``device``: events on CUDA, nanoseconds on the CPU.

    Raises:
        ValueError: for a kind of device that has no clock here.
    """
    if device.type == "cpu":
        return CpuClock()
    if device.type != "cuda":
        raise ValueError(f"no clock for devices of kind {device.type!r}")
    import torch

    return EventClock(
        lambda: _TorchEvent(device), lambda: torch.cuda.synchronize(device), events=events
    )
