"""``MODEL+POLICY`` for a model without reuse: a gate around any runner, whatever is inside.

A wrapped model has a state of its own, and one for all its objects. So the policy decides for a
frame as a whole, once, and the model sees the full frames only, numbered as if there were no
others. In the frames between, the last labels are carried along by optical flow
(:mod:`vosbench.runners.carry`), which is its REUSE path, or stay where they are (COPY). Objects
that begin make their frame a full one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Precision,
    Runner,
    RunnerSpec,
    Spans,
    Step,
    Walk,
)
from vosbench.runners.policies import Never
from vosbench.runners.policy import Evidence, GatePolicy, Need, Path, decision, mask_iou
from vosbench.runners.steered import Steered

if TYPE_CHECKING:
    import torch

    from vosbench.runners.carry import Carrier

VERSION = "gate1"
"""Raised whenever results of wrapped models may change."""
TELLS = frozenset({Need.AREA, Need.MASKS, Need.PIXELS, Need.TRUTH})
_CARRY = "carry"


def gated(runner: Runner, policy: GatePolicy) -> Steered:
    """``runner`` with a gate around it; raises InputError for one that can't have it."""
    gated_spec(runner.spec)
    return Steered(Gated(runner), policy)


def gated_spec(spec: RunnerSpec) -> RunnerSpec:
    """What a model is with a gate around it.

    Raises InputError for one that reuses by itself, needs annotations, or only reads what was
    predicted before.
    """
    if spec.paths != {Path.FULL} or spec.takes_tau or spec.needs_truth:
        raise InputError(f"{spec.name} decides by itself: it takes no policy")
    if spec.predicts_early:
        raise InputError(f"{spec.name} are stored predictions, where nothing can be saved")
    return replace(
        spec,
        version=f"{spec.version}+{VERSION}",
        paths=frozenset({Path.FULL, Path.REUSE, Path.COPY}),
        tells=TELLS,
    )


class Gated:
    """A runner whose walks take a policy, one at a time; its own steps are full ones."""

    def __init__(self, runner: Runner) -> None:
        self.spec, self.weights = gated_spec(runner.spec), runner.weights
        self._runner = runner
        self._walk: GatedWalk | None = None

    def load(self, device: torch.device, precision: Precision) -> None:
        """See :class:`vosbench.runners.interface.Runner`, also for what follows."""
        self._runner.load(device, precision)

    def walk(self, clip: ClipInfo, policies: tuple[GatePolicy, ...]) -> Walk:
        """Begin a walk, which ends any other: there is one model, with one state."""
        if len(policies) != 1:
            raise RuntimeError("a wrapped model has one state: give it one policy at a time")
        inside = replace(clip, truth=None, frame_names=(), wanted={}, traced=())
        self._runner.start(inside)
        self._walk = GatedWalk(self._runner, clip, policies[0])
        return self._walk

    def start(self, clip: ClipInfo) -> None:
        self.walk(clip, (Never(),))

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        self._current().add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> Step:
        return self._current().step(frame, spans)[0]

    def _current(self) -> GatedWalk:
        if self._walk is None:
            raise RuntimeError("no sequence was started: call start() first")
        return self._walk


@dataclass
class GatedWalk:
    """A walk over a sequence under one policy; see :class:`vosbench.runners.interface.Walk`."""

    runner: Runner
    clip: ClipInfo
    policy: GatePolicy
    passes_computed: int = 0
    passes_saved: int = 0
    _seen: int = 0
    _given: bool = False
    _full: Frame | None = None
    _last: tuple[Frame, Step] | None = None
    _carried: tuple[Carrier, Step] | None = None
    _memory: object = None
    _ious: dict[tuple[int, int], float | None] = field(default_factory=dict)

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Begin objects."""
        self._given = True
        self.runner.add_objects(Frame(self._seen, frame.image), masks)

    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]:
        """Segment ``frame``, or carry the last labels to it."""
        path = self._path(frame)
        if path is Path.FULL:
            step = self.runner.step(Frame(self._seen, frame.image), spans)
            self._full, self._carried = frame, None
            self._seen += 1
        else:
            with spans(_CARRY):
                step = self._cheap(frame, path)
        self._given = False
        self._last = (frame, step)
        self.passes_computed += len(step.objects)
        return (step,)

    def _path(self, frame: Frame) -> Path:
        if self._given or self._full is None or self._last is None:
            return Path.FULL
        found = decision(self.policy, self._evidence(frame, self._full, self._last[1]))
        self._memory = found.memory
        return found.path

    def _evidence(self, frame: Frame, full: Frame, last: Step) -> Evidence:
        """Told of the frame as a whole, for the object of the lowest id."""
        needs = self.policy.spec.needs
        ids = sorted(o.id for o in last.objects)
        pixels = Need.PIXELS in needs
        return Evidence(
            clip=self.clip.name,
            frame=frame.index,
            object_id=ids[0],
            last_full=full.index,
            cheap=Path.REUSE,
            memory=self._memory,
            area=int((last.labels > 0).sum()) if Need.AREA in needs else None,
            image=frame.image if pixels else None,
            full_image=full.image if pixels else None,
            masks=tuple(last.labels == i for i in ids) if Need.MASKS in needs else None,
            true_iou=self._true_iou(ids) if Need.TRUTH in needs else None,
        )

    def _cheap(self, frame: Frame, path: Path) -> Step:
        assert self._last is not None
        before, last = self._last
        objects = tuple(ObjectStep(o.id, path) for o in last.objects)
        if path is Path.COPY:
            self._carried = None  # what follows is carried from where the copy lies
            return Step(last.labels, objects, last.masks)
        from vosbench.runners.carry import Carrier

        carrier, begun = self._carried or (Carrier(before.image), last)
        self._carried = (carrier, begun)
        carrier.advance(frame.image)
        masks = begun.masks and {i: carrier.carried(mask) for i, mask in begun.masks.items()}
        return Step(carrier.carried(begun.labels), objects, masks)

    def _true_iou(self, ids: list[int]) -> Callable[[int, int], float | None]:
        """The least IoU of any object; None where one has no annotation."""

        def iou(before: int, now: int) -> float | None:
            if (before, now) not in self._ious:
                self._ious[before, now] = self._least_iou(ids, before, now)
            return self._ious[before, now]

        return iou

    def _least_iou(self, ids: list[int], before: int, now: int) -> float | None:
        truth = self.clip.truth
        if truth is None:
            raise RuntimeError(
                "an oracle needs a sequence with annotations; RunnerSpec.needs_truth"
            )
        found = [mask_iou(truth(before, i), truth(now, i)) for i in ids]
        known = [value for value in found if value is not None]
        return min(known) if len(known) == len(found) else None
