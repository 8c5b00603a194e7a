"""Walk a clip with a network whose per-object state is a value, for several policies at once.

All policies start in one state. At each frame every policy decides, object by object; those that
decide alike stay together in one branch, the others split off. A branch maps object ids to frozen
states, so splitting copies references. What a branch computes is paid once for all its policies,
and the features of a frame once for all branches.

A frame goes through five phases: features, matching of every object in every branch, reading what
policies need to be told (one transfer from the device), deciding, and then, branch by branch, the
masks and the states after the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from vosbench.baselines.ttvos.padding import Padding
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    ObjectTrace,
    Spans,
    Step,
    no_spans,
)
from vosbench.runners.policy import Decision, Evidence, GatePolicy, Need, Path, decision

Features: TypeAlias = Any
"""A frame as the network sees it, for all its objects."""
State: TypeAlias = Any
"""What a network knows of one object before a frame; never changed in place."""


class Match(Protocol):
    """An object in a frame, before anybody decided about it."""

    @property
    def p_gate(self) -> Tensor | None:
        """Probability that the gate is on, a scalar; None for a network without a gate."""


class Segment(Protocol):
    """An object's mask before the competition with other objects."""

    @property
    def probability(self) -> Tensor:
        """Foreground probability, (H, W)."""

    @property
    def trace(self) -> ObjectTrace | None:
        """What the network saw, where it tells."""


class Competed(Protocol):
    """The outcome: index of the winner per pixel (H, W), 0 for background; masks (N, H, W)."""

    @property
    def winner(self) -> Tensor: ...

    @property
    def masks(self) -> Tensor: ...


class Tracker(Protocol):
    """A network as the walk needs it; it gets back the states, matches and segments it made."""

    cheap: Path
    """What policies may choose in place of FULL: REUSE, or COPY without reuse modules."""

    def features(self, image: Tensor, spans: Spans) -> Features:
        """Features of a frame, uint8 (3, H, W); the deep ones only when somebody asks."""

    def begin(self, features: Features, image: Tensor, mask: Tensor) -> State:
        """State of a new object with the given mask, bool (H, W)."""

    def match(self, features: Features, state: State, spans: Spans) -> Match:
        """Compare the frame with the object's past."""

    def delta(self, match: Any, spans: Spans) -> Tensor:
        """Δ, of any shape; asked for of networks that say so (``RunnerSpec.tells``)."""

    def segment(self, match: Any, path: Path, spans: Spans) -> Segment:
        """Take the FULL or the REUSE path."""

    def compete(self, probabilities: Tensor) -> Competed:
        """Let the objects compete: foreground probabilities (N, H, W)."""

    def settle(self, segment: Any, mask: Tensor, spans: Spans) -> State:
        """State after the frame, given the soft mask (H, W) that the competition left."""


@dataclass(frozen=True)
class _Copied:
    """The COPY path: the previous mask again."""

    probability: Tensor
    trace: ObjectTrace | None = None


@dataclass(frozen=True)
class _Tracked:
    """One object in one branch."""

    state: State
    mask: Tensor
    last_full: int


@dataclass(frozen=True)
class _Branch:
    """Policies that decided alike so far, by index, and the state they share.

    Attributes:
        labels: of the previous frame, (H, W); None before the first.
        memories: what each policy remembers of each object, by the policy's index.
    """

    objects: Mapping[int, _Tracked]
    members: tuple[int, ...]
    labels: Tensor | None
    memories: Mapping[int, Mapping[int, Any]]


@dataclass(frozen=True)
class _Matched:
    """A branch in a frame: its objects' matches, and what may be told of them, by object."""

    branch: _Branch
    matches: Mapping[int, Match]
    told: Mapping[int, Mapping[Need, float]]


@dataclass
class SharedWalk:
    """One walk over a clip for all ``policies``; see :class:`vosbench.runners.interface.Walk`.

    Attributes:
        padding: what the network wants around its frames; labels are cut back.
        passes_computed: full, reuse and copy passes of single objects that were computed.
        passes_saved: those that separate runs would have computed beside them.
    """

    tracker: Tracker
    clip: ClipInfo
    policies: tuple[GatePolicy, ...]
    padding: Padding | None = None
    passes_computed: int = 0
    passes_saved: int = 0
    _needs: tuple[frozenset[Need], ...] = field(init=False)
    _branches: list[_Branch] = field(init=False)
    _features: tuple[int, Features] | None = field(init=False, default=None)
    _images: dict[int, Tensor] = field(init=False, default_factory=dict)
    _given: dict[int, Tensor] = field(init=False, default_factory=dict)
    _begun: dict[int, State] = field(init=False, default_factory=dict)
    _ious: dict[tuple[int, int, int], float | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        members = tuple(range(len(self.policies)))
        self._needs = tuple(policy.spec.needs for policy in self.policies)
        self._branches = [_Branch({}, members, None, {member: {} for member in members})]

    @torch.inference_mode()
    def add_objects(self, frame: Frame, masks: Mapping[int, Tensor]) -> None:
        """Begin objects; what the first frame teaches doesn't depend on any policy."""
        features = self._features_of(frame, no_spans)
        image = self._padded(frame.image)
        for object_id, mask in masks.items():
            given = self._padded(mask[None])[0]
            self._given[object_id] = given
            self._begun[object_id] = self.tracker.begin(features, image, given)

    @torch.inference_mode()
    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        """Segment ``frame`` for every policy; steps come in the order of the policies."""
        features = self._features_of(frame, spans)
        if any(Need.PIXELS in needs for needs in self._needs):
            self._images[frame.index] = frame.image
        steps: dict[int, Step] = {}
        branches: list[_Branch] = []
        for matched in self._matched(features, spans):
            branch, matches = matched.branch, matched.matches
            segments: dict[tuple[int, Path], Segment] = {}
            for paths, memories in self._split(matched, frame.index).items():
                chosen = dict(zip(matches, paths, strict=True))
                for key in chosen.items():
                    if key not in segments:
                        segments[key] = self._segment(branch, matches, *key, spans)
                objects, labels = self._settle(branch, chosen, segments, frame.index, spans)
                branches.append(_Branch(objects, tuple(memories), labels, memories))
                report = self._report(frame.index, chosen, matched, segments)
                step = Step(labels, report, finite=_finite(segments[key] for key in chosen.items()))
                steps.update(dict.fromkeys(memories, step))
            self.passes_computed += len(segments)
            self.passes_saved += len(matches) * len(branch.members) - len(segments)
        self._branches = branches
        self._given, self._begun = {}, {}
        kept = {tracked.last_full for branch in branches for tracked in branch.objects.values()}
        self._images = {t: image for t, image in self._images.items() if t in kept}
        return tuple(steps[member] for member in range(len(self.policies)))

    def states(self, policy: int) -> Mapping[int, State]:
        """The network's state of each object, for the policy of that index."""
        branch = next(b for b in self._branches if policy in b.members)
        return {object_id: tracked.state for object_id, tracked in branch.objects.items()}

    def _features_of(self, frame: Frame, spans: Spans) -> Features:
        if self._features is None or self._features[0] != frame.index:
            features = self.tracker.features(self._padded(frame.image), spans)
            self._features = (frame.index, features)
        return self._features[1]

    def _padded(self, x: Tensor) -> Tensor:
        if self.padding is None:
            return x
        # Reflection isn't implemented for integers; these are small enough to be exact in float.
        return self.padding.pad(x.to(torch.float32)).to(x.dtype)

    def _matched(self, features: Features, spans: Spans) -> list[_Matched]:
        """Match every object of every branch, and read what policies may be told of them."""
        found: list[tuple[_Branch, dict[int, Match]]] = []
        asked: list[tuple[int, int, Need, Tensor]] = []
        for place, branch in enumerate(self._branches):
            matches = {
                i: self.tracker.match(features, tracked.state, spans)
                for i, tracked in branch.objects.items()
            }
            needs = frozenset[Need]().union(*(self._needs[member] for member in branch.members))
            for i, match in matches.items():
                asked += [
                    (place, i, *each) for each in self._readings(branch, i, match, needs, spans)
                ]
            found.append((branch, matches))
        told: list[dict[int, dict[Need, float]]] = [{i: {} for i in m} for _, m in found]
        if asked:
            with spans("gate"):
                values = torch.stack([tensor.double() for *_, tensor in asked]).tolist()
            for (place, i, need, _), value in zip(asked, values, strict=True):
                told[place][i][need] = value
        return [_Matched(*pair, of) for pair, of in zip(found, told, strict=True)]

    def _readings(
        self, branch: _Branch, object_id: int, match: Match, needs: frozenset[Need], spans: Spans
    ) -> Iterable[tuple[Need, Tensor]]:
        """Scalars still on the device; P_gate always, since results record it."""
        if match.p_gate is not None:
            yield Need.P_GATE, match.p_gate.reshape(())
        if Need.DELTA in needs:
            yield Need.DELTA, self.tracker.delta(match, spans).abs().mean(dtype=torch.float32)
        if Need.AREA in needs and branch.labels is not None:
            yield Need.AREA, (branch.labels == object_id).sum()

    def _split(
        self, matched: _Matched, index: int
    ) -> dict[tuple[Path, ...], dict[int, dict[int, Any]]]:
        """Group the branch's policies by the paths they choose, with what they remember."""
        groups: dict[tuple[Path, ...], dict[int, dict[int, Any]]] = {}
        for member in matched.branch.members:
            decisions = {i: self._decide(member, matched, i, index) for i in matched.matches}
            paths = tuple(decision.path for decision in decisions.values())
            memories = {i: decision.memory for i, decision in decisions.items()}
            groups.setdefault(paths, {})[member] = memories
        return groups

    def _decide(self, member: int, matched: _Matched, object_id: int, index: int) -> Decision:
        """Ask one policy about one object; it is told what it asked for and no more."""
        policy, needs = self.policies[member], self._needs[member]
        told = {n: v for n, v in matched.told[object_id].items() if n in needs}
        last_full = matched.branch.objects[object_id].last_full
        seen = Evidence(
            clip=self.clip.name,
            frame=index,
            object_id=object_id,
            last_full=last_full,
            cheap=self.tracker.cheap,
            memory=matched.branch.memories[member].get(object_id),
            p_gate=told.get(Need.P_GATE),
            delta=told.get(Need.DELTA),
            area=int(told[Need.AREA]) if Need.AREA in told else None,
            image=self._images[index] if Need.PIXELS in needs else None,
            full_image=self._images[last_full] if Need.PIXELS in needs else None,
            masks=self._masks(matched.branch, object_id) if Need.MASKS in needs else None,
            true_iou=self._true_iou(object_id) if Need.TRUTH in needs else None,
        )
        return decision(policy, seen)

    def _masks(self, branch: _Branch, object_id: int) -> tuple[Tensor, ...]:
        assert branch.labels is not None, "policies decide of objects that have begun"
        return (branch.labels == object_id,)

    def _segment(
        self,
        branch: _Branch,
        matches: Mapping[int, Match],
        object_id: int,
        path: Path,
        spans: Spans,
    ) -> Segment:
        if path is Path.COPY:
            return _Copied(branch.objects[object_id].mask)
        return self.tracker.segment(matches[object_id], path, spans)

    def _settle(
        self,
        branch: _Branch,
        chosen: Mapping[int, Path],
        segments: Mapping[tuple[int, Path], Segment],
        index: int,
        spans: Spans,
    ) -> tuple[dict[int, _Tracked], Tensor]:
        """Let objects compete, then bring every state up to date: → objects, labels (H, W)."""
        probabilities = {i: segments[i, path].probability for i, path in chosen.items()}
        with spans("aggregate"):
            labels, masks = self._compete(probabilities)
        objects: dict[int, _Tracked] = {}
        for object_id, mask in masks.items():
            if object_id in self._begun:
                objects[object_id] = _Tracked(self._begun[object_id], mask, index)
                continue
            path, before = chosen[object_id], branch.objects[object_id]
            if path is Path.COPY:
                objects[object_id] = replace(before, mask=mask)
                continue
            state = self.tracker.settle(segments[object_id, path], mask, spans)
            last_full = index if path is Path.FULL else before.last_full
            objects[object_id] = _Tracked(state, mask, last_full)
        return objects, labels if self.padding is None else self.padding.crop(labels)

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
        matched: _Matched,
        segments: Mapping[tuple[int, Path], Segment],
    ) -> tuple[ObjectStep, ...]:
        traced = index in self.clip.traced
        known = [
            ObjectStep(
                i,
                path,
                matched.told[i].get(Need.P_GATE),
                segments[i, path].trace if traced else None,
            )
            for i, path in chosen.items()
        ]
        return tuple(known + [ObjectStep(i, Path.INIT) for i in self._begun])

    def _true_iou(self, object_id: int) -> Callable[[int, int], float | None]:
        def iou(before: int, now: int) -> float | None:
            key = (object_id, before, now)
            if key not in self._ious:
                self._ious[key] = mask_iou(
                    self._truth(before, object_id), self._truth(now, object_id)
                )
            return self._ious[key]

        return iou

    def _truth(self, frame: int, object_id: int) -> Tensor | None:
        if self.clip.truth is None:
            raise RuntimeError("an oracle needs a clip with annotations; RunnerSpec.needs_truth")
        return self.clip.truth(frame, object_id)


def _finite(segments: Iterable[Segment]) -> Tensor | None:
    """Whether all probabilities are numbers, a scalar; the sum of numbers from 0 to 1 is one."""
    sums = [segment.probability.sum() for segment in segments]
    return torch.stack(sums).isfinite().all() if sums else None


def mask_iou(a: Tensor | None, b: Tensor | None) -> float | None:
    """IoU of two masks; of two empty ones 1."""
    if a is None or b is None:
        return None
    union = int((a | b).sum())
    return 1.0 if union == 0 else int((a & b).sum()) / union
