"""How far each instrument's numbers can be used: pure rules, each stated where it is applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from vosbench.harness.measure.energy_readings import MIN_WINDOW_S, EnergyMethod, EnergyReading
from vosbench.harness.measure.nvml import HARMLESS_REASONS
from vosbench.harness.measure.occupancy import Occupancy

GPU_INSTRUMENTS = (
    "gpu clock (events)",
    "gpu energy counter",
    "gpu power sampling",
    "gpu clock locking",
    "gpu throttling",
    "gpu users",
    "gpu graphs",
)


class Trust(StrEnum):
    """How far an instrument's numbers can be used."""

    TRUSTWORTHY = "trustworthy"
    DOUBTFUL = "doubtful"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class InstrumentFinding:
    """One instrument: the verdict, and in one line what was seen."""

    instrument: str
    verdict: Trust
    detail: str


def _judged(instrument: str, good: bool, detail: str) -> InstrumentFinding:
    return InstrumentFinding(instrument, Trust.TRUSTWORTHY if good else Trust.DOUBTFUL, detail)


def judge_cpu_clock(steps_ns: Sequence[int]) -> InstrumentFinding:
    """Trust a clock that never goes back and moves in steps of at most a microsecond."""
    smallest_ns = min((step for step in steps_ns if step > 0), default=None)
    if min(steps_ns) < 0 or smallest_ns is None:
        return _judged("cpu clock", False, "the monotonic clock goes back or stands still")
    return _judged("cpu clock", smallest_ns <= 1000, f"steps of {smallest_ns} ns")


def judge_events(events_ms: float, wall_ms: float) -> InstrumentFinding:
    """Trust events that agree with wall time around one synchronised load within 2 %."""
    off = events_ms / wall_ms - 1
    detail = f"events {events_ms:.1f} ms, wall {wall_ms:.1f} ms ({off:+.1%})"
    return _judged(GPU_INSTRUMENTS[0], abs(off) <= 0.02, detail)


def judge_counter(counter: EnergyReading, integral: EnergyReading) -> InstrumentFinding:
    """Trust a counter whose mean power agrees with the sampled one within 5 %."""
    name = GPU_INSTRUMENTS[1]
    if counter.method is not EnergyMethod.NVML_COUNTER or counter.mean_w is None:
        reason = counter.reason if counter.mean_w is None else "this GPU has none"
        return InstrumentFinding(name, Trust.UNAVAILABLE, reason or "")
    if integral.mean_w is None:
        detail = f"{counter.mean_w:.1f} W, nothing to compare with: {integral.reason}"
        return InstrumentFinding(name, Trust.DOUBTFUL, detail)
    off = counter.mean_w / integral.mean_w - 1
    detail = f"counter {counter.mean_w:.1f} W, integral {integral.mean_w:.1f} W ({off:+.1%})"
    return _judged(name, abs(off) <= 0.05, detail)


def judge_sampling(integral: EnergyReading) -> InstrumentFinding:
    """Trust sampled power if it changes at least ten times in the shortest window allowed."""
    name = GPU_INSTRUMENTS[2]
    if integral.gross_j is None:
        return InstrumentFinding(name, Trust.UNAVAILABLE, integral.reason or "")
    period_ms = integral.update_period_ms
    if period_ms is None:
        return InstrumentFinding(name, Trust.DOUBTFUL, f"{integral.samples} samples, all equal")
    per_second = integral.samples / integral.duration_s
    detail = f"{per_second:.0f} samples/s, value updated every {period_ms:.0f} ms"
    if integral.method is EnergyMethod.NVML_AVERAGE:
        detail += ", may be a running mean over 1 s"
    return _judged(name, period_ms <= 1e3 * MIN_WINDOW_S / 10, detail)


def judge_clocks(sm_mhz: Sequence[int]) -> InstrumentFinding:
    """Trust timings at SM clocks that stay within 1 % under load."""
    name = GPU_INSTRUMENTS[3]
    if not sm_mhz:
        return InstrumentFinding(name, Trust.UNAVAILABLE, "the SM clock can't be read")
    low, high = min(sm_mhz), max(sm_mhz)
    if high <= low * 1.01:
        return InstrumentFinding(name, Trust.TRUSTWORTHY, f"SM clock steady at {high} MHz")
    detail = f"SM clock between {low} and {high} MHz: lock it (nvidia-smi -lgc)"
    return InstrumentFinding(name, Trust.DOUBTFUL, detail)


def judge_throttling(reasons: frozenset[str] | None) -> InstrumentFinding:
    """Trust timings during which nothing but a user's choice lowered the clocks."""
    name = GPU_INSTRUMENTS[4]
    if reasons is None:
        return InstrumentFinding(name, Trust.UNAVAILABLE, "throttle reasons can't be read")
    bad = sorted(reasons - HARMLESS_REASONS)
    return _judged(name, not bad, f"throttled: {', '.join(bad)}" if bad else "none under load")


def judge_users(instrument: str, found: Occupancy) -> InstrumentFinding:
    """Trust timings on a device that nobody else uses."""
    if found.reason:
        return InstrumentFinding(instrument, Trust.UNAVAILABLE, found.reason)
    return _judged(instrument, not found.busy, str(found))


GRAPH_GAP = 1e-3
"""Largest difference of a compiled part's outputs, in units of the largest: TF32 stays below."""


def judge_graphs(gap: float | str) -> InstrumentFinding:
    """Trust compiled precisions whose CUDA graphs keep what they gave, and give what is right.

    Args:
        gap: largest difference from eager outputs, relative to the largest one; or why there is
            none.
    """
    if isinstance(gap, str):
        return InstrumentFinding("gpu graphs", Trust.UNAVAILABLE, f"no compiled precision: {gap}")
    return _judged("gpu graphs", gap <= GRAPH_GAP, f"outputs within {gap:.1e} of eager ones")


def judge_cpu_energy(reading: EnergyReading) -> InstrumentFinding:
    """Trust RAPL where it can be read."""
    if reading.mean_w is None:
        return InstrumentFinding("cpu energy (rapl)", Trust.UNAVAILABLE, reading.reason or "")
    detail = f"{reading.mean_w:.1f} W over {reading.duration_s:.1f} s of idling"
    return _judged("cpu energy (rapl)", True, detail)
