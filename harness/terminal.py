"""Lines, tables and bars on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.style import Style
from rich.table import Table
from rich.text import Text

from vosbench.baselines.text import shown
from vosbench.harness.streams import writing


class Terminal(Console):
    """A console to which every string is data: shown as it is, see :func:`shown`.

    Args:
        stderr: write to standard error, where a failure to write is no reason to stop working.
        file: write there.
        width: columns; default: the terminal's.
        force_terminal: whether it is one; default: as found.
    """

    def __init__(
        self,
        *,
        stderr: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
        force_terminal: bool | None = None,
    ) -> None:
        super().__init__(
            stderr=stderr,
            file=file,
            width=width,
            force_terminal=force_terminal,
            markup=False,
            highlight=False,
            emoji=False,
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich asks here for every string, those in tables included."""
        options |= {"markup": False, "highlight": False, "emoji": False, "highlighter": None}
        return super().render_str(shown(text), **options)

    def say(self, text: str, style: str = "") -> None:
        """Print one line, however long; the terminal wraps it."""
        self.print(styled(text, style), soft_wrap=True)

    def print(self, *objects: Any, **options: Any) -> None:
        """See rich."""
        with suppress(OSError) if self.stderr else writing():
            super().print(*objects, **options)

    def on_broken_pipe(self) -> None:
        """Rich would end the process; what that means is for :func:`main` to say."""
        if not self.stderr:
            raise  # noqa: PLE0704 - rich calls this while it handles the error
        self.quiet = True


class Described(ProgressColumn):
    """A bar's description, or another of its fields, as data."""

    def __init__(self, field: str | None = None) -> None:
        super().__init__()
        self._field = field

    def render(self, task: Task) -> Text:
        """See rich."""
        return styled(task.description if self._field is None else str(task.fields[self._field]))


def styled(text: str, style: str | Style = "") -> Text:
    """One line of text, folded where it is longer than its place."""
    return Text(shown(text), style=style, overflow="fold")


def lines(texts: Iterable[str], style: str = "") -> Text:
    """Several lines, e.g. the caption of a table."""
    return Text("\n".join(shown(text) for text in texts), style=style)


def plain_table(*titles: str, right: tuple[str, ...] = (), caption: Text | None = None) -> Table:
    """A narrow table, to fit 80 columns; those in ``right`` are flush right, long words folded."""
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
