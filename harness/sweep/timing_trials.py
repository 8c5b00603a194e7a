"""Run timing trials: the device held alone, each clip stored, nothing stitched together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vosbench.harness.evaluate.profile import path_arithmetic
from vosbench.harness.evaluate.streaming import Stream
from vosbench.harness.evaluate.timing import Timer, energy_notes, energy_numbers, trial_numbers
from vosbench.harness.measure.device_lock import device_id, hold
from vosbench.harness.measure.occupancy import occupancy, require_idle
from vosbench.harness.store import ClaimedTrial, Storage
from vosbench.harness.sweep.events import Advanced, Began, Ended, Listener
from vosbench.harness.sweep.run_options import RunOptions
from vosbench.runners.interface import SharingRunner

if TYPE_CHECKING:
    import torch

    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.datasets.dataset import SelectedSequences
    from vosbench.runners.interface import Runner


@dataclass(frozen=True)
class TimingTrials:
    """Times trials on one device: a :class:`~vosbench.harness.sweep.scheduler.TimingEvaluator`.

    Attributes:
        tell: who wants to know which clip is being timed.
        options: whether a busy device is timed on, and the stages are.
        end_to_end: make the pass that reads the frames.
        wait_s: how long to wait for another process that times on the device.
        notes: what the environment was like, kept with every attempt.
        counted: GFLOP of what was timed before, by network and frame size.
    """

    storage: Storage
    device: torch.device
    tell: Listener
    options: RunOptions = RunOptions()
    end_to_end: bool = True
    wait_s: float = 600.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    counted: dict[object, Mapping[str, float]] = field(default_factory=dict)

    def __call__(
        self,
        trial: ClaimedTrial,
        runner: Runner,
        selection: SelectedSequences,
        go_on: Callable[[], None],
    ) -> None:
        """Time one trial and complete it; before each clip ``go_on`` may end it by raising.

        Raises SurroundingsError if others use the device, LostLease if the trial was taken away.
        """
        with hold(device_id(self.device), wait_s=self.wait_s):
            found = require_idle(occupancy(self.device), allow_busy=self.options.allow_busy)
            stream = self.options.stream_fps
            timer = Timer(
                runner,
                self.device,
                self.options.breakdown,
                self.end_to_end,
                self.options.min_duration_s,
                None if stream is None else Stream(stream),
            )
            clips = []
            for clip in selection.clips:
                go_on()
                self.tell(Began(trial.spec, 1, clip.name))
                timed = timer.time(clip)
                self.storage.record(trial, timed.result)
                clips.append(timed)
                self.tell(Advanced(len(clip)))
                self.tell(Ended())
            first = next(iter(selection.clips))
            reading, frames = timer.energy(first)
            # Held until here: counting keeps the device busy as well.
            arithmetic = self._arithmetic(runner, first) if self.options.breakdown else {}
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
