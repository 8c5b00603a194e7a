"""Walk a clip with a network whose per-object state is a value, for several policies at once.

All policies start in one state. At each frame every policy decides, object by object; those that
decide alike stay together in one branch, the others split off. A branch maps object ids to frozen
states, so splitting copies references. What a branch computes is paid once for all its policies,
and the features of a frame once for all branches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    ObjectTrace,
    Path,
    Spans,
    Step,
    no_spans,
)
from vosbench.runners.policies import Evidence, GatePolicy

Features = TypeVar("Features")
Features_contra = TypeVar("Features_contra", contravariant=True)


class ObjectState(Protocol[Features_contra]):
    """What a network knows of one object before a frame; never changed in place."""

    def match(self, features: Features_contra, spans: Spans) -> Match[Features_contra]:
        """Compare the frame with the object's past."""


class Match(Protocol[Features_contra]):
    """An object in a frame, before anybody decided about it."""

    @property
    def p_gate(self) -> float | None:
        """Probability that the gate is on; None for a network without a gate."""

    def segment(self, path: Path, spans: Spans) -> Segment[Features_contra]:
        """Take the FULL or the REUSE path."""


class Segment(Protocol[Features_contra]):
    """An object's mask before the competition with other objects."""

    @property
    def probability(self) -> Tensor:
        """Foreground probability, (H, W)."""

    @property
    def trace(self) -> ObjectTrace | None:
        """What the network saw, where it tells."""

    def settle(self, mask: Tensor, spans: Spans) -> ObjectState[Features_contra]:
        """State after the frame, given the soft mask (H, W) that the competition left."""


class Competed(Protocol):
    """The outcome: index of the winner per pixel (H, W), 0 for background; masks (N, H, W)."""

    @property
    def winner(self) -> Tensor: ...

    @property
    def masks(self) -> Tensor: ...


class Tracker(Protocol[Features]):
    """A network as the walk needs it."""

    def features(self, image: Tensor, spans: Spans) -> Features:
        """Features of a frame, uint8 (3, H, W); the deep ones only when somebody asks."""

    def begin(self, features: Features, image: Tensor, mask: Tensor) -> ObjectState[Features]:
        """State of a new object with the given mask, bool (H, W)."""

    def compete(self, probabilities: Tensor) -> Competed:
        """Let the objects compete: foreground probabilities (N, H, W)."""


@dataclass(frozen=True)
class _Held(Generic[Features]):
    """The COPY path: the previous mask again, the state as it was."""

    state: ObjectState[Features]
    probability: Tensor
    trace: ObjectTrace | None = None

    def settle(self, mask: Tensor, spans: Spans) -> ObjectState[Features]:  # noqa: ARG002
        return self.state


@dataclass(frozen=True)
class _Tracked(Generic[Features]):
    """One object in one branch."""

    state: ObjectState[Features]
    mask: Tensor
    last_full: int


@dataclass(frozen=True)
class _Branch(Generic[Features]):
    """Policies that decided alike so far, by index, and the state they share."""

    objects: Mapping[int, _Tracked[Features]]
    members: tuple[int, ...]


@dataclass
class SharedWalk(Generic[Features]):
    """One walk over a clip for all ``policies``; see :class:`vosbench.runners.interface.Walk`.

    Attributes:
        passes_computed: full, reuse and copy passes of single objects that were computed.
        passes_saved: those that separate runs would have computed beside them.
    """

    tracker: Tracker[Features]
    clip: ClipInfo
    policies: tuple[GatePolicy, ...]
    passes_computed: int = 0
    passes_saved: int = 0
    _branches: list[_Branch[Features]] = field(init=False)
    _features: tuple[int, Features] | None = field(init=False, default=None)
    _given: dict[int, Tensor] = field(init=False, default_factory=dict)
    _begun: dict[int, ObjectState[Features]] = field(init=False, default_factory=dict)
    _ious: dict[tuple[int, int, int], float | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._branches = [_Branch({}, tuple(range(len(self.policies))))]

    @torch.inference_mode()
    def add_objects(self, frame: Frame, masks: Mapping[int, Tensor]) -> None:
        """Begin objects; what the first frame teaches doesn't depend on any policy."""
        features = self._features_of(frame, no_spans)
        for object_id, mask in masks.items():
            self._given[object_id] = mask
            self._begun[object_id] = self.tracker.begin(features, frame.image, mask)

    @torch.inference_mode()
    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        """Segment ``frame`` for every policy; steps come in the order of the policies."""
        features = self._features_of(frame, spans)
        steps: dict[int, Step] = {}
        branches: list[_Branch[Features]] = []
        for branch in self._branches:
            matches = {i: t.state.match(features, spans) for i, t in branch.objects.items()}
            segments: dict[tuple[int, Path], Segment[Features]] = {}
            for paths, members in self._split(branch, matches, frame.index).items():
                for object_id, path in zip(matches, paths, strict=True):
                    if (object_id, path) not in segments:
                        held = branch.objects[object_id]
                        segments[object_id, path] = (
                            _Held(held.state, held.mask)
                            if path is Path.COPY
                            else matches[object_id].segment(path, spans)
                        )
                chosen = dict(zip(matches, paths, strict=True))
                objects, labels = self._settle(branch, chosen, segments, frame.index, spans)
                branches.append(_Branch(objects, members))
                step = Step(labels, self._report(frame.index, chosen, matches, segments))
                steps.update(dict.fromkeys(members, step))
            self.passes_computed += len(segments)
            self.passes_saved += len(matches) * len(branch.members) - len(segments)
        self._branches = branches
        self._given, self._begun = {}, {}
        return tuple(steps[member] for member in range(len(self.policies)))

    def states(self, policy: int) -> Mapping[int, ObjectState[Features]]:
        """The network's state of each object, for the policy of that index."""
        branch = next(b for b in self._branches if policy in b.members)
        return {object_id: tracked.state for object_id, tracked in branch.objects.items()}

    def _features_of(self, frame: Frame, spans: Spans) -> Features:
        if self._features is None or self._features[0] != frame.index:
            self._features = (frame.index, self.tracker.features(frame.image, spans))
        return self._features[1]

    def _split(
        self, branch: _Branch[Features], matches: Mapping[int, Match[Features]], index: int
    ) -> dict[tuple[Path, ...], tuple[int, ...]]:
        """Group the branch's policies by what they decide for each object."""
        evidence = [
            Evidence(
                self.clip.name,
                index,
                object_id,
                match.p_gate,
                branch.objects[object_id].last_full,
                self._true_iou(object_id),
            )
            for object_id, match in matches.items()
        ]
        groups: dict[tuple[Path, ...], tuple[int, ...]] = {}
        for member in branch.members:
            paths = tuple(self.policies[member].decide(e) for e in evidence)
            groups[paths] = (*groups.get(paths, ()), member)
        return groups

    def _settle(
        self,
        branch: _Branch[Features],
        chosen: Mapping[int, Path],
        segments: Mapping[tuple[int, Path], Segment[Features]],
        index: int,
        spans: Spans,
    ) -> tuple[dict[int, _Tracked[Features]], Tensor]:
        """Let objects compete, then bring every state up to date: → objects, labels (H, W)."""
        probabilities = {i: segments[i, path].probability for i, path in chosen.items()}
        with spans("aggregate"):
            labels, masks = self._compete(probabilities)
        objects: dict[int, _Tracked[Features]] = {}
        for object_id, mask in masks.items():
            if object_id in self._begun:
                objects[object_id] = _Tracked(self._begun[object_id], mask, index)
                continue
            path = chosen[object_id]
            state = segments[object_id, path].settle(mask, spans)
            last_full = index if path is Path.FULL else branch.objects[object_id].last_full
            objects[object_id] = _Tracked(state, mask, last_full)
        return objects, labels

    def _compete(self, probabilities: Mapping[int, Tensor]) -> tuple[Tensor, dict[int, Tensor]]:
        """Join known objects with those given in this frame, which own their pixels."""
        own = torch.zeros((), dtype=torch.bool)
        for mask in self._given.values():
            own = mask | own.to(mask.device)
        entries = {i: p.masked_fill(own.to(p.device), 0.0) for i, p in probabilities.items()}
        dtype = next(iter(entries.values())).dtype if entries else torch.float32
        entries |= {i: mask.to(dtype) for i, mask in self._given.items()}
        if not entries:
            raise RuntimeError("step() before any object was added")
        ids = sorted(entries)
        competed = self.tracker.compete(torch.stack([entries[i] for i in ids]))
        names = torch.tensor([0, *ids], dtype=torch.uint8, device=competed.winner.device)
        return names[competed.winner], dict(zip(ids, competed.masks, strict=True))

    def _report(
        self,
        index: int,
        chosen: Mapping[int, Path],
        matches: Mapping[int, Match[Features]],
        segments: Mapping[tuple[int, Path], Segment[Features]],
    ) -> tuple[ObjectStep, ...]:
        traced = index in self.clip.traced
        known = [
            ObjectStep(i, path, matches[i].p_gate, segments[i, path].trace if traced else None)
            for i, path in chosen.items()
        ]
        return tuple(known + [ObjectStep(i, Path.INIT) for i in self._begun])

    def _true_iou(self, object_id: int) -> Callable[[int, int], float | None]:
        def iou(before: int, now: int) -> float | None:
            key = (object_id, before, now)
            if key not in self._ious:
                self._ious[key] = _iou(self._truth(before, object_id), self._truth(now, object_id))
            return self._ious[key]

        return iou

    def _truth(self, frame: int, object_id: int) -> Tensor | None:
        if self.clip.truth is None:
            raise RuntimeError("an oracle needs a clip with annotations; RunnerSpec.needs_truth")
        return self.clip.truth(frame, object_id)


def _iou(a: Tensor | None, b: Tensor | None) -> float | None:
    """IoU of two masks; of two empty ones 1."""
    if a is None or b is None:
        return None
    union = int((a | b).sum())
    return 1.0 if union == 0 else int((a & b).sum()) / union
