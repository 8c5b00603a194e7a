"""A thin layer over NVML, one method a quantity; what can't be known is an exception's reason.

``nvidia-ml-py`` reads the driver's ``libnvidia-ml.so.1``; without it every call here raises
:class:`NvmlError` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pynvml

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

UNSUPPORTED = frozenset({pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND})
"""Codes by which a card or an old driver says that it lacks a quantity."""

_REASONS: dict[int, str] = {
    pynvml.nvmlClocksEventReasonGpuIdle: "idle",
    pynvml.nvmlClocksEventReasonApplicationsClocksSetting: "application clocks",
    pynvml.nvmlClocksEventReasonSwPowerCap: "power cap",
    pynvml.nvmlClocksEventReasonHwSlowdown: "hardware slowdown",
    pynvml.nvmlClocksEventReasonSyncBoost: "sync boost",
    pynvml.nvmlClocksEventReasonSwThermalSlowdown: "software thermal slowdown",
    pynvml.nvmlClocksEventReasonHwThermalSlowdown: "hardware thermal slowdown",
    pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown: "power brake",
    pynvml.nvmlClocksEventReasonDisplayClockSetting: "display clocks",
}
HARMLESS_REASONS = frozenset({"idle", "application clocks", "display clocks", "sync boost"})
"""Reasons for lowered clocks that somebody chose; the others are throttling."""


class NvmlError(Exception):
    """NVML can't tell a quantity; the message says which and why.

    Attributes:
        code: NVML's return code; None if it wasn't NVML that refused.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    @property
    def unsupported(self) -> bool:
        """The card or driver lacks the quantity, as opposed to a failure to read it."""
        return self.code in UNSUPPORTED


_HINTS: dict[int, str] = {
    pynvml.NVML_ERROR_NO_PERMISSION: "this user may not read it",
    pynvml.NVML_ERROR_GPU_IS_LOST: "the device fell off the bus; restart the machine",
    pynvml.NVML_ERROR_RESET_REQUIRED: "the device needs a reset",
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "no NVIDIA driver on this machine",
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "the NVIDIA driver is not loaded",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "driver and library differ; restart the machine",
    pynvml.NVML_ERROR_NOT_SUPPORTED: "this device does not offer it",
}


def _code_name(code: int) -> str:
    names = (name for name in dir(pynvml) if name.startswith("NVML_ERROR_"))
    return next((name for name in names if getattr(pynvml, name) == code), f"NVML error {code}")


def _call(what: str, function: Callable[..., T], *arguments: Any) -> T:
    """``function(*arguments)``, its error as :class:`NvmlError` that names ``what``."""
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        code = int(error.value)
        hint = f" ({_HINTS[code]})" if code in _HINTS else ""
        raise NvmlError(f"{what}: {_code_name(code)}{hint}", code) from error


@dataclass(frozen=True)
class NvmlDevice:
    """One device while NVML is open; every method raises :class:`NvmlError`.

    Attributes:
        handle: NVML's own.
        uuid: ``GPU-…`` or ``MIG-…``.
    """

    handle: Any
    uuid: str

    def name(self) -> str:
        return str(_call("name", pynvml.nvmlDeviceGetName, self.handle))

    def mig(self) -> bool:
        """Whether this is a MIG instance, or a board that is split into them."""
        if self.uuid.startswith("MIG-"):
            return True
        try:
            current, _ = _call("MIG mode", pynvml.nvmlDeviceGetMigMode, self.handle)
        except NvmlError as error:
            if error.unsupported:
                return False
            raise
        return bool(current == pynvml.NVML_DEVICE_MIG_ENABLE)

    def total_energy_j(self) -> float:
        """Joules since the driver was loaded."""
        read = pynvml.nvmlDeviceGetTotalEnergyConsumption
        return float(_call("energy counter", read, self.handle)) / 1e3

    def power_w(self) -> float:
        """Watts of the board; on recent cards a mean over the last second."""
        return float(_call("power", pynvml.nvmlDeviceGetPowerUsage, self.handle)) / 1e3

    def instant_power_w(self) -> float:
        """Watts of the board at this moment."""
        fields = [pynvml.NVML_FI_DEV_POWER_INSTANT]
        (field,) = _call("instant power", pynvml.nvmlDeviceGetFieldValues, self.handle, fields)
        if field.nvmlReturn != pynvml.NVML_SUCCESS:
            code = int(field.nvmlReturn)
            raise NvmlError(f"instant power: {_code_name(code)}", code)
        return float(field.value.uiVal) / 1e3

    def power_limit_w(self) -> float:
        limit = pynvml.nvmlDeviceGetEnforcedPowerLimit
        return float(_call("power limit", limit, self.handle)) / 1e3

    def sm_clock_mhz(self) -> int:
        kind = pynvml.NVML_CLOCK_SM
        return int(_call("SM clock", pynvml.nvmlDeviceGetClockInfo, self.handle, kind))

    def memory_clock_mhz(self) -> int:
        kind = pynvml.NVML_CLOCK_MEM
        return int(_call("memory clock", pynvml.nvmlDeviceGetClockInfo, self.handle, kind))

    def application_clock_mhz(self, *, default: bool) -> int:
        """The SM clock that applications get: as set, or the card's default."""
        which = (
            pynvml.NVML_CLOCK_ID_APP_CLOCK_DEFAULT
            if default
            else pynvml.NVML_CLOCK_ID_APP_CLOCK_TARGET
        )
        arguments = (self.handle, pynvml.NVML_CLOCK_SM, which)
        return int(_call("application clock", pynvml.nvmlDeviceGetClock, *arguments))

    def temperature_c(self) -> int:
        sensor = pynvml.NVML_TEMPERATURE_GPU
        return int(_call("temperature", pynvml.nvmlDeviceGetTemperature, self.handle, sensor))

    def clock_reasons(self) -> tuple[str, ...]:
        """Why clocks are below their maximum, in words."""
        read = pynvml.nvmlDeviceGetCurrentClocksEventReasons
        try:
            bits = _call("throttle reasons", read, self.handle)
        except NvmlError as error:
            if error.code != pynvml.NVML_ERROR_FUNCTION_NOT_FOUND:
                raise
            # Drivers before R535 know the same call by its older name.
            older = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons
            bits = _call("throttle reasons", older, self.handle)
        return tuple(reason for bit, reason in _REASONS.items() if bits & bit)

    def processes(self) -> tuple[int, ...]:
        """Ids of all processes with a compute context, this one included."""
        read = pynvml.nvmlDeviceGetComputeRunningProcesses
        return tuple(int(process.pid) for process in _call("processes", read, self.handle))


def driver_version() -> str:
    """Version of the NVIDIA driver, while NVML is open."""
    return str(_call("driver version", pynvml.nvmlSystemGetDriverVersion))


@contextmanager
def open_device(uuid: str) -> Iterator[NvmlDevice]:
    """NVML's device of that UUID, or of that index if ``uuid`` is a number.

    A bare UUID, as CUDA gives it, is looked for as a board and then as a MIG instance.

    Raises:
        NvmlError: without NVML, or without that device.
    """
    _call("NVML", pynvml.nvmlInit)
    try:
        handle = _find(uuid)
        found = str(_call("UUID", pynvml.nvmlDeviceGetUUID, handle))
        yield NvmlDevice(handle, found)
    finally:
        # A device that vanished may make shutting down fail; there is nothing left to lose.
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _find(uuid: str) -> Any:
    what = f"device {uuid}"
    if uuid.isdecimal():
        return _call(what, pynvml.nvmlDeviceGetHandleByIndex, int(uuid))
    if uuid.startswith(("GPU-", "MIG-")):
        return _call(what, pynvml.nvmlDeviceGetHandleByUUID, uuid)
    try:
        return _call(what, pynvml.nvmlDeviceGetHandleByUUID, f"GPU-{uuid}")
    except NvmlError:
        return _call(what, pynvml.nvmlDeviceGetHandleByUUID, f"MIG-{uuid}")


def cuda_uuid(device: torch.device) -> str:
    """UUID of a CUDA device as :func:`open_device` takes it; torch's index is not NVML's."""
    import torch

    return str(torch.cuda.get_device_properties(device).uuid)
