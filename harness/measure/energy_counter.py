"""Energy from a counter that only grows: NVML's, RAPL's."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from vosbench.harness.measure.energy_readings import (
    MIN_WINDOW_S,
    EnergyMethod,
    EnergyReading,
    EnergyScope,
    NoSource,
    UnavailableError,
    Window,
    known,
    unknown,
)
from vosbench.harness.measure.power_trace import update_period_ms

Readings = tuple[float, ...]
"""Joules on each counter of a source."""


@dataclass(frozen=True)
class CounterSource:
    """Reads counters at both edges of the window.

    Attributes:
        opened: keeps the counters open for a window and gives the function that reads them; both
            raise ``UnavailableError``.
        between: takes both readings and the seconds between them, gives joules or raises
            ``UnavailableError``; knows of wraparound.
        update_period_ms: how often the counter moves, where measured.
    """

    opened: Callable[[], AbstractContextManager[Callable[[], Readings]]]
    between: Callable[[Readings, Readings, float], float]
    method: EnergyMethod
    scope: EnergyScope
    update_period_ms: float | None = None
    min_window_s: float = MIN_WINDOW_S
    now_s: Callable[[], float] = time.monotonic

    def begin(self) -> Window:
        """Read the counter; a failure is told by the window's end."""
        with ExitStack() as stack:
            try:
                read = stack.enter_context(self.opened())
                start = read()
            except UnavailableError as error:
                return NoSource(str(error), self.scope)
            return _CounterWindow(self, stack.pop_all(), read, start, self.now_s())


@dataclass(frozen=True)
class _CounterWindow:
    source: CounterSource
    held_open: ExitStack
    read: Callable[[], Readings]
    start: Readings
    start_s: float

    def end(self) -> EnergyReading:
        source = self.source
        duration_s = source.now_s() - self.start_s
        try:
            with self.held_open:
                stop = self.read()
            if duration_s < source.min_window_s:
                raise UnavailableError(too_short(duration_s, source.min_window_s))
            joules = source.between(self.start, stop, duration_s)
        except UnavailableError as error:
            return unknown(str(error), source.scope, duration_s, source.method)
        return known(
            gross_j=joules,
            duration_s=duration_s,
            method=source.method,
            scope=source.scope,
            samples=2,
            update_period_ms=source.update_period_ms,
        )


def too_short(duration_s: float, min_window_s: float) -> str:
    """The reason for refusing a window of less than ``min_window_s``."""
    return f"a window of {duration_s:.2f} s is shorter than {min_window_s:g} s: loop the sequence"


def growth(start: Readings, stop: Readings, duration_s: float) -> float:
    """Joules by which a counter that never wraps has grown.

    Raises:
        UnavailableError: if it went back (the driver was reloaded) or stood still.
    """
    joules = sum(stop) - sum(start)
    if joules < 0:
        raise UnavailableError("the energy counter went back: the driver was reloaded")
    if joules == 0:
        raise UnavailableError(f"the energy counter stood still for {duration_s:.1f} s")
    return joules


def poll_period_ms(
    read: Callable[[], float],
    limit_s: float = 0.5,
    now_s: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> float | None:
    """How often a value moves, by polling it every millisecond for ``limit_s``.

    None if that was not seen; what ``read`` raises is passed on.
    """
    times_s, values = [], []
    end_s = now_s() + limit_s
    while now_s() < end_s:
        times_s.append(now_s())
        values.append(read())
        wait(1e-3)
    return update_period_ms(times_s, values)
