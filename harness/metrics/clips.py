"""What scoring must know of a clip on disk, and how its plan follows from its annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.metrics.label_png import read_label_png
from vosbench.harness.metrics.plan import ScoringPlan, davis_plan, youtube_vos_plan
from vosbench.harness.metrics.planes import label_ids

VOID = 255
"""Label of unclear pixels in DAVIS annotations; the official evaluation takes it as background."""


class ScoringRule(StrEnum):
    """Which frames count."""

    DAVIS = "davis"
    YOUTUBE_VOS = "youtube-vos"


@dataclass(frozen=True)
class ScoringClip:
    """One clip whose predictions are to be scored; it travels to worker processes.

    Attributes:
        name: the clip's name and its folder's in the results.
        frame_names: file stems of all frames, in order (``00000``).
        annotation_paths: PNG of each annotated frame, by frame index.
        merge_objects: every nonzero label is object 1 (DAVIS 2016); with the DAVIS rule only.
        rule: which frames count.
        first_frames: for YouTube-VOS, each object's first frame by its id, as meta.json has it;
            None to take it from the annotations. An annotation may have other ids as well, which
            then count as background.
    """

    name: str
    frame_names: tuple[str, ...]
    annotation_paths: Mapping[int, Path]
    merge_objects: bool = False
    rule: ScoringRule = ScoringRule.DAVIS
    first_frames: Mapping[int, int] | None = None


def plan_clip(clip: ScoringClip) -> ScoringPlan:
    """The clip's objects and the frames that count, reading no more annotations than it must.

    Raises:
        InputError: an annotation that is needed is missing or unreadable, or nothing can be
            scored.
    """
    try:
        plan = _davis(clip) if clip.rule is ScoringRule.DAVIS else _youtube_vos(clip)
        for index in plan.objects_at:
            _annotation(clip, index)
    except InputError as error:
        raise InputError(f"{clip.name}: {error}") from None
    return plan


def _davis(clip: ScoringClip) -> ScoringPlan:
    frame_count = len(clip.frame_names)
    if clip.merge_objects:
        return davis_plan((1,), frame_count, merge_objects=True)
    first = label_ids(read_label_png(_annotation(clip, 0)))
    return davis_plan((i for i in first if i != VOID), frame_count)


def _youtube_vos(clip: ScoringClip) -> ScoringPlan:
    if clip.merge_objects:
        raise InputError("objects are merged by the DAVIS rule only: score them one by one")
    annotated = sorted(clip.annotation_paths)
    if clip.first_frames is not None:
        return youtube_vos_plan(clip.first_frames, annotated)
    first_frames: dict[int, int] = {}
    for index in annotated:
        for object_id in label_ids(read_label_png(clip.annotation_paths[index])):
            first_frames.setdefault(object_id, index)
    return youtube_vos_plan(first_frames, annotated)


def _annotation(clip: ScoringClip, index: int) -> Path:
    path = clip.annotation_paths.get(index)
    if path is None:
        raise InputError(
            f"frame {clip.frame_names[index]} has no annotation, and is to be scored: "
            "complete the annotations"
        )
    return path
