"""What a worker tells the process that waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from vosbench.harness.sweep.scheduler import Progress
from vosbench.harness.sweep.trials import TrialSpec


@dataclass(frozen=True)
class Began:
    """A clip begins, for so many trials at once."""

    spec: TrialSpec
    members: int
    sequence: str


@dataclass(frozen=True)
class Ended:
    """The clip that began is done."""


@dataclass(frozen=True)
class Advanced:
    """So many frames are done; ``walked`` if they were, otherwise they needn't be."""

    frames: int
    walked: bool


@dataclass(frozen=True)
class Failed:
    """A trial failed."""

    spec: TrialSpec
    message: str


@dataclass(frozen=True)
class Stopped:
    """The worker gives up for a reason that the user can mend."""

    message: str


Event = Began | Advanced | Ended | Failed | Stopped


@dataclass(frozen=True)
class Sender:
    """Progress as events: a :class:`vosbench.harness.sweep.scheduler.Progress`."""

    send: Callable[[Event], None]

    def begin(self, spec: TrialSpec, members: int, sequence: str) -> None:
        """A clip begins."""
        self.send(Began(spec, members, sequence))

    def frame(self, frames: int = 1) -> None:
        """So many more frames are done."""
        self.send(Advanced(frames, walked=True))

    def end(self) -> None:
        """The clip that began is done."""
        self.send(Ended())

    def skip(self, frames: int) -> None:
        """Frames that needn't be done."""
        self.send(Advanced(frames, walked=False))

    def failed(self, spec: TrialSpec, message: str) -> None:
        """A trial failed."""
        self.send(Failed(spec, message))


@dataclass
class Tally:
    """Progress of a task that reports once, at its end: frames in all, and failures."""

    frames: int = 0
    failures: list[Failed] = field(default_factory=list)

    def begin(self, spec: TrialSpec, members: int, sequence: str) -> None:
        """A clip begins."""

    def frame(self, frames: int = 1) -> None:
        """So many more frames are done."""
        self.frames += frames

    def end(self) -> None:
        """The clip that began is done."""

    def skip(self, frames: int) -> None:
        """Frames that needn't be done."""
        self.frames += frames

    def failed(self, spec: TrialSpec, message: str) -> None:
        """A trial failed."""
        self.failures.append(Failed(spec, message))


def replay(event: Event, progress: Progress) -> None:
    """Tell ``progress`` what a worker sent."""
    match event:
        case Began(spec, members, sequence):
            progress.begin(spec, members, sequence)
        case Advanced(frames, walked):
            if walked:
                progress.frame(frames)
            else:
                progress.skip(frames)
        case Ended():
            progress.end()
        case Failed(spec, message):
            progress.failed(spec, message)
        case Stopped():
            pass
