"""Walk a clip with a network whose per-object state is a value, for several policies at once.

All policies start in one state. At each frame every policy decides, object by object; those that
decide alike stay together in one branch, the others split off. A branch maps object ids to frozen
states, so splitting copies references. What a branch computes is paid once for all its policies,
and the features of a frame once for all branches.

A frame goes through six phases: features, matching of every object in every branch, reading what
policies need to be told (one transfer from the device), deciding, the masks of all objects in all
branches, and their states after the frame. Within a phase, objects of all branches are one batch,
where the tracker takes batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from vosbench.baselines.ttvos.padding import Padding
from vosbench.runners.branches import (
    Branch,
    Copied,
    Fork,
    MatchedBranch,
    Reading,
    SettledFork,
    Tracked,
)
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Spans,
    Step,
    no_spans,
)
from vosbench.runners.policy import (
    Decision,
    Evidence,
    GatePolicy,
    Need,
    Path,
    decision,
    mask_iou,
)
from vosbench.runners.tracker import Batches, Features, Segment, State, Tracker


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
    _batches: Batches = field(init=False)
    _names: tuple[tuple[int, ...], Tensor] | None = field(init=False, default=None)
    _needs: tuple[frozenset[Need], ...] = field(init=False)
    _branches: list[Branch] = field(init=False)
    _features: tuple[int, Features] | None = field(init=False, default=None)
    _images: dict[int, Tensor] = field(init=False, default_factory=dict)
    _given: dict[int, Tensor] = field(init=False, default_factory=dict)
    _begun: dict[int, State] = field(init=False, default_factory=dict)
    _ious: dict[tuple[int, int, int], float | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        members = tuple(range(len(self.policies)))
        self._batches = Batches(self.tracker, self.clip.height * self.clip.width)
        self._needs = tuple(policy.spec.needs for policy in self.policies)
        self._branches = [Branch({}, members, None, {member: {} for member in members})]

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
        forks = self._forks(self._matched(features, spans), frame.index, spans)
        steps: dict[int, Step] = {}
        branches: list[Branch] = []
        for fork, (objects, made) in zip(
            forks, self._settle(forks, frame.index, spans), strict=True
        ):
            branches.append(Branch(objects, tuple(fork.memories), made.labels, fork.memories))
            step = Step(made.labels, self._report(frame.index, fork), finite=made.finite)
            steps.update(dict.fromkeys(fork.memories, step))
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

    def _matched(self, features: Features, spans: Spans) -> list[MatchedBranch]:
        """Match every object of every branch, and read what policies may be told of them."""
        states = [o.state for branch in self._branches for o in branch.objects.values()]
        found = iter(self._batches.match(features, states, spans))
        matched = [
            MatchedBranch(b, {i: next(found) for i in b.objects}, {}) for b in self._branches
        ]
        told: list[dict[int, dict[Need, float]]] = [{i: {} for i in m.matches} for m in matched]
        readings = list(self._readings(matched, spans))
        if readings:
            with spans("gate"):
                values = iter(torch.cat([read.double() for *_, read in readings]).tolist())
            for need, keys, _ in readings:
                for place, i in keys:
                    told[place][i][need] = next(values)
        return [replace(each, told=known) for each, known in zip(matched, told, strict=True)]

    def _readings(self, matched: Sequence[MatchedBranch], spans: Spans) -> Iterator[Reading]:
        """What policies asked for, and P_gate always, since results record it."""
        every = [((p, i), match) for p, m in enumerate(matched) for i, match in m.matches.items()]
        gates = [(key, match.p_gate) for key, match in every if match.p_gate is not None]
        if gates:
            read = torch.stack([p_gate.reshape(()) for _, p_gate in gates])
            yield Need.P_GATE, [key for key, _ in gates], read
        asking = {p for p, m in enumerate(matched) if self._asks(m.branch, Need.DELTA)}
        changed = [(key, match) for key, match in every if key[0] in asking]
        if changed:
            read = torch.stack(self._batches.change([match for _, match in changed], spans))
            yield Need.DELTA, [key for key, _ in changed], read
        for place, each in enumerate(matched):
            labels, ids = each.branch.labels, tuple(each.matches)
            if labels is not None and ids and self._asks(each.branch, Need.AREA):
                names = self._names_of(ids, labels.device)[1:]
                areas = (labels == names.view(-1, 1, 1)).sum(dim=(-2, -1))
                yield Need.AREA, [(place, i) for i in ids], areas

    def _asks(self, branch: Branch, need: Need) -> bool:
        return any(need in self._needs[member] for member in branch.members)

    def _forks(self, matched: Sequence[MatchedBranch], index: int, spans: Spans) -> list[Fork]:
        """Ask all policies, and compute what their answers take: each branch's forks."""
        groups = [
            (place, dict(zip(each.matches, paths, strict=True)), memories)
            for place, each in enumerate(matched)
            for paths, memories in self._split(each, index).items()
        ]
        keys = list(dict.fromkeys((p, *pair) for p, chosen, _ in groups for pair in chosen.items()))
        self.passes_computed += len(keys)
        self.passes_saved += sum(len(m.matches) * len(m.branch.members) for m in matched) - len(
            keys
        )
        asked = [key for key in keys if key[2] is not Path.COPY]
        segments: dict[tuple[int, int, Path], Segment] = {
            (place, i, path): Copied(matched[place].branch.objects[i].mask)
            for place, i, path in keys
            if path is Path.COPY
        }
        found = self._batches.segment(
            [(matched[p].matches[i], path) for p, i, path in asked], spans
        )
        segments |= zip(asked, found, strict=True)
        return [
            Fork(
                matched[place],
                chosen,
                memories,
                {i: segments[place, i, path] for i, path in chosen.items()},
            )
            for place, chosen, memories in groups
        ]

    def _split(
        self, matched: MatchedBranch, index: int
    ) -> dict[tuple[Path, ...], dict[int, dict[int, Any]]]:
        """Group the branch's policies by the paths they choose, with what they remember."""
        groups: dict[tuple[Path, ...], dict[int, dict[int, Any]]] = {}
        for member in matched.branch.members:
            decisions = {i: self._decide(member, matched, i, index) for i in matched.matches}
            paths = tuple(decision.path for decision in decisions.values())
            memories = {i: decision.memory for i, decision in decisions.items()}
            groups.setdefault(paths, {})[member] = memories
        return groups

    def _decide(self, member: int, matched: MatchedBranch, object_id: int, index: int) -> Decision:
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

    def _masks(self, branch: Branch, object_id: int) -> tuple[Tensor, ...]:
        assert branch.labels is not None, "policies decide of objects that have begun"
        return (branch.labels == object_id,)

    def _settle(
        self, forks: Sequence[Fork], index: int, spans: Spans
    ) -> list[tuple[dict[int, Tracked], SettledFork]]:
        """Let objects compete, then bring every state up to date."""
        with spans("aggregate"):
            competed = [each for part in self._together(forks) for each in self._compete(part)]
        asked = [
            (place, i)
            for place, (fork, made) in enumerate(zip(forks, competed, strict=True))
            for i in made.masks
            if i not in self._begun and fork.chosen[i] is not Path.COPY
        ]
        found = self._batches.settle(
            [(forks[place].segments[i], competed[place].masks[i]) for place, i in asked], spans
        )
        states = dict(zip(asked, found, strict=True))
        settled = []
        for place, (fork, made) in enumerate(zip(forks, competed, strict=True)):
            objects: dict[int, Tracked] = {}
            for i, mask in made.masks.items():
                if i in self._begun:
                    objects[i] = Tracked(self._begun[i], mask, index)
                    continue
                before = fork.matched.branch.objects[i]
                last_full = index if fork.chosen[i] is Path.FULL else before.last_full
                objects[i] = Tracked(states.get((place, i), before.state), mask, last_full)
            settled.append((objects, made))
        return settled

    def _together(self, forks: Sequence[Fork]) -> Iterator[Sequence[Fork]]:
        """Forks whose objects compete in one batch; every fork has the same objects."""
        objects = len(forks[0].chosen) + len(self._given)
        size = max(1, self._batches.at_once // max(1, objects))
        for start in range(0, len(forks), size):
            yield forks[start : start + size]

    def _compete(self, forks: Sequence[Fork]) -> list[SettledFork]:
        """Join known objects with those given in this frame, which own their pixels."""
        joined = [self._entries(fork) for fork in forks]
        ids = tuple(sorted(joined[0]))
        if not ids:
            raise RuntimeError("step() before any object was added")
        stacked = [torch.stack([entries[i] for i in ids]) for entries in joined]
        alone = len(stacked) == 1
        probabilities = stacked[0] if alone else torch.stack(stacked)
        competed = self.tracker.compete(probabilities)
        winners, masks = competed.winner, competed.masks
        finite: Sequence[Tensor | None] = [None] * len(forks)
        if self.clip.watched:
            # The sum of numbers from 0 to 1 is a number.
            finite = probabilities.sum(dim=(-3, -2, -1)).isfinite().view(-1).unbind()
        if alone:
            winners, masks = winners[None], masks[None]
        labels = self._names_of(ids, winners.device)[winners]
        if self.padding is not None:
            labels = self.padding.crop(labels)
        return [
            SettledFork(of, dict(zip(ids, each, strict=True)), whole)
            for of, each, whole in zip(labels, masks, finite, strict=True)
        ]

    def _entries(self, fork: Fork) -> dict[int, Tensor]:
        entries = {i: segment.probability for i, segment in fork.segments.items()}
        if not self._given:
            return entries
        own = torch.stack(list(self._given.values())).any(dim=0)
        entries = {i: p.masked_fill(own, 0.0) for i, p in entries.items()}
        dtype = next(iter(entries.values())).dtype if entries else torch.float32
        return entries | {i: mask.to(dtype) for i, mask in self._given.items()}

    def _names_of(self, ids: tuple[int, ...], device: torch.device) -> Tensor:
        """Label by winner; kept, since making it is a copy to the device."""
        if self._names is None or self._names[0] != ids:
            self._names = (ids, torch.tensor([0, *ids], dtype=torch.uint8, device=device))
        return self._names[1]

    def _report(self, index: int, fork: Fork) -> tuple[ObjectStep, ...]:
        traced = index in self.clip.traced
        known = [
            ObjectStep(
                i,
                path,
                fork.matched.told[i].get(Need.P_GATE),
                fork.segments[i].trace if traced else None,
            )
            for i, path in fork.chosen.items()
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
            raise RuntimeError(
                "an oracle needs a sequence with annotations; RunnerSpec.needs_truth"
            )
        return self.clip.truth(frame, object_id)
