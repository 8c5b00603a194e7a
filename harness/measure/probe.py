"""Reads this machine's environment; works without a GPU, without NVML, without git."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from vosbench.harness.measure.environment import (
    EnvironmentNotes,
    MachineEnvironment,
    StableEnvironment,
)
from vosbench.harness.measure.nvml import (
    NvmlDevice,
    NvmlError,
    cuda_uuid,
    driver_version,
    open_device,
)
from vosbench.harness.measure.occupancy import others_on

if TYPE_CHECKING:
    import torch

T = TypeVar("T")

PACKAGES = ("vosbench", "torch", "torchvision", "numpy", "nvidia-ml-py", "pillow")
"""Packages whose versions are noted; opencv is published under several names."""

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


class _Questions:
    """Asks one thing after another and remembers why an answer is missing."""

    def __init__(self) -> None:
        self.unknown: list[tuple[str, str]] = []

    def ask(self, field: str, answer: Callable[[], T]) -> T | None:
        try:
            return answer()
        except (NvmlError, OSError, LookupError) as error:
            self.unknown.append((field, str(error) or type(error).__name__))
            return None


def read_environment(
    device: torch.device, precision: str, *, locked_clocks: str | None = None
) -> MachineEnvironment:
    """The environment of work on ``device``, as it is now.

    Args:
        locked_clocks: what the user says about fixed clocks (``nvidia-smi -lgc``), since NVML
            tells only application clocks.
    """
    questions = _Questions()
    with ExitStack() as stack:
        gpu = None
        if device.type == "cuda":
            opened = open_device(cuda_uuid(device))
            gpu = questions.ask("nvml", lambda: stack.enter_context(opened))
        stable = _stable(device, precision, locked_clocks, gpu, questions)
        notes = _notes(gpu, questions)
    return MachineEnvironment(stable, notes)


def _stable(
    device: torch.device,
    precision: str,
    locked_clocks: str | None,
    gpu: NvmlDevice | None,
    questions: _Questions,
) -> StableEnvironment:
    import torch

    on_gpu = device.type == "cuda"
    model = cpu_model()
    cudnn = torch.backends.cudnn.version() if on_gpu else None  # type: ignore[no-untyped-call]
    if gpu is not None and locked_clocks is None:
        locked_clocks = questions.ask("locked_clocks", lambda: application_clocks(gpu))
    return StableEnvironment(
        device_kind=device.type,
        device_name=torch.cuda.get_device_name(device) if on_gpu else model,
        driver=questions.ask("driver", driver_version) if gpu else None,
        cuda=torch.version.cuda if on_gpu else None,
        cudnn=None if cudnn is None else str(cudnn),
        torch=str(torch.__version__),
        precision=precision,
        float32_matmul=torch.get_float32_matmul_precision(),
        tf32_matmul=bool(torch.backends.cuda.matmul.allow_tf32),
        tf32_cudnn=bool(torch.backends.cudnn.allow_tf32),
        cudnn_benchmark=bool(torch.backends.cudnn.benchmark),
        threads=torch.get_num_threads(),
        cpu_model=model,
        power_limit_w=questions.ask("power_limit_w", gpu.power_limit_w) if gpu else None,
        locked_clocks=locked_clocks,
    )


def _notes(gpu: NvmlDevice | None, questions: _Questions) -> EnvironmentNotes:
    ask = questions.ask
    git = ask("git", git_state)
    return EnvironmentNotes(
        sm_clock_mhz=ask("sm_clock_mhz", gpu.sm_clock_mhz) if gpu else None,
        memory_clock_mhz=ask("memory_clock_mhz", gpu.memory_clock_mhz) if gpu else None,
        temperature_c=ask("temperature_c", gpu.temperature_c) if gpu else None,
        throttle_reasons=ask("throttle_reasons", gpu.clock_reasons) if gpu else None,
        other_processes=ask("other_processes", lambda: others_on(gpu)) if gpu else None,
        load_average=ask("load_average", lambda: os.getloadavg()[0]),
        governor=ask("governor", lambda: _GOVERNOR.read_text().strip()),
        cores=tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else (),
        git_commit=git[0] if git else None,
        git_dirty=git[1] if git else None,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=package_versions(),
        unknown=tuple(questions.unknown),
    )


def cpu_model() -> str:
    """The CPU's model name; its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def application_clocks(gpu: NvmlDevice) -> str:
    """Whether somebody has set the SM clock: ``default`` or its value."""
    target_mhz = gpu.application_clock_mhz(default=False)
    if target_mhz == gpu.application_clock_mhz(default=True):
        return "default"
    return f"application clock {target_mhz} MHz"


def git_state() -> tuple[str, bool]:
    """(commit, whether tracked files were changed) of the checkout that this file belongs to.

    Raises:
        LookupError: if it belongs to none: an installed package may lie inside a stranger's.
    """
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here.parent), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            raise LookupError("vosbench does not run from a git checkout") from error
        return done.stdout.strip()

    git("ls-files", "--error-unmatch", here.name)
    return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))


def package_versions() -> tuple[tuple[str, str], ...]:
    """(name, version) of the installed ones among :data:`PACKAGES`."""
    found = []
    for name in PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def forget_peak(device: torch.device) -> None:
    """Have :func:`peak_memory_mib` count from now on, where the system can (CUDA, Linux)."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_mib(device: torch.device) -> float:
    """Most memory in use so far: torch's allocator on CUDA, the process's resident set on CPU."""
    if device.type == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated(device)) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
