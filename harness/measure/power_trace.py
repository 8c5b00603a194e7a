"""Power samples and their integral over a window: pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.measure.energy_readings import UnavailableError

MAX_GAP_S = 1.0
"""A hole longer than this between samples is not bridged by holding the last value."""


@dataclass(frozen=True)
class PowerTrace:
    """Samples of power, in order of time.

    Attributes:
        time_s: float64 (N,), on the machine's monotonic clock.
        power_w: float64 (N,).

    Raises:
        UnavailableError: if a value is not finite or negative, or time runs backwards.
    """

    time_s: NDArray[np.float64]
    power_w: NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.time_s) != len(self.power_w):
            raise UnavailableError("recorded power: times and values differ in number")
        if not (np.isfinite(self.time_s).all() and np.isfinite(self.power_w).all()):
            raise UnavailableError("recorded power: a value is not a finite number")
        if (self.power_w < 0).any():
            raise UnavailableError("recorded power: a value is negative")
        if (np.diff(self.time_s) < 0).any():
            raise UnavailableError("recorded power: time runs backwards")


CSV_HEADER = "time_ns,power_w"


def to_csv(samples: Iterable[tuple[int, float]]) -> str:
    """(ns, watts) pairs as the CSV that :func:`from_csv` reads."""
    return "\n".join([CSV_HEADER, *(f"{time_ns},{power!r}" for time_ns, power in samples)]) + "\n"


def from_csv(text: str) -> PowerTrace:
    """The trace in a CSV with the columns ``time_ns,power_w``.

    Raises:
        UnavailableError: if it is not such a CSV.
    """
    lines = text.split()
    if lines[:1] != [CSV_HEADER]:
        raise UnavailableError(f"recorded power: the first line is not {CSV_HEADER!r}")
    try:
        rows = [(int(t), float(w)) for t, w in (line.split(",") for line in lines[1:])]
    except ValueError as error:
        raise UnavailableError(f"recorded power: {error}") from error
    return PowerTrace(
        np.array([time_ns / 1e9 for time_ns, _ in rows], dtype=np.float64),
        np.array([power for _, power in rows], dtype=np.float64),
    )


def energy_j(trace: PowerTrace, start_s: float, end_s: float) -> float:
    """Joules between two times: each sample holds until the next, clipped to the window.

    The samples must enclose the window: one at or before its start gives the power at its first
    edge, one at or after its end proves that the source lived until then.

    Raises:
        UnavailableError: if they don't, or leave a hole of more than a second.
    """
    time_s, power_w = trace.time_s, trace.power_w
    if not len(time_s) or time_s[0] > start_s:
        raise UnavailableError("no power sample at the start of the window")
    if time_s[-1] < end_s:
        raise UnavailableError("no power sample at the end of the window")
    first = int(np.searchsorted(time_s, start_s, side="right")) - 1
    last = int(np.searchsorted(time_s, end_s, side="left"))
    gap_s = float(np.diff(time_s[first : last + 1]).max(initial=0.0))
    if gap_s > MAX_GAP_S:
        raise UnavailableError(f"no power sample for {gap_s:.1f} s in the window")
    edges = np.clip(time_s[first : last + 1], start_s, end_s)
    return float(np.diff(edges) @ power_w[first:last])


def samples_within(trace: PowerTrace, start_s: float, end_s: float) -> int:
    """How many samples lie in the window, edges included."""
    return int(((trace.time_s >= start_s) & (trace.time_s <= end_s)).sum())


def update_period_ms(times_s: Sequence[float], values: Sequence[float]) -> float | None:
    """Median ms between changes of a value that is polled faster than it is updated.

    None with fewer than two changes: a constant value shows no period.
    """
    changed = np.flatnonzero(np.diff(np.asarray(values, dtype=np.float64)) != 0) + 1
    if len(changed) < 2:
        return None
    at_s = np.asarray(times_s, dtype=np.float64)[changed]
    return float(np.median(np.diff(at_s))) * 1e3
