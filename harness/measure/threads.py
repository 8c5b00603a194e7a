"""Pins the CPU threads of a timing: how many, and on which cores."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vosbench.baselines.errors import InputError


@dataclass(frozen=True)
class Pinning:
    """Torch's threads, and the cores they may use; no cores where the system can't pin."""

    threads: int
    cores: tuple[int, ...]


def choose_cores(
    available: Sequence[int], physical: Mapping[int, object], threads: int
) -> tuple[int, ...]:
    """``threads`` of the ``available`` cores, one on each physical core as far as they go.

    Args:
        physical: names the physical core of each; hyper-threads of one core share the name.

    Raises:
        InputError: if there are not so many.
    """
    if not 1 <= threads <= len(available):
        raise InputError(f"{threads} threads asked for, {len(available)} cores available: lower it")
    first: list[int] = []
    second: list[int] = []
    seen: set[object] = set()
    for core in sorted(available):
        name = physical.get(core, core)
        (second if name in seen else first).append(core)
        seen.add(name)
    return tuple(sorted((first + second)[:threads]))


def _physical_cores(available: Sequence[int]) -> dict[int, object]:
    names: dict[int, object] = {}
    for core in available:
        siblings = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
        with suppress(OSError):
            names[core] = siblings.read_text().strip()
    return names


def _pin_all(cores: set[int]) -> None:
    """Pin every thread of this process: a thread pool that exists already would stay behind."""
    for task in Path("/proc/self/task").iterdir():
        # A thread may end between the listing and the call.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(task.name), cores)


@contextmanager
def pinned(threads: int | None = None) -> Iterator[Pinning]:
    """Run the block with so many torch threads, on fixed cores; both are put back afterwards.

    Args:
        threads: None keeps torch's number, as far as there are cores.

    Raises:
        InputError: if there are not so many cores.
    """
    import torch

    before = torch.get_num_threads()
    if not hasattr(os, "sched_setaffinity"):
        try:
            torch.set_num_threads(threads or before)
            yield Pinning(threads or before, ())
        finally:
            torch.set_num_threads(before)
        return
    available = sorted(os.sched_getaffinity(0))
    wanted = min(before, len(available)) if threads is None else threads
    cores = choose_cores(available, _physical_cores(available), wanted)
    try:
        torch.set_num_threads(wanted)
        _pin_all(set(cores))
        yield Pinning(wanted, cores)
    finally:
        _pin_all(set(available))
        torch.set_num_threads(before)
