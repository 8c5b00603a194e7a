"""Progress on the terminal, and logs for TensorBoard where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from vosbench.harness.store import VALIDATION
from vosbench.harness.terminal import Described, Terminal
from vosbench.harness.training.loop import TrainingProgress


class _Newest:
    """The newest value of every series, as a short text."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}

    def text(self, news: TrainingProgress, *, brief: bool) -> str:
        """The loss and the validation; ``brief`` leaves out what has no room beside a bar."""
        self._values |= news.values
        left_out = ("reuse ",) if brief else ()
        shown = {"loss": self._values["loss"]} if "loss" in self._values else {}
        for name, value in self._values.items():
            short = name.removeprefix(VALIDATION)
            if short != name and not short.startswith(left_out):
                shown[short] = value
        return "  ".join(f"{name} {value:.3f}" for name, value in shown.items())


@contextmanager
def terminal(console: Terminal, steps: int) -> Iterator[Callable[[TrainingProgress], None]]:
    """Show a bar with the newest values; on anything but a terminal, a line per validation."""
    newest = _Newest()
    if not console.is_terminal:
        yield lambda news: _line(console, news, newest)
        return
    columns = (
        Described(),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        Described("values"),
    )
    with Bars(*columns, console=console) as bars:
        task = bars.add_task("preparing", total=steps, values="")
        stage = ""

        def show(news: TrainingProgress) -> None:
            nonlocal stage
            if news.stage != stage:
                # Stages differ in speed; a resumed training begins in the middle.
                bars.reset(task, total=news.steps, completed=news.step, description=news.stage)
                stage = news.stage
            bars.update(task, completed=news.step, values=newest.text(news, brief=True))

        yield show


def _line(console: Terminal, news: TrainingProgress, newest: _Newest) -> None:
    text = newest.text(news, brief=False)
    place = f"{news.stage} {news.step}/{news.steps}"
    if any(name.startswith(VALIDATION) for name in news.values):
        console.say(f"{place}: {text}")
    elif news.stage == "clips" and news.step == news.steps:
        console.say(place)


def tensorboard(folder: Path) -> Callable[[TrainingProgress], None] | None:
    """A listener that writes TensorBoard's logs to ``folder``; None where it isn't installed."""
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))

    def write(news: TrainingProgress) -> None:
        for name, value in news.values.items():
            writer.add_scalar(name, value, news.step)
        writer.flush()

    return write
