"""One timing at a time on a device, across processes."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.baselines.errors import SurroundingsError
from vosbench.baselines.parsing import user_folder
from vosbench.harness.measure.nvml import cuda_uuid

if TYPE_CHECKING:
    import torch

POLL_S = 0.1


def lock_folder() -> Path:
    """Where locks lie: ``VOSBENCH_LOCK_DIR``, else in the user's cache.

    Not the temporary or runtime folder: batch systems give each job its own.
    """
    chosen = os.environ.get("VOSBENCH_LOCK_DIR")
    if chosen:
        return Path(chosen)
    return user_folder("XDG_CACHE_HOME", ".cache") / "vosbench" / "locks"


def device_id(device: torch.device) -> str:
    """The device's name for its lock: ``cpu``, or the GPU's UUID, which no visibility changes."""
    return cuda_uuid(device) if device.type == "cuda" else device.type


def lock_path(device_id: str, folder: Path | None = None) -> Path:
    """The lock file of a device of this machine; home folders may be shared by several."""
    name = re.sub(r"[^\w.-]", "_", f"{socket.gethostname()}-{device_id}")
    return (folder or lock_folder()) / f"{name}.lock"


def holder(path: Path) -> int | None:
    """Process id that the lock's holder wrote; None if it has not yet."""
    text = path.read_text().strip() if path.is_file() else ""
    return int(text) if text.isdecimal() else None


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def hold(
    device_id: str,
    *,
    wait_s: float = 0.0,
    folder: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
    now_s: Callable[[], float] = time.monotonic,
) -> Iterator[Path]:
    """Hold the device for the block, and give it back even if the process is killed.

    Args:
        device_id: see :func:`device_id`.
        wait_s: how long to wait for another holder at most; 0 refuses at once.

    Raises:
        SurroundingsError: if another process, which is named, holds the device; or if the lock file
            can't be written.
    """
    path = lock_path(device_id, folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SurroundingsError(
            f"{path}: {error.strerror}; set VOSBENCH_LOCK_DIR elsewhere"
        ) from error
    try:
        end_s = now_s() + wait_s
        while not _try(descriptor):
            if now_s() >= end_s:
                who = holder(path)
                by = f"process {who}" if who else "another process"
                raise SurroundingsError(f"{device_id} is being timed by {by}: wait for it to end")
            sleep(POLL_S)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield path
        os.ftruncate(descriptor, 0)
    finally:
        # The file stays: removing it would let two processes lock two files of one name.
        os.close(descriptor)
