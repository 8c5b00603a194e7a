"""How a command's trials are run: one record, handed from the command line to every worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vosbench.harness.trials import Extras


@dataclass(frozen=True)
class RunOptions:
    """What changes no result's meaning, and is kept with every attempt.

    Attributes:
        extras: what is kept beside the numbers.
        lockstep: settings that differ in their policy walk together.
        breakdown: timing trials make a second pass that times the stages.
        min_duration_s: least seconds of frames timed of each sequence, and of energy measured.
        stream_fps: rate at which frames of a stream arrive, whose latencies are measured; None for
            no stream.
        allow_busy: time although others use the device; the result says so.
        locked_clocks: clocks that the user locked, for the record.
        jobs: processes for accuracy trials.
        threads: CPU threads in all; None for all cores.
    """

    extras: Extras = Extras()
    lockstep: bool = True
    breakdown: bool = True
    min_duration_s: float = 0.0
    stream_fps: float | None = None
    allow_busy: bool = False
    locked_clocks: str | None = None
    jobs: int = 1
    threads: int | None = None

    def values(self) -> dict[str, Any]:
        """As the store keeps them: JSON values by name."""
        traced = [f"{part[0]}:{part[-1]}" for part in self.extras.traced if part]
        return {
            "masks": self.extras.masks,
            "traced": traced[0] if traced else None,
            "lockstep": self.lockstep,
            "breakdown": self.breakdown,
            "min_duration_s": self.min_duration_s,
            "stream_fps": self.stream_fps,
            "allow_busy": self.allow_busy,
            "locked_clocks": self.locked_clocks,
            "jobs": self.jobs,
            "threads": self.threads,
        }
