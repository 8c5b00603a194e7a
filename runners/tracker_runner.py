"""A runner around a tracker: what turns a network into a model that takes policies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    Precision,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)
from vosbench.runners.policies import Never
from vosbench.runners.policy import GatePolicy
from vosbench.runners.tracker import Tracker
from vosbench.runners.tracking import SharedWalk

if TYPE_CHECKING:
    import torch

    from vosbench.baselines.ttvos.padding import Padding


class TrackerRunner(ABC):
    """A :class:`~.interface.SharingRunner` whose subclass says how its tracker is made.

    Its own steps are a walk of full frames; walks of others take their policies.
    """

    spec: RunnerSpec
    weights: WeightsInfo
    _tracker: Tracker | None = None
    _walk: SharedWalk | None = None

    @abstractmethod
    def tracker(self, device: torch.device, precision: Precision) -> Tracker:
        """The network in use, on ``device``; raises ``InputError`` if its weights don't fit."""

    def padding(self, clip: ClipInfo) -> Padding | None:  # noqa: ARG002 - for those that pad
        """What frames of a clip have to be padded by."""
        return None

    def sharing_key(self) -> str:
        """Runners of one key may share a walk: name and weights, unless a subclass knows more."""
        return f"{self.spec.name.partition('+')[0]}/{self.weights.sha256}"

    def load(self, device: torch.device, precision: Precision) -> None:
        """Make the tracker."""
        self._tracker = self.tracker(device, precision)

    def walk(self, clip: ClipInfo, policies: Sequence[GatePolicy]) -> SharedWalk:
        """Begin a walk for several policies; raises RuntimeError before :meth:`load`."""
        if self._tracker is None:
            raise RuntimeError("walk() before load()")
        return SharedWalk(self._tracker, clip, tuple(policies), self.padding(clip))

    def start(self, clip: ClipInfo) -> None:
        """Forget the previous clip."""
        self._walk = self.walk(clip, (Never(),))

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Begin objects; see :class:`vosbench.runners.interface.Runner`."""
        self._current().add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> Step:
        """Segment a frame; see :class:`vosbench.runners.interface.Runner`."""
        return self._current().step(frame, spans)[0]

    def _current(self) -> SharedWalk:
        if self._walk is None:
            raise RuntimeError("no sequence was started: call start() first")
        return self._walk
