"""What happens in a sweep, told to whoever shows it, counts it or waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from vosbench.harness.store.records import LostTrial
from vosbench.harness.trials import TrialSpec


@dataclass(frozen=True)
class Began:
    """A clip begins, for so many trials at once."""

    spec: TrialSpec
    members: int
    sequence: str


@dataclass(frozen=True)
class Advanced:
    """So many frames are done; ``walked`` if they were, otherwise they needn't be."""

    frames: int = 1
    walked: bool = True


@dataclass(frozen=True)
class Ended:
    """The clip that began is done."""


@dataclass(frozen=True)
class Stopped:
    """A worker's last word.

    Attributes:
        message: a reason that the user can mend, if it gives up for one.
        fault: it ends with a fault of ours, whose traceback it prints.
    """

    message: str | None = None
    fault: bool = False


@dataclass(frozen=True)
class Lost:
    """So many trials were taken back from a worker that was lost; ``final`` if not tried again."""

    spec: TrialSpec
    members: int
    error: str
    final: bool


Event = Began | Advanced | Ended | Stopped | Lost
Listener = Callable[[Event], None]


def told(lost: Iterable[LostTrial]) -> Iterator[Lost]:
    """One event for the trials of a model that went the same way, as a walk's settings do."""
    for (_, error, final), members in groupby(lost, lambda t: (t.spec.model, t.error, t.is_last)):
        trials = tuple(members)
        yield Lost(trials[0].spec, len(trials), error, final)


@dataclass
class Tally:
    """A listener that counts frames."""

    frames: int = 0

    def __call__(self, event: Event) -> None:
        """Count what is done."""
        if isinstance(event, Advanced):
            self.frames += event.frames
