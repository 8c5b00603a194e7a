"""What ``vosbench run`` will make of a sequence, found before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.datasets.decode import Size, orientation
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.objects import VOID, present_ids
from vosbench.harness.datasets.protocols import Protocol


@dataclass(frozen=True)
class Outlook:
    """A sequence as it will be run.

    Attributes:
        sequence: its name.
        frames: names of its frames, in the order in which they are run.
        size, label_size: height and width of frames and of annotations.
        annotated: how many frames have an annotation.
        objects: by the object's name, the name of the frame whose mask is given.
        void_share: share of the annotated pixels that are void, 0..1; None if unknown.
        scored: by protocol, how many frames of how many objects count, or why none does.
        remarks: what may surprise, one line each.
    """

    sequence: str
    frames: tuple[str, ...]
    size: Size
    label_size: Size
    annotated: int
    objects: Mapping[str, str]
    void_share: float | None
    scored: Mapping[str, str]
    remarks: tuple[str, ...]


def outlook(dataset: Dataset, clip: Clip, pool: ThreadPoolExecutor) -> Outlook:
    """Look at all files of one of the dataset's clips; damaged ones are left out."""
    found = list(pool.map(_ids_and_void, clip.mask_files()))
    known = [(ids, void) for ids, void in found if ids is not None]
    void = float(np.mean([share for _, share in known])) if known and not clip.binary else None
    shown = set().union(*(ids for ids, _ in known)) if known else set()
    return Outlook(
        sequence=clip.name,
        frames=clip.frame_names,
        size=clip.size,
        label_size=clip.label_size or clip.size,
        annotated=len(clip.annotation_paths),
        objects={clip.object_name(i): clip.frame_names[t] for i, t in clip.objects.items()},
        void_share=None if clip.mask_paths else void,
        scored=dict(_scored(dataset, p.name, clip.name) for p in _choices(dataset)),
        remarks=tuple(
            line
            for line in (
                _turned(list(pool.map(_orientation, clip.image_paths)), clip),
                _unpadded(clip),
                _one_object(clip),
                _background(clip, shown),
            )
            if line
        ),
    )


def _choices(dataset: Dataset) -> tuple[Protocol, ...]:
    return dataset.choices or (dataset.protocol,)


def _scored(dataset: Dataset, protocol: str, name: str) -> tuple[str, str]:
    opened = dataset.under(protocol)
    try:
        plan = opened.plan(opened.clip(name))
    except InputError as error:
        return protocol, f"can't be: {error}"
    if plan.unscored is not None:
        return protocol, f"has no score: {plan.unscored}"
    counted = {i: frames for i, frames in plan.frames.items() if frames}
    return protocol, f"{len(plan.objects_at)} frames of {len(counted)} objects count"


def _ids_and_void(path: Path) -> tuple[set[int] | None, float]:
    try:
        labels = read_labels(path)
    except InputError:
        return None, 0.0
    return present_ids(labels), float(np.mean(labels == VOID))


def _orientation(path: Path) -> int:
    try:
        return orientation(path)
    except InputError:
        return 1


def _turned(tags: list[int], clip: Clip) -> str | None:
    turned = {t: tag for t, tag in enumerate(tags) if tag != 1}
    if not turned:
        return None
    first = min(turned)
    kinds = ", ".join(map(str, sorted(Counter(turned.values()))))
    return (
        f"{len(turned)} of {len(tags)} frames have an orientation tag ({kinds}), first "
        f"{clip.frame_names[first]}: pixels are taken as they are stored, as masks are"
    )


def _unpadded(clip: Clip) -> str | None:
    if list(clip.frame_names) == sorted(clip.frame_names):
        return None
    return (
        "frame names sort by their numbers, not by letters: "
        f"{clip.frame_names[0]}, {clip.frame_names[1]}, … {clip.frame_names[-1]}"
    )


def _one_object(clip: Clip) -> str | None:
    return "its masks hold 0 and 255 alone: 255 is one object" if clip.binary else None


def _background(clip: Clip, shown: set[int]) -> str | None:
    beyond = sorted(shown - {VOID, *clip.scored_ids}) if clip.others_are_background else []
    if not beyond:
        return None
    ids = ", ".join(map(str, beyond))
    return f"ids of later masks that the first one has none as high as are background: {ids}"
