"""Opening files that a user named: regular ones, of at most so many bytes, or one clear line.

A FIFO hangs whoever opens it, a device never ends, and what is far too large fills memory before
anything says so. None of them is opened as if it were data.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

from vosbench.baselines.errors import InputError

MIB = 2**20
PICTURE_BYTES = 256 * MIB
"""The most that a frame or a mask may have; one of 8K, stored without compression, has 100 MiB."""
TEXT_BYTES = 256 * MIB
"""The most that a list or a JSON file may have; the largest public meta.json has 20 MiB."""
SETTINGS_BYTES = MIB
"""The most that a TOML file or a recipe may have."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# A file may turn into a FIFO between the look and the opening; this way that cannot hang.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: Path, at_most: int | None, what: str) -> io.BufferedReader:
    """Open a regular file for reading; links are followed.

    Args:
        path: the file.
        at_most: the most bytes it may have; None for any number.
        what: what it is wanted as, with its article ("a mask"), for the message.

    Raises:
        InputError: it is missing, no regular file, too large, or can't be opened; one line.
    """
    try:
        _require_regular(path, path.stat(), at_most, what)
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # ValueError for a NUL, and InputError is one
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from error
    file = os.fdopen(descriptor, "rb")
    try:
        _require_regular(path, os.fstat(descriptor), at_most, what)
    except InputError:
        file.close()
        raise
    return file


def read_regular(path: Path, at_most: int, what: str) -> bytes:
    """All bytes of a regular file; see :func:`open_regular`."""
    with open_regular(path, at_most, what) as file:
        try:
            content = file.read(at_most + 1)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    # Files of /proc say that they are empty, and others grow.
    if len(content) > at_most:
        raise InputError(_too_large(path, len(content), at_most, what))
    return content


def read_text(path: Path, what: str, at_most: int = TEXT_BYTES) -> str:
    """A regular file as text in UTF-8, a byte-order mark taken off; see :func:`open_regular`."""
    try:
        return read_regular(path, at_most, what).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text, {what} is UTF-8 ({error})") from error


def _require_regular(path: Path, status: os.stat_result, at_most: int | None, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise InputError(f"{path}: {kind}, where {what} is wanted: name a regular file")
    if at_most is not None and status.st_size > at_most:
        raise InputError(_too_large(path, status.st_size, at_most, what))


def _too_large(path: Path, size: int, at_most: int, what: str) -> str:
    return (
        f"{path}: {size / MIB:,.1f} MiB, more than {what} can have "
        f"({at_most / MIB:,.0f} MiB): is it the right file?"
    )
