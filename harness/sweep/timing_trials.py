"""Run timing trials: the device held alone, each clip stored, nothing stitched together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from vosbench.harness.evaluate.profile import path_arithmetic
from vosbench.harness.evaluate.timing import Timer, energy_notes, energy_numbers, trial_numbers
from vosbench.harness.measure.device_lock import device_id, hold
from vosbench.harness.measure.occupancy import occupancy, require_idle
from vosbench.harness.store import ClaimedTrial, Storage
from vosbench.runners.interface import SharingRunner

if TYPE_CHECKING:
    import torch

    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.datasets.dataset import Selection
    from vosbench.harness.sweep.trials import TrialSpec
    from vosbench.runners.interface import Runner


class ClipProgress(Protocol):
    """Who wants to know which clip is being timed."""

    def begin(self, spec: TrialSpec, members: int, sequence: str) -> None: ...

    def frame(self, frames: int = 1) -> None: ...

    def end(self) -> None: ...


@dataclass(frozen=True)
class TimingTrials:
    """Times trials on one device: a :class:`~vosbench.harness.sweep.scheduler.TimingEvaluator`.

    Attributes:
        breakdown, end_to_end: passes beside the headline.
        allow_busy: time although others use the device; the result says so.
        wait_s: how long to wait for another process that times on the device.
        notes: what the environment was like, kept with every attempt.
        counted: GFLOP of what was timed before, by network and frame size.
    """

    storage: Storage
    device: torch.device
    progress: ClipProgress
    breakdown: bool = True
    end_to_end: bool = True
    allow_busy: bool = False
    wait_s: float = 600.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    counted: dict[object, Mapping[str, float]] = field(default_factory=dict)

    def __call__(self, trial: ClaimedTrial, runner: Runner, selection: Selection) -> None:
        """Time one trial and complete it.

        Raises InputError if others use the device, LostLease if the trial was taken away.
        """
        with hold(device_id(self.device), wait_s=self.wait_s):
            found = require_idle(occupancy(self.device), allow_busy=self.allow_busy)
            timer = Timer(runner, self.device, self.breakdown, self.end_to_end)
            clips = []
            for clip in selection.clips:
                self.progress.begin(trial.spec, 1, clip.name)
                timed = timer.time(clip)
                self.storage.record(trial, timed.result)
                clips.append(timed)
                self.progress.frame(len(clip))
                self.progress.end()
            first = next(iter(selection.clips))
            reading, frames = timer.energy(first)
            # Held until here: counting keeps the device busy as well.
            arithmetic = self._arithmetic(runner, first) if self.breakdown else {}
        notes = {"occupancy": str(found), "busy": found.busy}
        self.storage.annotate(trial, {**self.notes, **energy_notes(reading), **notes})
        numbers = trial_numbers(clips, self.device) | energy_numbers(reading, frames)
        self.storage.complete(trial, {**numbers, **arithmetic})

    def _arithmetic(self, runner: Runner, clip: Clip) -> Mapping[str, float]:
        """Counted once, however many thresholds and repeats are timed; nothing of a network that
        isn't this package's can be counted."""
        if not isinstance(runner, SharingRunner):
            return {}
        key = (runner.sharing_key(), clip.size)
        if key not in self.counted:
            self.counted[key] = path_arithmetic(runner, clip, self.device)
        return self.counted[key]
