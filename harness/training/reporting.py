"""Progress on the terminal, and logs for TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from vosbench.harness.training.loop import Progress


@contextmanager
def terminal(console: Console, steps: int) -> Iterator[Callable[[Progress], None]]:
    """Show a bar with the newest values; on anything but a terminal, a line per validation."""
    if not console.is_terminal:
        yield lambda news: _line(console, news)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[values]}"),
    )
    with Bars(*columns, console=console) as bars:
        task = bars.add_task("training", total=steps, values="")

        def show(news: Progress) -> None:
            bars.update(
                task, completed=news.step, description=news.stage, values=_values_text(news)
            )

        yield show


def _line(console: Console, news: Progress) -> None:
    if any(name.startswith("validation/") for name in news.values):
        console.print(f"{news.stage} {news.step}/{news.steps}: {_values_text(news)}")


def _values_text(news: Progress) -> str:
    short = {name.removeprefix("validation/"): value for name, value in news.values.items()}
    return "  ".join(f"{name} {value:.3f}" for name, value in short.items())


def tensorboard(folder: Path) -> Callable[[Progress], None] | None:
    """A listener that writes TensorBoard's logs to ``folder``; None where it isn't installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))

    def write(news: Progress) -> None:
        for name, value in news.values.items():
            writer.add_scalar(name, value, news.step)
        writer.flush()

    return write
