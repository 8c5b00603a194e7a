"""Whether somebody else is using the device that is about to be timed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.baselines.errors import SurroundingsError
from vosbench.harness.measure.nvml import NvmlDevice, NvmlError, cuda_uuid, open_device

if TYPE_CHECKING:
    import torch

BUSY_CORES = 0.5
"""From so much of a core's work by others on, a CPU counts as busy."""

WATCH_S = 0.25


@dataclass(frozen=True)
class Occupancy:
    """Who else uses a device.

    Attributes:
        device: as torch writes it.
        processes: ids of others that compute on a GPU.
        busy_cores: cores' worth of others' work on the CPU; None on a GPU or where unknown.
        reason: why it could not be found out.
    """

    device: str
    processes: tuple[int, ...] = ()
    busy_cores: float | None = None
    reason: str | None = None

    @property
    def busy(self) -> bool:
        """Whether timings would be disturbed; False also if it could not be found out."""
        return bool(self.processes) or (self.busy_cores or 0.0) > BUSY_CORES

    def __str__(self) -> str:
        if self.reason:
            return f"{self.device}: other users unknown ({self.reason})"
        if self.processes:
            pids = ", ".join(map(str, self.processes))
            return f"{self.device} is used by process {pids}"
        if self.busy_cores is not None:
            return f"{self.device}: others keep {self.busy_cores:.1f} cores busy"
        return f"{self.device} is free"


def others_on(gpu: NvmlDevice, own_pid: int | None = None) -> tuple[int, ...]:
    """Ids of other processes computing on ``gpu``; raises ``NvmlError``."""
    own = os.getpid() if own_pid is None else own_pid
    return tuple(pid for pid in gpu.processes() if pid != own)


def descendants(own: int, proc: Path = Path("/proc")) -> frozenset[int]:
    """Ids of the processes that ``own`` started, and theirs; empty where there is no ``/proc``."""
    parents: dict[int, int] = {}
    for stat in proc.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it ended while we looked
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = {own}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return frozenset(found - {own})


def _has_loaded_cuda(pid: int) -> bool:
    try:
        return "libcuda.so" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def without_disguised_self(
    pids: tuple[int, ...], own: int, has_context: bool, children: frozenset[int] = frozenset()
) -> tuple[int, ...]:
    """``pids`` less those of this process and of its children on the device: models run there.

    In a container NVML gives the host's ids. If this process has a context on the device but its
    id is not there, one id that names no process here is taken for it, and one for each child.
    """
    others = tuple(pid for pid in pids if pid != own and pid not in children)
    disguised = (has_context and own not in pids) + len(children - set(pids))
    foreign = [pid for pid in others if not Path(f"/proc/{pid}").exists()]
    return tuple(pid for pid in others if pid not in foreign[:disguised])


def cpu_jiffies(stat: str) -> tuple[int, int]:
    """(busy, all) time units of all cores in the text of ``/proc/stat``."""
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, stat.split()[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy, busy + idle + iowait


@dataclass(frozen=True)
class CpuUse:
    """How much all cores, and this process of them, have worked up to a moment.

    Attributes:
        busy, everything: time units of all cores.
        own_s: CPU seconds of this process and of the children that it has waited for.
        at_s: on a monotonic clock.
    """

    busy: int
    everything: int
    own_s: float
    at_s: float

    @classmethod
    def now(cls) -> CpuUse:
        """As it is; raises OSError where there is no ``/proc/stat``."""
        busy, everything = cpu_jiffies(Path("/proc/stat").read_text())
        children = os.times()
        own_s = time.process_time() + children.children_user + children.children_system
        return cls(busy, everything, own_s, time.monotonic())

    def others_since(self, before: CpuUse) -> float:
        """Cores' worth of work that other processes did since then."""
        passed = max(1, self.everything - before.everything)
        own_cores = (self.own_s - before.own_s) / max(1e-9, self.at_s - before.at_s)
        all_cores = (self.busy - before.busy) / passed * (os.cpu_count() or 1)
        return max(0.0, all_cores - own_cores)


def others_busy_cores(
    seconds: float = WATCH_S, sleep: Callable[[float], None] = time.sleep
) -> float:
    """Cores' worth of work that other processes did in the next ``seconds``.

    Raises:
        OSError: where there is no ``/proc/stat``.
    """
    before = CpuUse.now()
    sleep(seconds)
    return CpuUse.now().others_since(before)


def occupancy(device: torch.device) -> Occupancy:
    """Who else uses ``device`` now; takes a quarter of a second on the CPU."""
    name = str(device)
    if device.type == "cpu":
        try:
            return Occupancy(name, busy_cores=others_busy_cores())
        except (OSError, ValueError) as error:
            return Occupancy(name, reason=str(error))
    import torch

    try:
        with open_device(cuda_uuid(device)) as gpu:
            pids = gpu.processes()
    except NvmlError as error:
        return Occupancy(name, reason=str(error))
    context = bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    own = os.getpid()
    children = frozenset(pid for pid in descendants(own) if _has_loaded_cuda(pid))
    others = without_disguised_self(pids, own, context, children)
    return Occupancy(name, processes=others)


def require_idle(found: Occupancy, *, allow_busy: bool) -> Occupancy:
    """``found`` again, to be stored with the timing.

    Raises:
        SurroundingsError: if the device is busy and that was not allowed.
    """
    if found.busy and not allow_busy:
        raise SurroundingsError(
            f"{found}; wait, or pass --allow-busy to time all the same (flagged)"
        )
    return found
