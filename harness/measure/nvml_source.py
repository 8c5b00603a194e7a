"""The best energy source of a CUDA device: its counter, else sampled power, else a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from vosbench.harness.measure.energy_counter import (
    CounterSource,
    Readings,
    growth,
    poll_period_ms,
)
from vosbench.harness.measure.energy_readings import (
    MIN_WINDOW_S,
    EnergyMethod,
    EnergyScope,
    NoSource,
    PowerSource,
    UnavailableError,
)
from vosbench.harness.measure.nvml import NvmlError, open_device
from vosbench.harness.measure.sampled_power import SampledSource

MIG_REASON = "the device is split by MIG: its sensors measure the whole board, not this instance"


@contextmanager
def _opened_counter(uuid: str) -> Iterator[Callable[[], Readings]]:
    """Keeps NVML open, whose start takes tens of ms, and reads the device's counter."""
    with ExitStack() as stack:
        try:
            device = stack.enter_context(open_device(uuid))
        except NvmlError as error:
            raise UnavailableError(str(error)) from error

        def read() -> Readings:
            try:
                return (device.total_energy_j(),)
            except NvmlError as error:
                raise UnavailableError(str(error)) from error

        yield read


def nvml_source(uuid: str, *, min_window_s: float = MIN_WINDOW_S) -> PowerSource:
    """An energy source for the NVML device of that UUID; see :func:`.nvml.open_device`.

    A counter that fails for any other cause than being absent is not replaced by sampling: a
    device in trouble gives no energy at all, with that cause.
    """
    try:
        with open_device(uuid) as device:
            if device.mig():
                return NoSource(MIG_REASON, EnergyScope.GPU_BOARD)
            try:
                device.total_energy_j()
            except NvmlError as error:
                if not error.unsupported:
                    raise
                return SampledSource(device.uuid, min_window_s=min_window_s)
            period_ms = poll_period_ms(device.total_energy_j)
    except NvmlError as error:
        return NoSource(str(error), EnergyScope.GPU_BOARD)
    return CounterSource(
        opened=lambda: _opened_counter(uuid),
        between=growth,
        method=EnergyMethod.NVML_COUNTER,
        scope=EnergyScope.GPU_BOARD,
        update_period_ms=period_ms,
        min_window_s=min_window_s,
    )
