"""Text from elsewhere (names, errors, files): made fit to be shown, and names that are refused.

What a plug-in, a file or another person's database says is data. Shown, it takes one line, is cut
to a few hundred characters, and what can't be seen is written out.
"""

from __future__ import annotations

import re

from vosbench.baselines.errors import InputError

SHOWN = 480
"""Most characters of a text that are shown; where more is known of it, the database has it."""

_WORKFLOW_COMMAND = re.compile(r"::(?=[A-Za-z][\w-]*(?:\s[^:]*)?::)|##(?=\[)")
"""What CI services obey in a log: ``::error::`` at a line's start, ``##[error]`` anywhere."""


def shown(text: str, most: int = SHOWN) -> str:
    """``text`` as one line that can be printed anywhere.

    Control characters, invisible ones and lone surrogates are escaped as in a Python string; a
    long text loses its middle, since an error's end says what to do. Takes no longer for a word
    of a megabyte than for a sentence.
    """
    if len(text) > most:
        tail = most // 3
        head = most - tail
        left_out = f" … {len(text) - head - tail:,} more characters … "
        text = f"{escaped(text[:head])}{left_out}{escaped(text[-tail:])}"
    else:
        text = escaped(text)
    return text


def escaped(text: str) -> str:
    """``text`` with all that can't be seen, or that a CI service obeys, written out."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escape(c) for c in text)
    return _WORKFLOW_COMMAND.sub(lambda found: _escape(found[0][0]) + found[0][1:], text)


def one_line(text: str) -> str:
    """``text`` without line breaks, as errors are stored; nothing else is changed."""
    return " ".join(text.split())


def error_text(error: BaseException) -> str:
    """``Kind: message`` in one line, also of an error that can't say what it is."""
    try:
        said = str(error)
    except Exception as second:
        said = f"(its message can't be made: {type(second).__name__})"
    return one_line(f"{type(error).__name__}: {said}")


def plain_name(name: str, what: str) -> str:
    """``name``, if every character of it can be seen.

    Raises:
        InputError: a control character, an invisible one or broken Unicode; ``what`` says whose.
    """
    if not name.isprintable():
        bad = next(c for c in name if not c.isprintable())
        raise InputError(
            f"{what} '{shown(name, 120)}' holds the unprintable character {_escape(bad)}: rename it"
        )
    return name


def _escape(character: str) -> str:
    code = ord(character)
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if named is not None:
        return named
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
