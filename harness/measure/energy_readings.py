"""What an energy measurement says: joules, or None and the reason; never a made-up zero."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

MIN_WINDOW_S = 1.0
"""Shorter windows are refused: sensors update every 20 to 100 ms, so their edges would weigh."""


class EnergyScope(StrEnum):
    """Which hardware the joules belong to."""

    GPU_BOARD = "gpu board"
    CPU_PACKAGE = "cpu package"


class EnergyMethod(StrEnum):
    """How the joules came about."""

    NVML_COUNTER = "nvml energy counter"
    NVML_INSTANT = "nvml instant power, integrated"
    NVML_AVERAGE = "nvml power, integrated"
    RAPL_COUNTER = "rapl energy counter"
    NONE = "none"


@dataclass(frozen=True)
class EnergyReading:
    """Energy of one window.

    Attributes:
        gross_j: all energy of the scope in the window, joules.
        net_j: gross less what idling would have taken.
        duration_s: length of the window.
        idle_w: idle power that net is counted against, watts.
        method, scope: how and of what.
        samples: readings that went into it; a counter takes two.
        update_period_ms: how often the sensor changes; None if that was not seen.
        reason: why ``gross_j``, or if that is known ``net_j``, is None.
    """

    gross_j: float | None
    net_j: float | None
    duration_s: float
    idle_w: float | None
    method: EnergyMethod
    scope: EnergyScope
    samples: int
    update_period_ms: float | None
    reason: str | None

    def __post_init__(self) -> None:
        if None in (self.gross_j, self.net_j) and not self.reason:
            raise ValueError("an unknown energy needs its reason")
        if self.gross_j is None and self.net_j is not None:
            raise ValueError("net energy without gross energy")

    @property
    def mean_w(self) -> float | None:
        """Mean gross power, watts."""
        return None if self.gross_j is None else self.gross_j / self.duration_s


NO_BASELINE = "no idle baseline was taken"


def known(
    *,
    gross_j: float,
    duration_s: float,
    method: EnergyMethod,
    scope: EnergyScope,
    samples: int,
    update_period_ms: float | None = None,
) -> EnergyReading:
    """A reading with gross energy and, so far, no baseline."""
    return EnergyReading(
        gross_j=gross_j,
        net_j=None,
        duration_s=duration_s,
        idle_w=None,
        method=method,
        scope=scope,
        samples=samples,
        update_period_ms=update_period_ms,
        reason=NO_BASELINE,
    )


def unknown(
    reason: str,
    scope: EnergyScope,
    duration_s: float = 0.0,
    method: EnergyMethod = EnergyMethod.NONE,
    samples: int = 0,
) -> EnergyReading:
    """A reading that says only why there is none."""
    return EnergyReading(
        gross_j=None,
        net_j=None,
        duration_s=duration_s,
        idle_w=None,
        method=method,
        scope=scope,
        samples=samples,
        update_period_ms=None,
        reason=reason,
    )


def net_of(reading: EnergyReading, before: EnergyReading, after: EnergyReading) -> EnergyReading:
    """``reading`` with its net energy, against the mean power of two idle windows around it."""
    if reading.gross_j is None:
        return reading
    if before.mean_w is None or after.mean_w is None:
        missing = before if before.mean_w is None else after
        return replace(reading, reason=f"idle baseline unknown: {missing.reason}")
    idle_w = (before.mean_w + after.mean_w) / 2
    net_j = reading.gross_j - idle_w * reading.duration_s
    return replace(reading, net_j=net_j, idle_w=idle_w, reason=None)


class Window(Protocol):
    """A measurement under way."""

    def end(self) -> EnergyReading:
        """Stop, and say what the window took; never raises."""


class PowerSource(Protocol):
    """Something that can measure energy; failures come out of :meth:`Window.end` as reasons."""

    @property
    def scope(self) -> EnergyScope:
        """Which hardware it measures."""

    def begin(self) -> Window:
        """Start a window once the source is ready; never raises."""


class UnavailableError(Exception):
    """A source can't be read; the message is the reason that is stored."""


@dataclass(frozen=True)
class NoSource:
    """Stands in where energy can't be measured; every window ends in the same reason."""

    reason: str

    scope: EnergyScope

    def begin(self) -> Window:
        """A window that knows its answer."""
        return self

    def end(self) -> EnergyReading:
        """None and the reason."""
        return unknown(self.reason, self.scope)
