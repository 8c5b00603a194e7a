"""How a sweep shows its progress: a bar in a terminal, a line per clip elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from vosbench.harness.trials import TrialSpec


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} frames/s")


class SweepProgress:
    """Implements :class:`vosbench.harness.scheduler.Progress` on standard error.

    Args:
        frames: frames to be walked in all; shared walks count once.
    """

    def __init__(self, frames: int, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _FramesPerSecond(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=frames)
        self._clip: tuple[str, float, int] | None = None
        self.failures: list[tuple[TrialSpec, str]] = []

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_clip()
        self._bar.stop()

    def begin(self, spec: TrialSpec, members: int, sequence: str) -> None:
        """A clip begins."""
        self._end_clip()
        name = spec.model if members == 1 else f"{members} settings of {spec.model.split('+')[0]}"
        if members == 1 and spec.tau is not None:
            name += f" τ={spec.tau}"
        self._clip = (f"{name} on {sequence}", time.monotonic(), 0)
        self._bar.update(self._task, description=f"{name} {sequence}")

    def frame(self) -> None:
        """One more frame is done."""
        if self._clip is not None:
            self._clip = (*self._clip[:2], self._clip[2] + 1)
        self._bar.advance(self._task)

    def skip(self, frames: int) -> None:
        """Frames that were done before."""
        self._bar.advance(self._task, frames)

    def failed(self, spec: TrialSpec, message: str) -> None:
        """A trial failed."""
        self.failures.append((spec, message))

    def _end_clip(self) -> None:
        if self._clip is not None and not self._console.is_terminal:
            name, began_s, frames = self._clip
            seconds = time.monotonic() - began_s
            self._console.print(
                f"{name}: {frames} frames in {seconds:.1f} s", highlight=False, soft_wrap=True
            )
        self._clip = None
