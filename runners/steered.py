"""A model under one policy, as a runner by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    PolicyRunner,
    Precision,
    SharingRunner,
    Spans,
    Step,
    Walk,
)
from vosbench.runners.policy import GatePolicy

if TYPE_CHECKING:
    import torch


def steered(runner: PolicyRunner, policy: GatePolicy) -> Steered:
    """The runner with its steps decided by ``policy``; it shares walks if the runner does."""
    if isinstance(runner, SharingRunner):
        return SteeredSharing(runner, policy)
    return Steered(runner, policy)


class Steered:
    """``runner`` with its steps decided by ``policy``; walks of other policies stay possible."""

    def __init__(self, runner: PolicyRunner, policy: GatePolicy) -> None:
        self.policy = policy
        self.spec, self.weights = runner.spec, runner.weights
        self._runner = runner
        self._walk: Walk | None = None

    def load(self, device: torch.device, precision: Precision) -> None:
        """See :class:`vosbench.runners.interface.Runner`, also for what follows."""
        self._runner.load(device, precision)

    def walk(self, clip: ClipInfo, policies: tuple[GatePolicy, ...]) -> Walk:
        return self._runner.walk(clip, policies)

    def start(self, clip: ClipInfo) -> None:
        self._walk = self.walk(clip, (self.policy,))

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        self._current().add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> Step:
        return self._current().step(frame, spans)[0]

    def _current(self) -> Walk:
        if self._walk is None:
            raise RuntimeError("no sequence was started: call start() first")
        return self._walk


class SteeredSharing(Steered):
    """The same of a runner whose walks take several policies."""

    def __init__(self, runner: SharingRunner, policy: GatePolicy) -> None:
        super().__init__(runner, policy)
        self.sharing_key = runner.sharing_key
