"""Any selection of results as one table: the best of each column marked, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
from rich.table import Table

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection
from vosbench.harness.terminal import lines, plain_table, styled
from vosbench.harness.text import latex, markdown
from vosbench.reports.frames import measured
from vosbench.reports.intervals import NOTE as INTERVAL_NOTE
from vosbench.reports.intervals import with_intervals
from vosbench.reports.labels import machine_names, remarks
from vosbench.reports.table_own import chosen_rows

NAME = "results"
BUSY = "†"


@dataclass(frozen=True)
class ResultQuantity:
    """A column: where its value and limits are, its unit's factor and digits, what is better."""

    name: str
    title: str
    factor: float = 100.0
    limits: tuple[str, str] | None = None
    ranked: bool = True


QUANTITIES = (
    ResultQuantity("jf_mean", "J&F", limits=("jf_low", "jf_high")),
    ResultQuantity("j_mean", "J"),
    ResultQuantity("f_mean", "F"),
    ResultQuantity("reuse_rate", "reuse", limits=("reuse_low", "reuse_high"), ranked=False),
    ResultQuantity("fps", "FPS", factor=1.0, limits=("fps_low", "fps_high")),
)
"""In %, frames a second; the reuse rate is no merit."""


@dataclass(frozen=True)
class Value:
    """A number as it is written, its limits, and its rank: 1 best, 2 second, 0 neither."""

    text: str = ""
    limits: str = ""
    rank: int = 0
    mark: str = ""


@dataclass(frozen=True)
class Section:
    """Lines of one panel: measured on the same sequences and, if timed, on the same machine."""

    title: str
    lines: tuple[tuple[tuple[str, str], tuple[Value, ...]], ...]


@dataclass(frozen=True)
class ResultsTable:
    """A table of results: columns, sections, notes, and the numbers as a frame."""

    columns: tuple[ResultQuantity, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    frame: pd.DataFrame


def results_table(
    source: Readable,
    where: Selection,
    rows: Mapping[str, str] = {},
    taus: Sequence[Decimal] = (),
) -> ResultsTable:
    """All settings of ``where``, one line each, apart for each set of sequences and machine.

    Args:
        source: a file, a URL, or an open database.
        where: which trials.
        rows: models or curves to show, in that order, and what to call them; all, if empty.
        taus: only these thresholds, and what has none; all, if empty.

    Raises:
        InputError: nothing was measured, a database that can't be read, an unknown row.
    """
    found = measured(source, where)
    found = found[found["jf_mean"].notna() | found["fps"].notna()]
    if taus:
        found = found[[tau is None or tau in taus for tau in found["tau"]]]
    found = found.assign(label=found["curve"])
    if rows:
        found = pd.concat([part.assign(label=text) for text, part in chosen_rows(found, rows)])
    if found.empty:
        raise InputError("no complete trial matches: see what there is with `vosbench results`")
    found = with_intervals(source, found.reset_index(drop=True))
    machines = pd.Series(machine_names(found), found.index)
    several = found["environment_key"].dropna().nunique() > 1
    found["panel"] = found["evaluation"] + (", " + machines if several else "")
    found["panel"] = found["panel"].str.removesuffix(", ")
    columns = tuple(q for q in QUANTITIES if q.name in found and found[q.name].notna().any())
    sections = tuple(
        Section(str(panel), tuple(_lines(part, columns)))
        for panel, part in found.groupby("panel", sort=False)
    )
    names = ["panel", "label", "model", "tau", *(q.name for q in columns)]
    names += [limit for q in columns for limit in q.limits or ()]
    names += ["repeats", "device", "threads", "precision", "busy", "weights", "weights_note", "key"]
    return ResultsTable(columns, sections, tuple(_notes(found, columns)), found[names])


def _lines(
    part: pd.DataFrame, columns: Sequence[ResultQuantity]
) -> Iterator[tuple[tuple[str, str], tuple[Value, ...]]]:
    ranks = {q.name: _ranks(part[q.name] * q.factor) if q.ranked else {} for q in columns}
    for index, row in part.iterrows():
        tau = "" if row["tau"] is None else f"{row['tau'].normalize():f}"
        values = tuple(_value(row, q, ranks[q.name].get(index, 0)) for q in columns)
        yield (str(row["label"]), tau), values


def _ranks(values: pd.Series[float]) -> Mapping[Any, int]:
    """1 for the best as it is written, 2 for the second; equal numbers share a rank."""
    written = values.dropna().round(1)
    best = sorted(set(written), reverse=True)[:2]
    if len(written) < 2:
        return {}
    return {index: best.index(value) + 1 for index, value in written.items() if value in best}


def _value(row: pd.Series, quantity: ResultQuantity, rank: int) -> Value:
    value = row[quantity.name]
    if pd.isna(value):
        return Value()
    limits = ""
    if quantity.limits and pd.notna(row[quantity.limits[0]]):
        low, high = (f"{row[name] * quantity.factor:.1f}" for name in quantity.limits)
        limits = f"{low}–{high}" if quantity.name != "fps" or row["repeats"] > 1 else ""
    mark = BUSY if quantity.name == "fps" and row["busy"] else ""
    return Value(f"{value * quantity.factor:.1f}", limits, rank, mark)


def _notes(found: pd.DataFrame, columns: Sequence[ResultQuantity]) -> Iterator[str]:
    yield "best of a column and part bold, second underlined; J&F, J, F and reuse in percent"
    if found["jf_low"].notna().any():
        yield INTERVAL_NOTE
    if any(q.name == "fps" for q in columns):
        yield "FPS: median of the repeats, slowest to fastest beside it"
    yield from remarks(found).splitlines()
    if found["busy"].any():
        yield f"{BUSY} others used the device meanwhile"


def results_rich(table: ResultsTable) -> Table:
    """The table for a terminal."""
    heads = ["model", "τ", *(quantity.title for quantity in table.columns)]
    rich = plain_table(*heads, caption=lines(table.notes))
    for section in table.sections:
        rich.add_row(styled(section.title, "italic"))
        for labels, values in section.lines:
            cells = [styled(_plain(value), _STYLES[value.rank]) for value in values]
            rich.add_row(*labels, *cells)
        rich.add_section()
    return rich


_STYLES = ("", "bold", "underline")


def _plain(value: Value) -> str:
    text = f"{value.text}{value.mark}"
    return f"{text} ({value.limits})" if value.limits else text


def results_markdown(table: ResultsTable) -> str:
    """GitHub's Markdown, one table a part."""
    parts = []
    for section in table.sections:
        heads = ["model", "τ", *(q.title for q in table.columns)]
        said = [f"**{markdown(section.title)}**", "", _md(map(markdown, heads))]
        said.append(_md("---" for _ in heads))
        for labels, values in section.lines:
            said.append(_md([*map(markdown, labels), *map(_md_value, values)]))
        parts.append("\n".join(said))
    notes = "\n".join(f"- {markdown(note)}" for note in table.notes)
    return "\n\n".join([*parts, notes]) + "\n"


def _md(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _md_value(value: Value) -> str:
    text = f"{value.text}{value.mark}"
    text = {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(value.rank, text)
    return f"{text} ({value.limits})" if value.limits else text


def results_latex(table: ResultsTable) -> str:
    """A table for booktabs, siunitx and tabularx, no wider than its column; notes below it."""
    columns = "".join(
        f"S[table-format={_digits(table, place)}.1]" + ("@{\\,}l" if _limited(table, place) else "")
        for place in range(len(table.columns))
    )
    x = r">{\raggedright\arraybackslash\hangindent=0.6em}X"
    width = 2 + sum(1 + _limited(table, place) for place in range(len(table.columns)))
    heads = [
        rf"\multicolumn{{{1 + _limited(table, place)}}}{{c}}{{{latex(quantity.title)}}}"
        for place, quantity in enumerate(table.columns)
    ]
    body = []
    for section in table.sections:
        title = rf"\multicolumn{{{width}}}{{@{{}}l@{{}}}}{{\emph{{{latex(section.title)}}}}}"
        body.append(rf"\midrule {title} \\")
        for labels, values in section.lines:
            cells = [
                text
                for place, value in enumerate(values)
                for text in _tex_cells(table, place, value)
            ]
            body.append(" & ".join([*map(latex, labels), *cells]) + r" \\")
    notes = r"\\ ".join(latex(note) for note in table.notes)
    return "\n".join(
        [
            r"% needs \usepackage{booktabs,siunitx,tabularx}",
            r"\begingroup\scriptsize\setlength{\tabcolsep}{1.5pt}%",
            r"\sisetup{detect-weight=true}%",
            rf"\begin{{tabularx}}{{{_WIDTH}}}{{@{{}}{x}l{columns}@{{}}}}",
            r"\toprule",
            " & ".join(["model", r"$\tau$", *heads]) + r" \\",
            *body,
            r"\bottomrule",
            r"\end{tabularx}\par\smallskip",
            rf"\raggedright {notes}\par",
            r"\endgroup",
            "",
        ]
    )


_WIDTH = r"\ifdim\linewidth<4.5in\linewidth\else4.5in\fi"
"""A table of few columns isn't spread over a page."""


def _digits(table: ResultsTable, place: int) -> int:
    """Digits before the point, of the longest number of a column."""
    texts = [values[place].text for s in table.sections for _, values in s.lines]
    return max((len(text) - 2 for text in texts if text), default=1)


def _limited(table: ResultsTable, place: int) -> bool:
    """Whether a column has limits anywhere."""
    return any(values[place].limits for s in table.sections for _, values in s.lines)


def _tex_cells(table: ResultsTable, place: int, value: Value) -> list[str]:
    mark = r"\textsuperscript{\textdagger}" if value.mark else ""
    text = f"{value.text}{mark}" if value.text else "{---}"
    if value.text and value.rank == 1:
        text = rf"\bfseries {value.text}{mark}"
    elif value.text and value.rank == 2:
        text = rf"{{\underline{{{value.text}}}{mark}}}"
    low, _, high = value.limits.partition("–")
    limits = [rf"$_{{{low}}}^{{{high}}}$" if value.limits else ""]
    return [text, *(limits if _limited(table, place) else [])]
