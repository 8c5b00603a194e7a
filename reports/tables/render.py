"""Tables as terminal text, CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd
from rich.table import Table

from vosbench.baselines.errors import InputError
from vosbench.harness.text.formats import latex, markdown
from vosbench.harness.text.terminal import Terminal, lines, plain_table, styled
from vosbench.reports.export import export_frame
from vosbench.reports.tables.layout import NOTHING, Cell, Layout

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


def to_text(table: PaperTable, width: int = 80) -> str:
    """The table as plain text of at most ``width`` columns."""
    out = StringIO()
    Terminal(file=out, width=width).print(to_rich(table))
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
    """A ``tabular`` with booktabs rules; published, measured and difference in own columns."""
    layout = table.layout
    count = len(layout.heads)
    quantities = layout.quantities
    spans = [rf"\multicolumn{{3}}{{c}}{{{latex(name)}}}" for name in quantities]
    rules = [
        rf"\cmidrule(lr){{{count + 1 + 3 * i}-{count + 3 + 3 * i}}}" for i in range(len(quantities))
    ]
    below = [*map(latex, layout.heads), *(["paper", "ours", "diff."] * len(quantities)), "run"]
    body = []
    for line in layout.lines:
        numbers = [latex(text) for cell in line.cells for text in _three(cell)]
        runs = f"${{}}^{{{latex(line.runs)}}}$" if line.runs else ""
        body.append(_latex_row([*map(latex, line.heads), *numbers, runs]))
    width = count + 3 * len(quantities) + 1
    notes = [
        rf"\multicolumn{{{width}}}{{p{{\linewidth}}}}{{\footnotesize {latex(note)}}} \\"
        for note in layout.notes
    ]
    return "\n".join(
        [
            f"% {latex(table.title)}; needs \\usepackage{{booktabs}}",
            rf"\begin{{tabular}}{{{'l' * count}{'rrr' * len(quantities)}l}}",
            r"\toprule",
            _latex_row([*[""] * count, *spans, ""]),
            " ".join(rules),
            _latex_row(below),
            r"\midrule",
            *body,
            r"\bottomrule",
            *notes,
            r"\end{tabular}",
            "",
        ]
    )


def write_table(table: PaperTable, out: Path) -> Path:
    """Write a table in the format of the extension of ``out``; returns ``out``.

    CSV has one row per printed number and run; the others are laid out.

    Raises:
        InputError: another extension, or a place that can't be written.
    """
    if out.suffix.lower() == ".csv":
        return export_frame(table.frame, out)
    writers: Mapping[str, Callable[[PaperTable], str]] = {
        ".md": to_markdown,
        ".tex": to_latex,
        ".txt": lambda table: to_text(table, 120),
    }
    write = writers.get(out.suffix.lower())
    if write is None:
        raise InputError(f"{out}: a table's file ends in {_FORMATS}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(write(table), encoding="utf-8")
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror}") from None
    return out


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(map(markdown, cells))} |"


def _three(cell: Cell) -> tuple[str, str, str]:
    measured = f"{cell.measured}*" if cell.flagged else cell.measured
    return cell.published, measured or NOTHING, cell.difference


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
