"""Recorded power as an energy source: for tests, and for counting old recordings again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.measure.power.counter import too_short
from vosbench.harness.measure.power.integrate import (
    PowerTrace,
    energy_j,
    from_csv,
    samples_within,
    update_period_ms,
)
from vosbench.harness.measure.power.readings import (
    MIN_WINDOW_S,
    EnergyMethod,
    EnergyReading,
    EnergyScope,
    UnavailableError,
    Window,
    known,
    unknown,
)


def read_trace(path: Path) -> PowerTrace:
    """The recording in ``path``: a CSV with the columns ``time_ns,power_w``.

    Raises:
        InputError: if it can't be read as one.
    """
    try:
        return from_csv(path.read_text())
    except (OSError, UnicodeDecodeError, UnavailableError) as error:
        raise InputError(f"{path}: {error}; expected a CSV with time_ns,power_w") from error


@dataclass(frozen=True)
class ReplaySource:
    """Windows over a recording; ``now_s`` says where in it the caller is, on its own clock."""

    trace: PowerTrace
    now_s: Callable[[], float]
    scope: EnergyScope = EnergyScope.GPU_BOARD
    min_window_s: float = MIN_WINDOW_S

    def begin(self) -> Window:
        """A window from the recording's present time."""
        return _ReplayWindow(self, self.now_s())

    def between(self, start_s: float, end_s: float) -> EnergyReading:
        """The reading of one window of the recording."""
        method, duration_s = EnergyMethod.REPLAY, end_s - start_s
        try:
            if duration_s < self.min_window_s:
                raise UnavailableError(too_short(duration_s, self.min_window_s))
            joules = energy_j(self.trace, start_s, end_s)
        except UnavailableError as error:
            return unknown(str(error), self.scope, duration_s, method)
        samples = samples_within(self.trace, start_s, end_s)
        period_ms = update_period_ms(self.trace.time_s.tolist(), self.trace.power_w.tolist())
        return known(
            gross_j=joules,
            duration_s=duration_s,
            method=method,
            scope=self.scope,
            samples=samples,
            update_period_ms=period_ms,
        )


@dataclass(frozen=True)
class _ReplayWindow:
    source: ReplaySource
    start_s: float

    def end(self) -> EnergyReading:
        return self.source.between(self.start_s, self.source.now_s())
