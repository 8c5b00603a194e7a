"""Tables as terminal text, CSV, Markdown and LaTeX."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd
from rich.table import Table

from vosbench.baselines.errors import InputError
from vosbench.harness.terminal import Terminal, lines, plain_table, styled
from vosbench.harness.text import latex, markdown
from vosbench.reports.export import export_frame
from vosbench.reports.results_table import (
    ResultsTable,
    results_latex,
    results_markdown,
    results_rich,
)
from vosbench.reports.table_layout import NOTHING, Cell, Layout

_LONGEST_HEAD = 36
_FORMATS = ".csv, .md, .tex or .txt"


@dataclass(frozen=True)
class PaperTable:
    """A table of the paper, or its claims, beside the database.

    Attributes:
        name: how it was asked for.
        title: what stands above it.
        frame: one row per printed number and run, see the columns of ``compare``.
        layout: the same as lines and cells.
    """

    name: str
    title: str
    frame: pd.DataFrame
    layout: Layout


def to_rich(table: PaperTable) -> Table:
    """The table for a terminal; its notes are the caption."""
    layout = table.layout
    rich = plain_table(*layout.heads, *layout.quantities, "run", caption=lines(layout.notes))
    rich.title, rich.collapse_padding = styled(table.title), True
    rich.columns[0].no_wrap = len(layout.heads) <= 2
    for line in layout.lines:
        rich.add_row(*line.heads, *(cell.text for cell in line.cells), line.runs)
    return rich


def to_text(table: PaperTable | ResultsTable, width: int = 80) -> str:
    """The table as plain text of at most ``width`` columns."""
    out = StringIO()
    rich = results_rich(table) if isinstance(table, ResultsTable) else to_rich(table)
    Terminal(file=out, width=width).print(rich)
    return out.getvalue()


def to_markdown(table: PaperTable) -> str:
    """The table in GitHub's Markdown."""
    layout = table.layout
    heads = [*layout.heads, *layout.quantities, "run"]
    found = [f"**{markdown(table.title)}**", "", _row(heads), _row(["---"] * len(heads))]
    found += [
        _row([*line.heads, *(cell.text for cell in line.cells), line.runs]) for line in layout.lines
    ]
    return "\n".join([*found, "", *(f"- {markdown(note)}" for note in layout.notes), ""])


def to_latex(table: PaperTable) -> str:
    """A ``tabular`` with booktabs rules, no wider than a page; notes below it.

    Published, measured and difference have columns of their own.
    """
    layout = table.layout
    count, quantities = len(layout.heads), layout.quantities
    spans = [rf"\multicolumn{{3}}{{c}}{{{latex(name)}}}" for name in quantities]
    rules = [
        rf"\cmidrule(lr){{{count + 1 + 3 * i}-{count + 3 + 3 * i}}}" for i in range(len(quantities))
    ]
    below = [*map(latex, layout.heads), *(["paper", "ours", "diff."] * len(quantities)), "run"]
    also: dict[str, int] = {}
    body = []
    for line in layout.lines:
        numbers = [text for cell in line.cells for text in _three(cell, also)]
        runs = f"${{}}^{{{latex(line.runs)}}}$" if line.runs else ""
        body.append(_latex_row([*map(_latex_head, line.heads), *numbers, runs]))
    marked = [f"${{}}^{{{number}}}$ {latex(text)}" for text, number in also.items()]
    notes = r"\\ ".join([*marked, *map(latex, layout.notes)])
    return "\n".join(
        [
            f"% {latex(table.title)}; needs \\usepackage{{booktabs}}",
            r"\begingroup\scriptsize\setlength{\tabcolsep}{2pt}",
            rf"\begin{{tabular}}{{{'l' * count}{'rrr' * len(quantities)}l}}",
            r"\toprule",
            _latex_row([*[""] * count, *spans, ""]),
            " ".join(rules),
            _latex_row(below),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}\par\smallskip",
            rf"\raggedright {notes}\par",
            r"\endgroup",
            "",
        ]
    )


def write_table(table: PaperTable | ResultsTable, out: Path) -> Path:
    """Write a table in the format of the extension of ``out``; returns ``out``.

    CSV has one row per number or setting; the others are laid out.

    Raises:
        InputError: another extension, or a place that can't be written.
    """
    extension = out.suffix.lower()
    if extension == ".csv":
        return export_frame(table.frame, out)
    if extension not in (".md", ".tex", ".txt"):
        raise InputError(f"{out}: a table's file ends in {_FORMATS}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(_text(table, extension), encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror}") from None
    return out


def _text(table: PaperTable | ResultsTable, extension: str) -> str:
    if extension == ".txt":
        return to_text(table, 120)
    if isinstance(table, ResultsTable):
        return results_markdown(table) if extension == ".md" else results_latex(table)
    return to_markdown(table) if extension == ".md" else to_latex(table)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(markdown, cells))} |"


def _three(cell: Cell, also: dict[str, int]) -> tuple[str, str, str]:
    """The cell's columns; what other tables print becomes a numbered note in ``also``."""
    value, opened, others = cell.published.partition(" (")
    note = ""
    if opened:
        note = f"${{}}^{{{also.setdefault(others.removesuffix(')'), len(also) + 1)}}}$"
    measured = f"{cell.measured}*" if cell.flagged else cell.measured
    return f"{latex(value)}{note}", latex(measured or NOTHING), latex(cell.difference)


def _latex_head(text: str) -> str:
    """A line's name; a long one in lines of its own."""
    long = len(text) > _LONGEST_HEAD
    return rf"\parbox[t]{{0.3\linewidth}}{{\raggedright {latex(text)}}}" if long else latex(text)


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
