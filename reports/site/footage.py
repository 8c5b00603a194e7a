"""Where a clip's frames come from: reports know no datasets, so whoever calls them hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vosbench.baselines.errors import InputError
from vosbench.reports.overlay import Pixels


@dataclass(frozen=True)
class RunClip:
    """A clip as one run measured it.

    Attributes:
        dataset, protocol, sequence: names.
        sequences: all clips of the run, in order.
        max_frames: clips were cut after so many frames; None for whole clips.
        manifest_sha256: hash of the frames and annotations of all clips of the run.
    """

    dataset: str
    protocol: str
    sequence: str
    sequences: tuple[str, ...]
    max_frames: int | None
    manifest_sha256: str


class Footage(Protocol):
    """A clip's frames."""

    def image(self, t: int, /) -> Pixels:
        """Frame ``t``, (H, W, 3) RGB; InputError if it can't be read."""

    def annotation(self, t: int, /) -> Pixels | None:
        """Its annotated label map, (H, W); None if it has none, InputError if unreadable."""


FootageOf = Callable[[RunClip], Footage]
"""The frames that a run measured; raises InputError where they aren't there any more."""


def no_footage(clip: RunClip) -> Footage:
    """Frames of no clip at all."""
    raise InputError(f"the frames of {clip.dataset} were not looked for")
