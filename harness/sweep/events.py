"""What happens in a sweep, told to whoever shows it, counts it or waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vosbench.harness.sweep.trials import TrialSpec


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
    """The worker gives up for a reason that the user can mend."""

    message: str


Event = Began | Advanced | Ended | Stopped
Listener = Callable[[Event], None]


@dataclass
class Tally:
    """A listener that counts frames."""

    frames: int = 0

    def __call__(self, event: Event) -> None:
        """Count what is done."""
        if isinstance(event, Advanced):
            self.frames += event.frames
