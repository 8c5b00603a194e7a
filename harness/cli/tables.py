"""The look of the commands' tables: narrow, so that they fit 80 columns."""

from __future__ import annotations

from rich import box
from rich.table import Table


def plain_table(*titles: str, right: tuple[str, ...] = (), caption: str | None = None) -> Table:
    """A table with these columns, those in ``right`` set flush right; long words are folded."""
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=caption,
        caption_justify="left",
        title_justify="left",
    )
    for title in titles:
        number = title in right
        # A number that is folded can't be read: words give way first.
        table.add_column(
            title, justify="right" if number else "left", overflow="fold", no_wrap=number
        )
    return table
