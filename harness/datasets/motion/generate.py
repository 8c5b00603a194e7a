"""Making one procedural clip in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.motion.kinds import KINDS, Stage
from vosbench.harness.datasets.motion.scene import render
from vosbench.harness.datasets.objects import present_ids


@dataclass(frozen=True)
class SyntheticClip:
    """A procedural clip.

    Attributes:
        kind, seed: what made it.
        images: uint8 RGB (T, H, W, 3).
        labels: uint8 (T, H, W), 0 for background.
        objects: first frame by object id, ids ascending.
    """

    kind: str
    seed: int
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    objects: dict[int, int]


def make_clip(kind: str, seed: int, size: Size = (240, 432), frames: int = 40) -> SyntheticClip:
    """Make a clip of one of the :data:`KINDS`; equal arguments make equal pixels.

    Raises:
        InputError: there is no such kind, or size or length are too small to show anything.
    """
    if kind not in KINDS:
        raise InputError(f"no kind of clip named {kind!r}: there are {', '.join(KINDS)}")
    if min(size) < 32 or frames < 1:
        raise InputError(f"a clip of {size} and {frames} frames: at least 32x32 and one frame")
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = KINDS[kind](Stage(rng, size, frames, hue=float(rng.random())))
    rendered = [render(scene, t, rng) for t in range(frames)]
    labels = np.stack([label for _, label in rendered])
    objects: dict[int, int] = {}
    for t, label in enumerate(labels):
        for object_id in sorted(present_ids(label)):
            objects.setdefault(object_id, t)
    images = np.stack([image for image, _ in rendered])
    return SyntheticClip(kind, seed, images, labels, dict(sorted(objects.items())))
