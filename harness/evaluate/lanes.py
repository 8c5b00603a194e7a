"""What is noted along a walk: one lane per set of policies that have done the same so far."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.overlap import Masks, Overlapping, flat, ids_of
from vosbench.harness.evaluate.annotations import Annotations, Labels
from vosbench.harness.evaluate.traces import Trace
from vosbench.harness.metrics import SequenceScorer, SequenceScores
from vosbench.harness.metrics.computed import KeptMasks
from vosbench.harness.store.arrays import ArrayPacker, PackedArray
from vosbench.harness.trials import PATH_CODES
from vosbench.runners.interface import Path

if TYPE_CHECKING:
    from vosbench.runners.interface import Step


@dataclass
class Lane:
    """The record of policies that share one history.

    Attributes:
        members: indices of the policies.
        object_ids: the ids that count, ascending; the second axis K of the series.
        scorer: J and F.
        masks: the label maps, compressed as they come, if they are to be kept.
        kept: those of frames that count, if other packages' metrics want them.
        trace: what the network saw in traced frames.
        frames_not_finite: how many frames held NaN or infinity, whose labels mean nothing.
    """

    members: tuple[int, ...]
    object_ids: tuple[int, ...]
    scorer: SequenceScorer
    masks: ArrayPacker | None = None
    kept: KeptMasks | None = None
    trace: Trace = field(default_factory=Trace)
    frames_not_finite: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    _p_gate: list[list[float]] = field(default_factory=list)
    _path: list[list[int]] = field(default_factory=list)
    _full_iou: list[list[float]] = field(default_factory=list)
    _last_full: dict[int, int] = field(default_factory=dict)
    _constant: dict[int, float | None] = field(default_factory=dict)

    def fork(self, members: tuple[int, ...]) -> Lane:
        """The same history for some of the members."""
        twin = copy.copy(self)
        twin.members = members
        twin.scorer = self.scorer.fork()
        twin.masks = None if self.masks is None else self.masks.fork()
        twin.kept = None if self.kept is None else self.kept.fork()
        twin.trace = self.trace.fork()
        twin._digest = self._digest.copy()
        twin._p_gate, twin._path = list(self._p_gate), list(self._path)
        twin._full_iou = list(self._full_iou)
        twin._last_full = dict(self._last_full)
        twin._constant = dict(self._constant)
        return twin

    def note(self, t: int, masks: Masks, step: Step | None, truth: Annotations) -> None:
        """Note frame ``t``: its masks, and the step unless no object was there yet."""
        labels = flat(masks)
        self._digest.update(labels.tobytes())
        if isinstance(masks, Overlapping):
            for object_id, mask in sorted(masks.masks.items()):
                self._digest.update(bytes([object_id]) + np.packbits(mask).tobytes())
        if self.masks is not None:
            self.masks.add(labels)
        if t in self.scorer.plan.objects_at:
            self.scorer.add(t, lambda: annotated(truth, t), masks)
            if self.kept is not None:
                self.kept.keep(t, masks)
        if step is not None:
            self._note_constant(masks, labels, step)
            if step.finite is not None and not bool(step.finite):
                self.frames_not_finite += 1
        width = len(self.object_ids)
        p_gate, path, iou = [np.nan] * width, [0] * width, [np.nan] * width
        for o in step.objects if step is not None else ():
            k = self.object_ids.index(o.id)
            path[k] = PATH_CODES[o.path]
            if o.p_gate is not None:
                p_gate[k] = o.p_gate
            if o.path is not Path.INIT:
                iou[k] = truth.iou(o.id, self._last_full[o.id], t)
            if o.path in (Path.INIT, Path.FULL):
                self._last_full[o.id] = t
        self._p_gate.append(p_gate)
        self._path.append(path)
        self._full_iou.append(iou)

    def _note_constant(self, masks: Masks, labels: Labels, step: Step) -> None:
        shown = ids_of(masks)
        only = int(labels.flat[0]) if len(shown) == 1 and labels.all() else 0
        for o in step.objects:
            if o.path is not Path.INIT:
                value = 0.0 if o.id not in shown else 1.0 if o.id == only else None
                same = self._constant.setdefault(o.id, value) == value
                self._constant[o.id] = value if same else None

    def constant_masks(self) -> dict[int, float]:
        """Objects that were nowhere (0) or everywhere (1) in each frame after their first."""
        return {i: value for i, value in self._constant.items() if value is not None}

    @property
    def mask_sha256(self) -> str:
        """Hash over all label maps so far, in order."""
        return self._digest.hexdigest()

    def scores(self) -> SequenceScores | None:
        """What was measured of the whole clip; None where nothing of it counts."""
        return None if self.scorer.plan.unscored is not None else self.scorer.result().counted()

    def packed(self) -> dict[str, PackedArray]:
        """``labels`` (T, H, W), where they are kept; compressed already."""
        return {} if self.masks is None else {"labels": self.masks.packed()}

    def series(self) -> dict[str, NDArray[np.generic]]:
        """``p_gate``, ``path`` and ``full_iou``, each (T, K)."""
        named: dict[str, NDArray[np.generic]] = {
            "p_gate": np.array(self._p_gate, np.float32),
            "path": np.array(self._path, np.uint8),
            "full_iou": np.array(self._full_iou, np.float32),
        }
        return named | self.trace.series(self.object_ids)


def annotated(truth: Annotations, t: int) -> Masks:
    """The masks of a frame that counts."""
    masks = truth.masks(t)
    assert masks is not None, "the scoring plan names annotated frames only"
    return masks


def split_lane(lane: Lane, steps: dict[int, Step]) -> list[tuple[Lane, Step]]:
    """Follow a walk: members that got the same step stay together, others leave in a fork."""
    groups: dict[int, list[int]] = {}
    for member in lane.members:
        groups.setdefault(id(steps[member]), []).append(member)
    forks = [lane.fork(tuple(members)) for members in list(groups.values())[1:]]
    lane.members = tuple(next(iter(groups.values())))
    return [(branch, steps[branch.members[0]]) for branch in (lane, *forks)]
