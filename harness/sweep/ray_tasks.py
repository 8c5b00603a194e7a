"""What a Ray worker runs; nothing here needs Ray itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.harness.store.worker import this_host
from vosbench.harness.sweep.events import Tally
from vosbench.harness.sweep.job import Job
from vosbench.harness.sweep.scheduler import LocalExecutor
from vosbench.harness.trials import Kind

if TYPE_CHECKING:
    from vosbench.harness.measure.environment import MachineEnvironment


@dataclass(frozen=True)
class TaskReport:
    """What a task did.

    Attributes:
        worked: it found trials to work on.
        frames: frames that are behind it.
        stopped: why nothing more can be done, in words for the user.
    """

    worked: bool
    frames: int
    stopped: str | None = None


def run_group_task(job: Job, device: str) -> TaskReport:
    """Work on the next group of accuracy trials, if there is one."""
    return _report(job, device, Kind.ACCURACY, LocalExecutor.run_group)


def run_timings_task(job: Job, device: str) -> TaskReport:
    """Time trials one after another, until there is none for a machine like this one."""

    def work(executor: LocalExecutor) -> bool:
        groups = 0
        while executor.run_group():
            groups += 1
        return groups > 0

    return _report(job, device, Kind.TIMING, work)


def read_environment_task(
    device: str, precision: str, locked_clocks: str | None, threads: int
) -> MachineEnvironment:
    """The environment of the worker's machine."""
    import torch

    from vosbench.harness.measure.probe import read_environment

    torch.set_num_threads(threads)
    return read_environment(torch.device(device), precision, locked_clocks=locked_clocks)


def _report(job: Job, device: str, kind: Kind, work: Callable[[LocalExecutor], bool]) -> TaskReport:
    tally = Tally()
    worked, stopped = False, None
    if Path(job.folder).is_dir():  # Ray starts tasks in a folder of its own
        os.chdir(job.folder)
    name = f"{device}@{this_host().partition('/')[0]}"
    try:
        with job.executor(device, name, tally, kind, verify=True) as executor:
            worked = work(executor)
    except InputError as error:
        stopped = str(error)
    return TaskReport(worked, tally.frames, stopped)
