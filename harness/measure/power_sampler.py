"""A process of its own that samples a GPU's power, so that the measured one is not disturbed.

Run as ``python -m vosbench.harness.measure.power_sampler UUID PERIOD_MS``. It says ``ready
METHOD`` once it holds its first sample, samples until a line (or the end) comes on its standard
input, takes one more sample, and then prints all of them as CSV. Any failure is one line,
``error REASON``. Times are the monotonic clock's, which all processes of a machine share.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable

import pynvml

from vosbench.harness.measure.energy_readings import EnergyMethod
from vosbench.harness.measure.nvml import NvmlDevice, NvmlError, open_device
from vosbench.harness.measure.power_trace import to_csv

READY, ERROR, STOP = "ready", "error", "stop"


def choose_method(device: NvmlDevice) -> EnergyMethod:
    """Instant power where the card tells it, else the running mean; raises if it tells neither."""
    try:
        device.instant_power_w()
    except NvmlError as error:
        # Drivers that don't know the field call it an invalid argument.
        if not (error.unsupported or error.code == pynvml.NVML_ERROR_INVALID_ARGUMENT):
            raise
        return EnergyMethod.NVML_AVERAGE
    return EnergyMethod.NVML_INSTANT


def sample(
    read_w: Callable[[], float],
    stopped_within: Callable[[float], bool],
    period_s: float,
    now_ns: Callable[[], int] = time.monotonic_ns,
    on_first: Callable[[], None] = lambda: None,
) -> list[tuple[int, float]]:
    """(ns, watts) pairs, one each ``period_s``, until stopped; the last is taken after the stop.

    Args:
        stopped_within: waits so many seconds at most; True as soon as sampling is to stop.
        on_first: called when the first sample is there.
    """
    # The time is read before the power at the start and after it at the end: a window between
    # the handshakes then lies wholly between the first and the last sample.
    samples = [(now_ns(), read_w())]
    on_first()
    due_s = now_ns() / 1e9
    while True:
        due_s += period_s
        if stopped_within(max(0.0, due_s - now_ns() / 1e9)):
            power_w = read_w()
            samples.append((now_ns(), power_w))
            return samples
        power_w = read_w()
        samples.append((now_ns(), power_w))


def _stopped_within(seconds: float) -> bool:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(readable)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(uuid: str, period_ms: float) -> int:
    """Sample until told to stop; 0, or 1 after an error line."""
    try:
        with open_device(uuid) as device:
            method = choose_method(device)
            instant = method is EnergyMethod.NVML_INSTANT
            read_w = device.instant_power_w if instant else device.power_w
            samples = sample(
                read_w,
                _stopped_within,
                period_ms / 1e3,
                on_first=lambda: _say(f"{READY} {method.name}"),
            )
    except NvmlError as error:
        _say(f"{ERROR} {error}")
        return 1
    sys.stdout.write(to_csv(samples))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
