"""From a name to a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vosbench.harness.store import Readable, Selection
from vosbench.reports.choices import choose
from vosbench.reports.frames import measured
from vosbench.reports.table_claims import compare_claims
from vosbench.reports.table_layout import lay_out
from vosbench.reports.table_own import own_rows
from vosbench.reports.table_render import PaperTable
from vosbench.reports.table_rows import TITLES, compare

EVERYTHING = Selection()
NO_CHOICE: Mapping[str, str] = {}


def table_names() -> tuple[str, ...]:
    """The tables that there are: "1" to "4"."""
    return tuple(str(number) for number in TITLES)


def make_table(
    name: str,
    source: Readable,
    where: Selection = EVERYTHING,
    rows: Mapping[str, str] = NO_CHOICE,
) -> PaperTable:
    """A table of the paper beside what the database has, then rows of other models.

    Args:
        name: "1" to "4".
        source: a file, a URL, or an open database.
        where: which trials.
        rows: the other models, in that order, and what to call them; all, if empty.

    Raises:
        InputError: unknown table or row, no results there, or a database that can't be read.
    """
    number = choose("table", str(name), {known: int(known) for known in table_names()})
    found = measured(source, where)
    parts = [compare(number, found), own_rows(number, found, rows)]
    frame = pd.concat([part for part in parts if len(part)], ignore_index=True)
    frame = frame.astype({"clips": "Int64"})
    layout = lay_out(frame, {"method": "method", "tau": "τ"})
    return PaperTable(str(name), TITLES[number], frame, layout)


def check_claims(source: Readable, where: Selection = EVERYTHING) -> PaperTable:
    """The claims of the paper's text beside what the database has.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    frame = compare_claims(source, where)
    about = [_about(row) for row in frame.to_dict("records")]
    numbered = frame.assign(quantity="value", also_published="", about=about)
    heads = {"about": "claim", "unit": "unit", "where": "section"}
    return PaperTable("claims", "Claims of the text", frame, lay_out(numbered, heads))


def _about(row: Mapping[Any, Any]) -> str:
    """A claim with what it is of, as one text."""
    parts = [row["claim"], row["printed_dataset"], row["printed_model"]]
    if row["tau"] is not None and pd.notna(row["tau"]):
        parts.append(f"τ = {row['tau'].normalize():f}")
    return ", ".join(filter(None, parts))
