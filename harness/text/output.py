"""Lines and data on standard output and error; without rich, which takes a while to import."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import shown
from vosbench.harness.text.streams import writing


def say(text: str) -> None:
    """Print one line to standard output."""
    with writing():
        print(shown(text), flush=True)


def complain(text: str) -> None:
    """Print one line to standard error, named as this program's."""
    with suppress(OSError, ValueError):  # nobody can be told that nobody can be told
        print(f"vosbench: {shown(' '.join(text.split()))}", file=sys.stderr, flush=True)


def json_text(value: Any, *, indent: int | None = 1) -> str:
    """JSON of pure ASCII, which no terminal, log or encoding stumbles over; nothing is cut."""
    return json.dumps(value, indent=indent).replace("##[", "\\u0023#[")


def write_out(text: str) -> None:
    """Write data (JSON, CSV) to standard output as it is."""
    with writing():
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()


STDOUT = "-"
"""The path that means standard output."""


def write_file(path: Path | str, text: str, *, quiet: bool = False) -> None:
    """Write a text file as a whole and say so; ``-`` is standard output.

    Raises:
        InputError: a place that can't be written.
    """
    if str(path) == STDOUT:
        write_out(text)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write {path}: {error.strerror or error}") from None
    if not quiet:
        say(f"wrote {path}")
