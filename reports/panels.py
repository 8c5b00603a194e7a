"""What the cells of one table must have in common before they may stand in it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

ONE_PANEL = ("panel",)
"""The same sequences, frames and protocol and, of speeds, the same machine."""


class MixedTableError(ValueError):
    """A table whose cells are of different measurements."""


def of_one_panel(
    rows: pd.DataFrame, table: str, columns: Sequence[str] = ONE_PANEL
) -> pd.DataFrame:
    """``rows``, if all their cells compare.

    Args:
        rows: what a script fills a table from, e.g. a figure's data.
        table: its name, for the message.
        columns: what must be the same in all rows; ``seeds`` where cells are means over them.

    Raises:
        MixedTableError: cells of several panels; says which, and how many rows each has.
    """
    for column in columns:
        counts = rows[column].value_counts(sort=False, dropna=False)
        if len(counts) > 1:
            told = "; ".join(f"{value} ({count} rows)" for value, count in counts.items())
            raise MixedTableError(f"table '{table}' mixes cells of different {column}: {told}")
    return rows
