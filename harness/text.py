"""The one door for text to a terminal, a log or a file; what needs rich is in ``terminal``.

Text from elsewhere is data: on the terminal it is neither markup nor a control sequence, in a
spreadsheet no formula, in Markdown, XML and LaTeX no syntax. Nothing outside this module and its
neighbours makes a console, prints, or escapes (``tests/harness/test_text.py`` looks).
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import escaped, one_line, shown
from vosbench.harness.streams import writing

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN = re.compile(r"([\\|`*_\[\]#~!])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "τ": r"$\tau$", "−": "$-$", "—": "---", "≥": r"$\geq$", "≤": r"$\leq$", "Δ": r"$\Delta$",
}  # fmt: skip


def csv_cell(text: str) -> str:
    """A cell that a spreadsheet shows and doesn't compute: ``=1+1`` becomes ``'=1+1``.

    Numbers stay numbers. What can't be seen is escaped, so that a cell is one line.
    """
    text = escaped(text)
    if text.lstrip()[:1] in _FORMULA and not _is_number(text):
        return f"'{text}"
    return text


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV, with its column names and without its index."""
    guarded = frame.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
    guarded.columns = [csv_cell(str(name)) for name in frame.columns]
    return str(guarded.to_csv(index=False, lineterminator="\n"))


def records_csv(records: Iterable[Mapping[str, Any]]) -> str:
    """Records as CSV, with the first one's names; what isn't known is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for place, record in enumerate(records):
        if place == 0:
            writer.writerow(csv_cell(name) for name in record)
        writer.writerow(_cell(value) for value in record.values())
    return file.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return csv_cell(value)
    if isinstance(value, tuple | list | dict):
        return csv_cell(json.dumps(value))
    return "" if isinstance(value, float) and math.isnan(value) else value


def markdown(text: str) -> str:
    """Text for a line or a table's cell of GitHub's Markdown: no markup, no HTML, no mention."""
    line = _MARKDOWN.sub(r"\\\1", escaped(one_line(text)))
    line = "".join(_HTML.get(character, character) for character in line)
    # A zero-width joiner: GitHub would notify whoever has that name, and link whatever that is.
    return re.sub(r"@(?=\w)|(?<=http)(?=s?://)", lambda at: f"{at[0]}&#8205;", line)


def xml(text: str) -> str:
    """Text without the characters that no XML may hold, escaped or not.

    The writer of the XML escapes the rest.
    """
    return _NOT_XML.sub("\ufffd", text)


def latex(text: str) -> str:
    """Text for LaTeX: every character prints itself."""
    return "".join(_LATEX.get(character, character) for character in escaped(one_line(text)))


def _is_number(text: str) -> bool:
    try:
        Decimal(text.strip())
    except InvalidOperation:
        return False
    return True


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


def parse_names(
    texts: Iterable[str], is_one: Callable[[str], bool] = lambda _: False
) -> tuple[str, ...]:
    """Split comma lists of names; order is kept, repetitions are dropped.

    Where ``is_one`` says that parts with the commas between them are one name, such as that of a
    folder, they stay together: the longest such name at each place.
    """
    names = (name.strip() for text in texts for name in _names_of(text, is_one))
    return tuple(dict.fromkeys(name for name in names if name))


def _names_of(text: str, is_one: Callable[[str], bool]) -> Iterator[str]:
    parts = text.split(",")
    at = 0
    while at < len(parts):
        ends = range(len(parts), at + 1, -1)
        end = next((k for k in ends if is_one(",".join(parts[at:k]).strip())), at + 1)
        yield ",".join(parts[at:end])
        at = end


def names_a_place(name: str) -> bool:
    """Whether a name is, or has behind its colon, the path of something that exists."""
    argument = name.partition(":")[2]
    try:
        return any(Path(text).expanduser().exists() for text in (name, argument) if text)
    except (OSError, RuntimeError, ValueError):  # too long, no such user, a NUL
        return False
