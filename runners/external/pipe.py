"""A child process and the pipe to it: every read and write has a deadline."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from vosbench.baselines.errors import InputError
from vosbench.runners.external.child.vosbench_child import MAGIC, PREFIX, Message

_TAIL_LINES = 30
_CHUNK_BYTES = 1 << 20
_LINE_BYTES = 4096
_ENDING_S = 2.0
"""How long a child may take to go by itself once its pipe is closed."""
_ROUNDS = 20
"""How often to look for what a child started: that may start more while it is killed."""
_MOST_HEADER_BYTES = 1 << 20
_MOST_BODY_BYTES = 1 << 30


class ChildFault(RuntimeError):  # noqa: N818 - said of the child, not raised by it
    """The child died, hangs or talks nonsense; the first line says so, its stderr follows."""


class Child:
    """A running child; killed with all its own children when this object goes.

    Those that it started are its process group and, on Linux, all that inherited a mark in its
    environment: also who began a session of their own, or lost their parent.

    Args:
        command: program and arguments.
        folder: where it runs.
        env: its whole environment.

    Raises:
        InputError: the program can't be started.
    """

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        mark = f"VOSBENCH_CHILD_{uuid.uuid4().hex}"  # a name, so that marks add up when nested
        try:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**env, mark: "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that a shell's or conda's child ends with it
            )
        except OSError as error:
            raise InputError(f"can't start '{command[0]}': {error.strerror}") from error
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None
        assert stdout is not None
        assert stderr is not None
        self._to, self._from = stdin, stdout
        os.set_blocking(stdin.fileno(), False)
        os.set_blocking(stdout.fileno(), False)
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        # The thread knows the pipe and the lines only, so that it keeps no child alive.
        self._reader = threading.Thread(target=_drain, args=(stderr, self._tail), daemon=True)
        self._reader.start()
        self._mark = mark
        self._end = weakref.finalize(self, _end, self._process, mark)

    def ask(self, request: bytes, timeout_s: float, doing: str) -> Message:
        """Send a request and wait for its answer.

        Raises:
            ChildFault: it died, took longer than ``timeout_s``, or answered with an error or
                with no message at all; it is ended in each case.
        """
        deadline_s = time.monotonic() + timeout_s
        try:
            self._write(request, deadline_s)
            message = self._read(deadline_s)
        except TimeoutError:
            raise self._fault(f"hangs: no answer for {timeout_s:g} s while {doing}") from None
        except (BrokenPipeError, EOFError):
            raise self._fault(f"died while {doing}", with_status=True) from None
        except ValueError as error:
            raise self._fault(f"broke the protocol while {doing}: {error}") from error
        if "error" in message.header:
            raise self._fault(f"failed while {doing}: {message.header['error']}")
        return message

    def close(self) -> None:
        """End the child: it may go by itself for a moment, then it is killed."""
        self._end()

    def _write(self, data: bytes, deadline_s: float) -> None:
        view = memoryview(data)
        fd = self._to.fileno()
        while view:
            _wait(fd, selectors.EVENT_WRITE, deadline_s)
            with suppress(BlockingIOError):
                view = view[os.write(fd, view[:_CHUNK_BYTES]) :]

    def _read(self, deadline_s: float) -> Message:
        prefix = self._exactly(PREFIX.size, deadline_s)
        magic, header_bytes, body_bytes = PREFIX.unpack(prefix)
        if magic != MAGIC or header_bytes > _MOST_HEADER_BYTES or body_bytes > _MOST_BODY_BYTES:
            raise ValueError(f"its stdout begins with {prefix!r}, which is no message")
        header = json.loads(self._exactly(header_bytes, deadline_s))
        if not isinstance(header, dict):
            raise ValueError("a header is no JSON object")
        return Message(header, self._exactly(body_bytes, deadline_s))

    def _exactly(self, count: int, deadline_s: float) -> bytes:
        parts, left = [], count
        fd = self._from.fileno()
        while left:
            _wait(fd, selectors.EVENT_READ, deadline_s)
            with suppress(BlockingIOError):
                part = os.read(fd, min(left, _CHUNK_BYTES))
                if not part:
                    raise EOFError
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    def _fault(self, what: str, *, with_status: bool = False) -> ChildFault:
        if with_status:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_S)
            what += _status(self._process.poll())
        _kill(self._process, self._mark)
        self._reader.join(_ENDING_S)
        self._end()
        lines = list(self._tail)
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        first = f"the child {what}" + (f"; its stderr ends: {last}" if last else "")
        shown = "".join(f"\n  {line}" for line in lines)
        return ChildFault(f"{first}\nstderr of the child:{shown or ' nothing'}")


def _status(code: int | None) -> str:
    if code is None:
        return " (its stdout is closed)"
    if code < 0:
        return f" (killed by {signal.Signals(-code).name})"
    return f" (exit status {code})"


def _wait(fd: int, event: int, deadline_s: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, event)
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not selector.select(left_s):
            raise TimeoutError


def _drain(stream: IO[bytes], tail: deque[str]) -> None:
    with stream:
        for line in iter(lambda: stream.readline(_LINE_BYTES), b""):
            tail.append(line.decode(errors="replace").rstrip())


def _end(process: subprocess.Popen[bytes], mark: str) -> None:
    """Close the pipe, which tells the child to go; kill it, and all that it started."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_ENDING_S)
    _kill(process, mark)


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(_ROUNDS):
        left = tuple(_marked(mark))
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> Iterator[int]:
    """Processes that have the mark in their environment; none where there is no /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        # Gone meanwhile, a zombie, or somebody else's.
        with suppress(OSError):
            if f"{mark}=".encode() in (folder / "environ").read_bytes():
                yield int(folder.name)
