"""What is scored in one sequence: the answer of a protocol."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property


@dataclass(frozen=True)
class ScoringPlan:
    """What is scored in one sequence.

    Attributes:
        frames: by object id, the indices of the frames that count, ascending; an id without
            frames is known but not scored.
        merge_objects: every nonzero label is object 1 (DAVIS 2016).
        ignored: ids that predictions may hold beside those of ``frames``, and that don't count.
        unscored: why no frame of any object counts; None where one does.
        measures: name of what is measured (:mod:`vosbench.harness.metrics.measures`).
    """

    frames: Mapping[int, tuple[int, ...]]
    merge_objects: bool = False
    ignored: frozenset[int] = frozenset()
    unscored: str | None = None
    measures: str = "davis"

    def __post_init__(self) -> None:
        """Hold the mapping by value; only object 1 can be scored in merged sequences."""
        object.__setattr__(self, "frames", dict(sorted(self.frames.items())))
        if self.merge_objects and set(self.frames) != {1}:
            raise ValueError(f"merged objects are object 1, not {sorted(self.frames)}")
        if (self.unscored is None) != any(self.frames.values()):
            raise ValueError("a plan scores something, or says why it doesn't")

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The sequence's objects, ascending."""
        return tuple(self.frames)

    @cached_property
    def objects_at(self) -> Mapping[int, tuple[int, ...]]:
        """By frame index, ascending, the objects that it counts for; other frames are left out."""
        found: dict[int, list[int]] = {}
        for object_id, frames in self.frames.items():
            for frame in frames:
                found.setdefault(frame, []).append(object_id)
        return {frame: tuple(found[frame]) for frame in sorted(found)}

    def restricted(self, frames: Collection[int]) -> ScoringPlan:
        """The same plan over some of the frames."""
        kept = set(frames)
        counted = {i: tuple(t for t in ts if t in kept) for i, ts in self.frames.items()}
        none = "none of these frames counts"
        return replace(
            self, frames=counted, unscored=None if any(counted.values()) else self.unscored or none
        )

    def unscorable(self, reason: str) -> ScoringPlan:
        """The same objects with no frame that counts."""
        return replace(self, frames=dict.fromkeys(self.frames, ()), unscored=reason)
