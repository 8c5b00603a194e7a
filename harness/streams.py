"""Standard output and error as they are found: closed, full, or of an encoding without Greek."""

from __future__ import annotations

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_PLAIN = {"τ": "tau", "₂": "2", "→": "->", "≥": ">=", "≤": "<=", "█": "#", "–": "-", "—": "-"}
_PLAIN |= {"…": "...", "Δ": "Delta", "≈": "~", "×": "x", "·": ".", "−": "-", "†": "*"}


def prepare() -> None:
    """Make both streams fit to be written to, whatever the shell handed over."""
    # A file opened while 0, 1 or 2 is closed would get that number, and be written into.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    codecs.register_error("vosbench", _in_plain_letters)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="vosbench")


class OutputLost(Exception):  # noqa: N818 - nothing of ours failed
    """Standard output can't be written; the message says why, and is empty if its reader left."""


@contextmanager
def writing() -> Iterator[None]:
    """Around whatever is written to standard output: raises OutputLost where that fails."""
    try:
        yield
    except OSError as error:
        raise OutputLost(_reason(error)) from error


def why_lost(stream: TextIO) -> str | None:
    """Why what is left in a stream can't be written, or None; as the message of OutputLost."""
    try:
        stream.flush()
    except OSError as error:
        return _reason(error)
    except ValueError:  # closed by us
        return None
    return None


def _reason(error: OSError) -> str:
    return "" if error.errno == errno.EPIPE else error.strerror or str(error)


def silence(stream: TextIO) -> None:
    """Let nothing more be written, so that the interpreter's end doesn't fail over it."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """τ as ``tau`` where there is no τ, and the rest escaped."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    plain = (_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode("ascii") for c in part)
    return "".join(plain), error.end
