"""Clips for the contract suite: tiny ones from the motion generator, and those of a dataset."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vosbench.harness.contract import ContractClip
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.motion import make_clip

_SIZE: Size = (96, 160)
_ODD: Size = (75, 117)


def tiny_clips() -> tuple[ContractClip, ...]:
    """Four clips of a few small frames; between them they show all that a check asks for.

    An object that comes later; three objects with the ids 1, 7 and 254; one that vanishes and
    returns; sides that nothing divides.
    """
    return (
        _tiny("late", 309, 6),
        _tiny("trio", 312, 5, ids={1: 1, 2: 7, 3: 254}),
        _tiny("occlusion", 307, 8),
        _tiny("deform", 306, 4, size=_ODD),
    )


def of_dataset(clip: Clip, most_frames: int) -> ContractClip:
    """The first frames of a dataset's clip, and its objects' first masks.

    Other annotations aren't read: nothing is scored. Raises InputError for damaged files.
    """
    cut = clip.cut(min(clip.objects.values(), default=0) + most_frames)
    labels = {t: cut.annotation(t) for t in sorted(set(cut.objects.values()))}
    return ContractClip(
        cut.name,
        np.stack([cut.image(t) for t in range(len(cut))]),
        {t: plane for t, plane in labels.items() if plane is not None},
        cut.objects,
        cut.frame_names,
        cut.merge_objects,
    )


def _tiny(
    kind: str, seed: int, frames: int, size: Size = _SIZE, ids: Mapping[int, int] | None = None
) -> ContractClip:
    made = make_clip(kind, seed, size, frames)
    labels = made.labels
    if ids is not None:
        names = np.zeros(256, np.uint8)
        names[list(ids)] = list(ids.values())
        labels = names[labels]
    return ContractClip.of(f"tiny-{kind}", made.images, labels)
