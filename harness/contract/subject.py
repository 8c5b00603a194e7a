"""The runner under test: built when a check needs it, each clip played once and remembered."""

from __future__ import annotations

import unittest
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import torch

from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.play import ContractBreach, Recording, play, start
from vosbench.runners.interface import Precision, RunnerOptions
from vosbench.runners.registry import Model, resolve

if TYPE_CHECKING:
    from vosbench.runners.interface import Runner
    from vosbench.runners.policy import GatePolicy

_DEFAULT_TAU = Decimal("0.5")


class NotApplicable(unittest.SkipTest):
    """The check says nothing about this runner or these clips; pytest skips it."""


@dataclass
class Subject:
    """A runner under test.

    Attributes:
        model: its name, looked up.
        clips: what it is played.
        options: what it is built with.
    """

    model: Model
    clips: tuple[ContractClip, ...]
    options: RunnerOptions
    device: torch.device
    precision: Precision
    _runner: Runner | None = None
    _plays: dict[str, Recording | ContractBreach] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        clips: Sequence[ContractClip],
        options: RunnerOptions | None = None,
        device: torch.device | str = "cpu",
        precision: Precision = Precision.FLOAT32,
    ) -> Subject:
        """Look a model up and choose what it is played.

        Runners of one object get clips merged to one; those that need a τ get 0.5 unless
        ``options`` say otherwise. Raises InputError for unknown names.
        """
        model = resolve(name)
        options = options or RunnerOptions()
        if model.spec.takes_tau and options.tau is None:
            options = replace(options, tau=_DEFAULT_TAU)
        if not model.spec.multi_object:
            clips = [clip.as_one_object() for clip in clips]
        return cls(model, tuple(clips), options, torch.device(device), precision)

    def built(self, tau: Decimal | None = None) -> Runner:
        """A new runner, loaded; at another τ if that is given. Raises InputError."""
        options = self.options if tau is None else replace(self.options, tau=tau)
        runner = self.model.steered(options)
        runner.load(self.device, self.precision)
        return runner

    def policy(self, tau: Decimal | None) -> GatePolicy | None:
        """The model's policy at a threshold; None for a model without."""
        return self.model.decide_by(tau, seed=self.options.seed, switches=self.options.switches)

    @property
    def runner(self) -> Runner:
        """The runner that most checks share."""
        if self._runner is None:
            self._runner = self.built()
        return self._runner

    def walked(self, clip: ContractClip) -> Recording:
        """The clip played for the first time; raises ContractBreach if that failed."""
        if clip.name not in self._plays:
            try:
                self._plays[clip.name] = self.play(clip)
            except ContractBreach as breach:
                self._plays[clip.name] = breach
        found = self._plays[clip.name]
        if isinstance(found, ContractBreach):
            raise found
        return found

    def play(self, clip: ContractClip, runner: Runner | None = None) -> Recording:
        """Play a clip, on the shared runner by default."""
        chosen = runner or self.runner
        return play(start(chosen, clip, self.device), clip, self.device)

    def playable(self, clip: ContractClip) -> Recording:
        """The first play; raises NotApplicable if it failed, which another check says already."""
        try:
            return self.walked(clip)
        except ContractBreach as breach:
            raise NotApplicable(f"not reached: the check 'runs' fails on {clip.name}") from breach

    def sound(self, clip: ContractClip) -> Recording:
        """The first play, whose labels are label maps; raises NotApplicable if they aren't."""
        recording = self.playable(clip)
        if any(p.labels.shape != clip.size or p.labels.dtype != "uint8" for p in recording.played):
            raise NotApplicable(f"not reached: the check 'labels' fails on {clip.name}")
        return recording

    def those(self, what: str, fits: Callable[[ContractClip], bool]) -> tuple[ContractClip, ...]:
        """The clips that fit; raises NotApplicable if there is none."""
        found = tuple(clip for clip in self.clips if fits(clip))
        if not found:
            raise NotApplicable(f"no sequence {what}")
        return found
