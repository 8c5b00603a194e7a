"""How a sweep shows its progress: a bar in a terminal, a line per clip elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from vosbench.harness.sweep.trials import TrialSpec
from vosbench.harness.text.terminal import Described, Terminal, styled


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return styled("" if task.speed is None else f"{task.speed:.1f} frames/s")


class SweepProgress:
    """Implements :class:`vosbench.harness.sweep.scheduler.Progress` on standard error.

    Args:
        frames: frames to be walked in all; shared walks count once.
    """

    def __init__(self, frames: int, console: Terminal) -> None:
        self._console = console
        self._bar = Progress(
            Described(),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _FramesPerSecond(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=frames)
        self._clips: dict[int, tuple[str, float, int]] = {}
        self.failures: list[tuple[TrialSpec, str]] = []

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self._clips):
            self.end(worker)
        self._bar.stop()

    def of_worker(self, worker: int) -> WorkerProgress:
        """What one of several workers tells its progress."""
        return WorkerProgress(self, worker)

    def begin(self, spec: TrialSpec, members: int, sequence: str, worker: int = 0) -> None:
        """A clip begins."""
        self.end(worker)
        name = spec.model if members == 1 else f"{members} settings of {spec.model.split('+')[0]}"
        if members == 1 and spec.tau is not None:
            name += f" τ={spec.tau}"
        self._clips[worker] = (f"{name} on {sequence}", time.monotonic(), 0)
        self._bar.update(self._task, description=f"{name} {sequence}")

    def frame(self, frames: int = 1, worker: int = 0) -> None:
        """So many more frames are done."""
        if worker in self._clips:
            name, began_s, before = self._clips[worker]
            self._clips[worker] = (name, began_s, before + frames)
        self._bar.advance(self._task, frames)

    def skip(self, frames: int) -> None:
        """Frames that were done before."""
        self._bar.advance(self._task, frames)

    def failed(self, spec: TrialSpec, message: str) -> None:
        """A trial failed."""
        self.failures.append((spec, message))

    def end(self, worker: int = 0) -> None:
        """A clip is done: say so where there is no bar."""
        ended = self._clips.pop(worker, None)
        if ended is not None and not self._console.is_terminal:
            name, began_s, frames = ended
            seconds = time.monotonic() - began_s
            self._console.say(f"{name}: {frames} frames in {seconds:.1f} s")


@dataclass(frozen=True)
class WorkerProgress:
    """One worker's part of a :class:`SweepProgress`."""

    whole: SweepProgress
    worker: int

    def begin(self, spec: TrialSpec, members: int, sequence: str) -> None:
        """A clip begins."""
        self.whole.begin(spec, members, sequence, self.worker)

    def frame(self, frames: int = 1) -> None:
        """So many more frames are done."""
        self.whole.frame(frames, self.worker)

    def end(self) -> None:
        """The clip that began is done."""
        self.whole.end(self.worker)

    def skip(self, frames: int) -> None:
        """Frames that were done before."""
        self.whole.skip(frames)

    def failed(self, spec: TrialSpec, message: str) -> None:
        """A trial failed."""
        self.whole.failed(spec, message)
