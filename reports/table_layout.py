"""A comparison laid out as a table of texts: the same for terminal, Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import pandas as pd

NOTHING = "—"
FLAG = "*"


@dataclass(frozen=True)
class Cell:
    """One quantity of one line.

    Attributes:
        published: as printed, with what other tables print; "—" where there is none.
        measured, difference: "" where nothing was measured.
        flagged: measured, but not comparable.
    """

    published: str
    measured: str = ""
    difference: str = ""
    flagged: bool = False

    @property
    def text(self) -> str:
        """``76.4 / 75.0 (−1.4)*``."""
        if not self.measured:
            return f"{self.published} / {NOTHING}"
        change = f" ({self.difference})" if self.difference else ""
        return f"{self.published} / {self.measured}{change}{FLAG if self.flagged else ''}"


@dataclass(frozen=True)
class Line:
    """One line: what it is about, its cells, and letters that stand for its runs."""

    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    runs: str


@dataclass(frozen=True)
class Layout:
    """A laid-out table.

    Attributes:
        heads: names of the first columns.
        quantities: names of the columns that hold numbers.
        lines: top to bottom.
        notes: what stands below, one line each.
    """

    heads: tuple[str, ...]
    quantities: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]


def lay_out(comparison: pd.DataFrame, heads: dict[str, str]) -> Layout:
    """Lay a comparison out.

    Args:
        comparison: of :func:`~.compare.compare`, or of claims with a ``row`` and a ``quantity``.
        heads: columns that lead a line, and their titles.
    """
    quantities = tuple(dict.fromkeys(comparison["quantity"]))
    letters: dict[str, str] = {}
    lines: list[Line] = []
    for _, printed in comparison.groupby("row", sort=False):
        lines += _lines(printed, quantities, list(heads), letters)
    notes = [*_own_remarks(comparison), *(f"{letter}: {run}" for run, letter in letters.items())]
    if any(cell.flagged for line in lines for cell in line.cells):
        notes.insert(0, f"{FLAG} not comparable, for the reasons given here")
    notes.insert(0, "published / measured (difference)")
    return Layout(tuple(heads.values()), quantities, tuple(lines), tuple(notes))


def _lines(
    printed: pd.DataFrame, quantities: tuple[str, ...], heads: list[str], letters: dict[str, str]
) -> list[Line]:
    """As many lines as some quantity has runs."""
    by_quantity = {
        quantity: rows.to_dict("records")
        for quantity, rows in printed.groupby("quantity", sort=False)
    }
    count = max(len(rows) for rows in by_quantity.values())
    first = printed.iloc[0]
    lines = []
    for index in range(count):
        cells, runs = [], []
        for quantity in quantities:
            rows = by_quantity.get(quantity, [])
            row = rows[index] if index < len(rows) else None
            if row is None:
                cells.append(_cell(rows[0] | {"measured": None} if rows else None))
                continue
            cells.append(_cell(row))
            if pd.notna(row["measured"]):
                runs.append(letters.setdefault(_run(row), _letter(len(letters))))
        shown = tuple(_head(first[name]) for name in heads)
        lines.append(Line(shown, tuple(cells), ", ".join(dict.fromkeys(runs))))
    return lines


def _own_remarks(comparison: pd.DataFrame) -> list[str]:
    """What keeps a quantity from comparing whatever the run, one line each."""
    measured = comparison[comparison["measured"].notna()]
    lines = []
    for row in measured.to_dict("records"):
        own = row["remark"].removeprefix(row["run_remark"]).removeprefix("; ")
        if own:
            name = row["quantity"] if "method" in row else row["claim"]
            lines.append(f"{name}: {own}")
    return list(dict.fromkeys(lines))


def _cell(row: dict[Any, Any] | None) -> Cell:
    if row is None:
        return Cell(NOTHING)
    published = NOTHING if pd.isna(row["published"]) else str(float(row["published"]))
    if row.get("also_published"):
        published = f"{published} ({row['also_published']})"
    value = row["measured"]
    if value is None or pd.isna(value):
        return Cell(published)
    digits = 3 if row["unit"] == "ratio" else 1
    change = row["difference"]
    return Cell(
        published,
        f"{value:.{digits}f}",
        "" if pd.isna(change) else f"{change:+.{digits}f}".replace("-", "−"),
        not row["comparable"],
    )


def _run(row: dict[Any, Any]) -> str:
    """A run as the notes describe it."""
    note = f" ({row['weights_note']})" if row["weights_note"] else ""
    parts = [
        str(row["model"]),
        f"weights {row['weights']}{note}" if row["weights"] else "",
        f"{row['protocol']}, {row['clips']} sequence{'s' if row['clips'] != 1 else ''}",
        ", ".join(filter(None, [row["device"], row["conditions"]]))
        if isinstance(row["device"], str)
        else "",
        f"not comparable: {row['run_remark']}" if row["run_remark"] else "",
    ]
    return "; ".join(filter(None, parts))


def _head(value: Any) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return str(value)


def _letter(index: int) -> str:
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, len(ascii_lowercase))
        letters = ascii_lowercase[rest] + letters
    return letters
