"""Who works on a trial, and whether that process is still there."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Worker:
    """One worker: a process, or one of several in it.

    Attributes:
        name: told apart by people, e.g. ``cuda:0``.
        host, pid, process_started: the process; see :func:`this_host`.
        environment_key: comparability key of its machine; it is given timing trials of this
            environment only. The environment is stored before.
        version: the program's version, with its commit where known.
    """

    name: str
    host: str
    pid: int
    process_started: str | None
    environment_key: str | None = None
    version: str = ""

    @classmethod
    def here(cls, name: str, *, environment_key: str | None = None, version: str = "") -> Worker:
        """A worker in this process."""
        pid = os.getpid()
        return cls(name, this_host(), pid, process_started(pid), environment_key, version)


def this_host() -> str:
    """A name for the space in which a process id means one process.

    On Linux: host name, boot and process namespace, so that neither a restart nor a container
    of the same name is taken for this one.
    """
    parts = [socket.gethostname()]
    try:
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text().strip()[:13])
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    except OSError:
        pass
    return "/".join(parts)


def is_gone(host: str, pid: int, started: str | None) -> bool:
    """Whether that process has ended, for certain; False where it can't be known from here."""
    if host != this_host() or sys.platform == "win32":
        return False
    if started is not None:
        return process_started(pid) != started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def process_started(pid: int) -> str | None:
    """When a live process began, in the kernel's ticks since boot; None if there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field, the program's name, may hold anything: count from its last bracket.
    values = stat.rpartition(")")[2].split()
    is_dead = values[0] in {"Z", "X"}
    return None if is_dead else values[19]
