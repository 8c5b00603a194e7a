"""How a sweep shows its progress: a bar in a terminal, a line per sequence elsewhere."""

from __future__ import annotations

import time

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from vosbench.harness.sweep.events import Advanced, Began, Ended, Event, Listener, Lost, Stopped
from vosbench.harness.terminal import Described, Terminal, styled
from vosbench.harness.trials import TrialSpec
from vosbench.runners.registry import base_name


class _FramesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return styled("" if task.speed is None else f"{task.speed:.1f} frames/s")


class SweepProgress:
    """Shows on standard error what several workers tell.

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

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in list(self._clips):
            self._end(worker)
        self._bar.stop()

    def of_worker(self, worker: int) -> Listener:
        """What one of several workers tells."""
        return lambda event: self(event, worker)

    def __call__(self, event: Event, worker: int = 0) -> None:
        """Show it."""
        match event:
            case Began(spec, members, sequence):
                self._begin(spec, members, sequence, worker)
            case Advanced(frames, walked):
                if walked and worker in self._clips:
                    name, began_s, before = self._clips[worker]
                    self._clips[worker] = (name, began_s, before + frames)
                self._bar.advance(self._task, frames)
            case Ended():
                self._end(worker)
            case Stopped():
                pass  # said by whoever waits for the worker
            case Lost(spec, members, error, final):
                self._clips.pop(worker, None)
                then = "not tried again" if final else "it counts as a try"
                self._console.say(f"{_named(spec, members)}: {error}; {then}")

    def _begin(self, spec: TrialSpec, members: int, sequence: str, worker: int) -> None:
        self._end(worker)
        name = _named(spec, members)
        self._clips[worker] = (f"{name} on {sequence}", time.monotonic(), 0)
        self._bar.update(self._task, description=f"{name} {sequence}")

    def _end(self, worker: int) -> None:
        """Where there is no bar, say that a clip is done."""
        ended = self._clips.pop(worker, None)
        if ended is not None and not self._console.is_terminal:
            name, began_s, frames = ended
            seconds = time.monotonic() - began_s
            self._console.say(f"{name}: {frames} frames in {seconds:.1f} s")


def _named(spec: TrialSpec, members: int) -> str:
    if members > 1:
        return f"{members} settings of {base_name(spec.model)}"
    return spec.model if spec.tau is None else f"{spec.model} τ={spec.tau}"
