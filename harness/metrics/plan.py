"""Which frames of a clip count for which object: where the protocols differ."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from vosbench.baselines.errors import InputError


@dataclass(frozen=True)
class ScoringPlan:
    """What is scored in one clip.

    Attributes:
        frames: by object id, the indices of the frames that count, ascending. These ids are all
            that predictions may contain; an id without frames is known but not scored.
        merge_objects: every nonzero label is object 1 (DAVIS 2016).
    """

    frames: Mapping[int, tuple[int, ...]]
    merge_objects: bool = False

    def __post_init__(self) -> None:
        """Hold the mapping by value; only object 1 can be scored in merged clips."""
        object.__setattr__(self, "frames", dict(sorted(self.frames.items())))
        if self.merge_objects and set(self.frames) != {1}:
            raise ValueError(f"merged objects are object 1, not {sorted(self.frames)}")

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The clip's objects, ascending."""
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
        return ScoringPlan(
            {i: tuple(t for t in counted if t in kept) for i, counted in self.frames.items()},
            self.merge_objects,
        )


def davis_plan(
    object_ids: Iterable[int], frame_count: int, *, merge_objects: bool = False
) -> ScoringPlan:
    """DAVIS: all but the first and the last frame, for every object of the first annotation.

    Raises:
        InputError: no object, or fewer than three frames.
    """
    ids = (1,) if merge_objects else tuple(object_ids)
    if not ids:
        raise InputError("the first annotation has no object: annotate frame 0 to score the clip")
    if frame_count < 3:
        raise InputError(
            f"{frame_count} frames can't be scored: DAVIS skips the first and the last one, "
            "give at least 3"
        )
    return ScoringPlan({i: tuple(range(1, frame_count - 1)) for i in ids}, merge_objects)


def youtube_vos_plan(
    first_frames: Mapping[int, int], annotated_frames: Iterable[int]
) -> ScoringPlan:
    """YouTube-VOS: for each object the annotated frames after its first one.

    Args:
        first_frames: by object id, the index of the frame in which it is given.
        annotated_frames: indices of the frames that have an annotation.

    Raises:
        InputError: no object.
    """
    if not first_frames:
        raise InputError("no annotation has an object: nothing of the clip can be scored")
    annotated = sorted(set(annotated_frames))
    return ScoringPlan(
        {i: tuple(t for t in annotated if t > first) for i, first in first_frames.items()}
    )
