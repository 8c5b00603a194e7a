"""Accuracy trials in several processes of this machine (``vosbench run --jobs N``).

Each process claims for itself, so the store keeps them apart; this one starts them, shows what
they do, takes back the trials of those that died, as it knows how, and starts others for them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import NoReturn, cast

from vosbench.baselines.errors import InputError
from vosbench.harness.interrupts import held_back, interruptible, released
from vosbench.harness.store import Storage
from vosbench.harness.sweep.events import Event, Listener, Stopped, told
from vosbench.harness.sweep.job import Job
from vosbench.harness.trials import Kind

_REPLACEMENTS = 3
"""How many workers are replaced, per place, that were killed or died without a trial."""
_TAKE_BACK_S = 2.0
"""How often this process looks for workers, of whatever machine, that were lost."""
_FIRST_GRACE_S, _GRACE_S = 0.5, 10.0


@dataclass
class _Seat:
    """A place for a worker: the process that has it now, and its last word."""

    index: int
    process: BaseProcess
    events: Connection
    replaced: int = 0
    said: Stopped | None = None


@dataclass
class ProcessExecutor:
    """Several workers, each a process with its share of threads.

    Attributes:
        job: the work; its threads are those of one worker.
        devices: the workers' devices; worker i takes the i-th, over and over.
        workers: how many.
        tell: who wants to know, by the worker's number.
        start_method: as multiprocessing names it; a fork would inherit open databases and CUDA.
    """

    job: Job
    devices: tuple[str, ...]
    workers: int
    tell: Callable[[int], Listener]
    start_method: str = "spawn"
    _seats: list[_Seat] = field(default_factory=list)
    _processes: dict[int | None, BaseProcess] = field(default_factory=dict)
    _problem: str | None = None

    def run(self) -> None:
        """Work until no accuracy trial of the plan is left.

        Raises:
            InputError: what the user can mend, from a worker; or workers die over and over.
            RuntimeError: a worker ended with a fault of ours, whose traceback it has printed.
        """
        context = multiprocessing.get_context(self.start_method)
        self._take_back(self.tell(0))
        looked_s = time.monotonic()
        try:
            self._seats = [self._seat(context, index) for index in range(self.workers)]
            while self._seats:
                for events in wait([seat.events for seat in self._seats], _TAKE_BACK_S):
                    seat = next(seat for seat in self._seats if seat.events is events)
                    self._hear(context, seat)
                if time.monotonic() - looked_s > _TAKE_BACK_S:
                    self._take_back(self.tell(0))
                    looked_s = time.monotonic()
        except BaseException:
            self._end_all()
            raise
        if self._problem is not None:
            raise InputError(self._problem)

    def _seat(self, context: BaseContext, index: int, replaced: int = 0) -> _Seat:
        events, sending = context.Pipe(duplex=False)
        device = self.devices[index % len(self.devices)]
        name = f"{device}#{index + 1}"
        # Types of a context's process differ between platforms.
        process = cast(
            BaseProcess,
            context.Process(  # type: ignore[attr-defined]
                target=_work, args=(self.job, device, name, sending), name=f"vosbench {name}"
            ),
        )
        with held_back():  # what comes before it can hand anything back waits until it can
            process.start()
        self._processes[process.pid] = process
        sending.close()  # ours: the worker's end alone stays open, and closes when it ends
        return _Seat(index, process, events, replaced)

    def _hear(self, context: BaseContext, seat: _Seat) -> None:
        try:
            event: Event = seat.events.recv()
        except (EOFError, OSError):  # it ended, perhaps in the middle of a message
            self._ended(context, seat)
            return
        if isinstance(event, Stopped):
            seat.said = event
            self._problem = self._problem or event.message
        self.tell(seat.index)(event)

    def _ended(self, context: BaseContext, seat: _Seat) -> None:
        seat.process.join()
        seat.events.close()
        self._seats.remove(seat)
        if seat.said is not None:
            if seat.said.fault:
                raise RuntimeError(f"{seat.process.name} ended with a fault; see above")
            return
        how = _how(seat.process)
        charged = self._take_back(self.tell(seat.index))
        # Trials that end their process come to an end; what else kills it may go on for ever.
        bounded = charged and (seat.process.exitcode or 0) >= 0
        replaced = seat.replaced + (0 if bounded else 1)
        if replaced <= _REPLACEMENTS:
            self._seats.append(self._seat(context, seat.index, replaced))
        elif not self._seats:
            raise InputError(
                f"workers die over and over ({how}); they may be killed because memory is short: "
                "use fewer --jobs"
            )

    def _take_back(self, tell: Listener) -> bool:
        """Take back the trials of lost workers, and tell of them; whether there were any.

        The store is opened for it alone: a process that is forked must not inherit it.
        """
        with Storage.open(self.job.db, busy_timeout_s=self.job.busy_timeout_s) as storage:
            lost = storage.release_stale(self._how_ended)
        for event in told(lost):
            tell(event)
        return bool(lost)

    def _how_ended(self, pid: int) -> str | None:
        """How one of the workers ended, which is known to be dead."""
        process = self._processes.get(pid)
        if process is None:
            return None
        process.join()
        return _how(process)

    def _end_all(self) -> None:
        """Let workers hand their trials back; kill those that don't end soon."""
        for seat in self._seats:
            seat.process.join(_FIRST_GRACE_S)  # a terminal's Ctrl-C reaches them without us
            if seat.process.is_alive() and seat.process.pid is not None:
                os.kill(seat.process.pid, signal.SIGTERM)
        for seat in self._seats:
            seat.process.join(_GRACE_S)
            if seat.process.is_alive():
                seat.process.kill()
                seat.process.join()


def _work(job: Job, device: str, name: str, events: Connection) -> None:
    """A worker's life."""
    threading.Thread(target=_end_with_parent, name="vosbench-parent", daemon=True).start()

    def send(event: Event) -> None:
        with suppress(BrokenPipeError):  # whoever would show it is gone, and so are we soon
            events.send(event)

    try:
        # A second signal is the parent's business: this worker hands back whatever happens.
        with interruptible(hurries=False):
            released()
            with job.executor(device, name, send, Kind.ACCURACY, verify=False) as executor:
                executor.run(takes_back=False)
    except InputError as error:
        send(Stopped(str(error)))
    except KeyboardInterrupt:
        send(Stopped())  # its trials are handed back
    except BaseException:
        send(Stopped(fault=True))
        raise
    else:
        send(Stopped())
    events.close()


def _how(process: BaseProcess) -> str:
    """How a process ended."""
    status = process.exitcode or 0
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def _end_with_parent() -> NoReturn:
    """Don't outlive a parent that was killed: its user thinks that the sweep has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
