"""Which objects a sequence has, and which pixels are theirs: the one home of these rules.

0 is background. 255 is void, pixels that the annotators left open: background wherever ids are
read. In a sequence whose masks hold no values but 0 and 255, 255 is the object (DAVIS 2016 and own
layouts). Objects are the ids as they appear, each from its first mask on; DAVIS counts those of the
first mask alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip

Labels = NDArray[np.uint8]

VOID = 255
"""The sample of unclear pixels."""

ANY_ID = frozenset(range(1, 256))
"""For rules that take every id that they don't count for background."""

_FEW = 6


def present_ids(labels: Labels) -> set[int]:
    """The samples of a label map (H, W), 0 left out, void not."""
    left, top, width, height = cv2.boundingRect(labels)
    window = labels[top : top + height, left : left + width]
    found: set[int] = set()
    # Few ids are found one by one in less time than a histogram takes.
    while len(found) < _FEW and window.size:
        highest = int(window.max())
        if highest == 0:
            return found
        found.add(highest)
        window = np.where(window == highest, np.uint8(0), window)
    counts = np.bincount(window.ravel(), minlength=256)
    return found | {int(i) for i in np.flatnonzero(counts[1:]) + 1}


def strangers(labels: Labels, known: Collection[int]) -> set[int]:
    """The ids in a label map (H, W) that are not among ``known``, 0 and void left out."""
    # 1, 2, …, n are known as a rule, and no id is higher: one look at the highest is enough.
    highest = int(labels.max(initial=0))
    if all(i in known for i in range(1, highest + 1)):
        return set()
    return present_ids(labels) - set(known) - {VOID}


def without(labels: Labels, ids: Collection[int]) -> Labels:
    """The label map (H, W) with the pixels of ``ids`` as background."""
    table = np.arange(256, dtype=np.uint8)
    table[list(ids)] = 0
    return np.asarray(table[labels], np.uint8)


def without_void(labels: Labels) -> Labels:
    """The label map (H, W) with void as background."""
    return without(labels, (VOID,)) if labels.max(initial=0) == VOID else labels


def merged(labels: Labels) -> Labels:
    """All objects of a label map (H, W) as object 1; 255 is the object where no other id is."""
    if labels.max(initial=0) == VOID and present_ids(labels) != {VOID}:
        labels = without(labels, (VOID,))
    return np.asarray(labels != 0).view(np.uint8)


def first_frames(ids: Mapping[int, Collection[int]]) -> dict[int, int]:
    """Each object's first frame, by id, from the ids of each annotated frame; void is none."""
    first: dict[int, int] = {}
    for t, present in sorted(ids.items()):
        for object_id in present:
            first.setdefault(object_id, t)
    first.pop(VOID, None)
    return dict(sorted(first.items()))


def is_binary(present: Iterable[Collection[int]]) -> bool:
    """Whether masks of these samples hold no values but 0 and 255, and 255 at least once."""
    return {i for ids in present for i in ids} == {VOID}


def as_they_appear(clip: Clip) -> Clip:
    """Own sequences, YouTube-VOS: each object from the first mask that shows it."""
    return clip


def of_the_first_mask(clip: Clip) -> Clip:
    """DAVIS 2017: 1 to the largest id of the first mask, those that it lacks included.

    Only what the first mask shows is given to a model; the others count all the same, wherever an
    annotation or a prediction has them. Higher ids of later masks are background; in predictions
    they are an error, and so is 255.

    Raises:
        InputError: the first mask has no object.
    """
    given = _given(clip)
    if clip.binary:
        raise InputError(
            f"{clip.name}: its masks hold 0 and 255 alone, and DAVIS 2017 takes 255 for void: "
            "score it by davis16-val or own-clips"
        )
    if not given:
        raise InputError(f"{_first_place(clip)}: no object in the first annotation of {clip.name}")
    return replace(
        clip,
        objects=given,
        ungiven=frozenset(range(1, max(given))) - set(given),
        others_are_background=True,
        ignored_ids=frozenset(),
    )


def of_the_first_mask_others_ignored(clip: Clip) -> Clip:
    """VOST: the objects of DAVIS 2017; other ids in predictions are background."""
    return replace(of_the_first_mask(clip), ignored_ids=ANY_ID)


def all_as_one(clip: Clip) -> Clip:
    """DAVIS 2016: all objects of the first mask and whatever comes later are object 1.

    Raises:
        InputError: the first mask has no object.
    """
    if not _given(clip):
        raise InputError(f"{_first_place(clip)}: no object in the first annotation of {clip.name}")
    return replace(clip, objects={1: min(clip.annotation_paths)}, merge_objects=True)


def _given(clip: Clip) -> dict[int, int]:
    start = min(clip.annotation_paths, default=0)
    return {i: first for i, first in clip.objects.items() if first == start}


def _first_place(clip: Clip) -> str:
    start = min(clip.annotation_paths, default=None)
    return clip.name if start is None else str(clip.annotation_paths[start])
