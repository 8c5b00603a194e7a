"""Energy of a piece of work, with the idle power around it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from vosbench.harness.measure.energy_readings import EnergyReading, PowerSource, net_of

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

IDLE_S = 2.0
"""Length of each idle window: as many sensor updates as the shortest window of work, twice."""


def source_for(device: torch.device) -> PowerSource:
    """The best energy source for work on ``device``; always one, if only to say why not.

    Raises:
        ValueError: for a kind of device that is neither CPU nor CUDA.
    """
    if device.type == "cpu":
        from vosbench.harness.measure.rapl import rapl_source

        return rapl_source()
    if device.type == "cuda":
        from vosbench.harness.measure.nvml import cuda_uuid
        from vosbench.harness.measure.nvml_source import nvml_source

        return nvml_source(cuda_uuid(device))
    raise ValueError(f"no energy source for devices of kind {device.type!r}")


def idle(
    source: PowerSource, seconds: float = IDLE_S, sleep: Callable[[float], None] = time.sleep
) -> EnergyReading:
    """Energy of doing nothing for a while; keep the device's context alive around it."""
    window = source.begin()
    sleep(seconds)
    return window.end()


def measure(
    source: PowerSource,
    work: Callable[[], T],
    *,
    idle_s: float = IDLE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[T, EnergyReading]:
    """Run ``work``, which returns only when the device is done, and say what it took.

    Idle windows before and after give the net energy. The caller must have set up the device's
    context, and loops short clips inside ``work``: windows under a second are refused.
    """
    before = idle(source, idle_s, sleep)
    window = source.begin()
    try:
        result = work()
    finally:
        reading = window.end()
    after = idle(source, idle_s, sleep)
    return result, net_of(reading, before, after)


def per_frame_j(joules: float | None, frames: int) -> float | None:
    """Joules a frame; None stays None."""
    return None if joules is None or frames <= 0 else joules / frames
