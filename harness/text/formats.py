"""Text inside files of other people's syntax: one function for each."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from vosbench.baselines.text import escaped, one_line

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
