"""SIGINT, SIGTERM and SIGHUP: the first asks the work to end in order, the second ends it at once.

Batch systems, containers and closed terminals stop programs by the latter two; all three are
treated alike. The main thread learns of the first one by an exception, wherever it is; a thread
watches for the second, so that it is heard also while the main thread waits for a library.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_SAME_S, _SAME_HANGUP_S = 0.1, 1.0
"""`timeout` and closing terminals signal twice: so soon after the first it is the same one."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupts:
    """What this process was asked: at most one is in force, see :func:`interruptible`."""

    def __init__(self, *, hurries: bool) -> None:
        self.first: int | None = None
        self.deferred = False
        self._hurries = hurries

    def install(self) -> None:
        """Handle the signals, except those that whoever started us had ignored (``nohup``)."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def check(self) -> None:
        """Raise what a library or plug-in may have swallowed."""
        if self.first is not None:
            raise Interrupted(self.first)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = number
            if not self.deferred:
                raise Interrupted(number)

    def watch(self, wakes: socket.socket) -> None:
        """End the process at the second signal; ``wakes`` tells each by a byte, 0 for the end."""
        began_s: float | None = None
        while (heard := wakes.recv(1)) and heard[0]:
            now_s, number = time.monotonic(), heard[0]
            if number not in SIGNALS:
                continue
            if began_s is None:
                began_s = now_s
                continue
            same_s = _SAME_HANGUP_S if number == getattr(signal, "SIGHUP", 0) else _SAME_S
            if self._hurries and now_s - began_s > same_s:
                name = signal.Signals(number).name
                said = "ended at once; the next run takes over what was in work"
                os.write(2, f"vosbench: {name} again: {said}\n".encode())
                os._exit(128 + number)


_now: list[Interrupts] = []


def check_interrupts() -> None:
    """Raise :class:`Interrupted` if this process was asked to end."""
    if _now:
        _now[-1].check()


@contextmanager
def deferred() -> Iterator[Callable[[], None]]:
    """Let nothing be raised before the yielded function is called, or the block ends.

    What is taken in such a block is in the hands of whoever gives it back by then.
    """
    found = _now[-1] if _now else None

    def resume() -> None:
        if found is not None:
            found.deferred = False
            found.check()

    if found is not None:
        found.deferred = True
    try:
        yield resume
    finally:
        if found is not None:
            found.deferred = False
    resume()


def reinstall() -> None:
    """Take the signals back from a library that took them over."""
    if _now:
        _now[-1].install()


@contextmanager
def interruptible(*, hurries: bool = True) -> Iterator[Interrupts]:
    """Turn the signals into :class:`Interrupted` while the block runs.

    Outside the main thread, where Python takes no signals, nothing changes.

    Args:
        hurries: a second signal ends the process; workers leave that to their parent.
    """
    found = Interrupts(hurries=hurries)
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    watched, wakes = socket.socketpair()
    wakes.setblocking(False)
    fd_before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=found.watch, args=(watched,), name="vosbench-signals", daemon=True
    )
    watcher.start()
    found.install()
    _now.append(found)
    try:
        yield found
    finally:
        _now.remove(found)
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)
        signal.set_wakeup_fd(fd_before, warn_on_full_buffer=False)
        wakes.send(b"\0")
        watcher.join()
        wakes.close()
        watched.close()


@contextmanager
def held_back() -> Iterator[None]:
    """Keep the signals pending, also for processes started in the block: see :func:`released`."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def released() -> None:
    """Take what was kept pending for this process since it was started."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
