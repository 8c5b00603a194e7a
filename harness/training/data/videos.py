"""Training clips from annotated videos (DAVIS train, YouTube-VOS train) and from ``motion``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.datasets.motion_kinds import KINDS
from vosbench.harness.training.data.clips import TrainingClip, draw_times

_TRIES = 50
_LEAST_SHARE = 0.003  # of the picture: a smaller first mask teaches little


@dataclass(frozen=True)
class VideoClips:
    """Short clips of single objects out of a dataset's annotated frames.

    Attributes:
        size: (H, W) that frames are resized to.
        frames: of a clip.
        consecutive: frames that follow each other, as the paper's text has it; otherwise a random
            first frame and random others of the video, as the published code draws them.
        leaps: how often a next frame is a later one instead, in order, as in synthetic clips.
    """

    dataset: Dataset
    size: tuple[int, int] = (256, 448)
    frames: int = 10
    consecutive: bool = True
    leaps: float = 0.0

    @cached_property
    def sha256(self) -> str:
        manifest = self.dataset.select().manifest_sha256
        parts = [manifest, self.size, self.frames, self.consecutive]
        text = json.dumps([*parts, self.leaps] if self.leaps else parts)
        return hashlib.sha256(text.encode()).hexdigest()

    def draw(self, seed: int) -> TrainingClip:
        """Draw a clip; InputError if the dataset hardly has any that is long enough."""
        for attempt in range(_TRIES):
            rng = np.random.default_rng([seed, attempt])
            name = self.dataset.sequences[(seed + attempt) % len(self.dataset.sequences)]
            drawn = self._from(self.dataset.clip(name), rng)
            if drawn is not None:
                return drawn
        raise InputError(
            f"{self.dataset.name}: no object is annotated in {self.frames} frames of a video"
        )

    def _from(self, clip: Clip, rng: np.random.Generator) -> TrainingClip | None:
        object_id = int(rng.choice(clip.object_ids))
        annotated = [t for t in sorted(clip.annotation_paths) if t >= clip.objects[object_id]]
        if len(annotated) < self.frames:
            return None
        if self.leaps:
            longest = max(2, len(annotated) // (self.frames - 1))
            times = draw_times(self.frames, self.leaps, rng, longest)
            times = times[times < len(annotated)]
            if len(times) < self.frames:
                return None
            start = int(rng.integers(len(annotated) - times[-1]))
            chosen = [annotated[start + int(t)] for t in times]
        elif self.consecutive:
            start = int(rng.integers(len(annotated) - self.frames + 1))
            chosen = annotated[start : start + self.frames]
        else:
            chosen = [int(t) for t in rng.choice(annotated, self.frames, replace=False)]
        masks = [self._mask(clip, t, object_id) for t in chosen]
        if masks[0].mean() < _LEAST_SHARE:
            return None
        images = [self._resized(clip.image(t), cv2.INTER_AREA) for t in chosen]
        return TrainingClip(np.stack(images), np.stack(masks))

    def _mask(self, clip: Clip, t: int, object_id: int) -> NDArray[np.bool_]:
        labels = clip.annotation(t)
        assert labels is not None  # t has an annotation
        mask = (labels == object_id).astype(np.float32)
        return np.asarray(cv2.resize(mask, self.size[::-1], interpolation=cv2.INTER_AREA) > 0.5)

    def _resized(self, image: NDArray[np.uint8], how: int) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(image, self.size[::-1], interpolation=how), np.uint8)


@dataclass(frozen=True)
class MotionClips:
    """Clips of the built-in generator, from seeds that its dataset does not use.

    Attributes:
        first_seed: added to the seeds asked for.
        leaps: how often the next frame is a later one, as in synthetic clips.
    """

    size: tuple[int, int] = (256, 448)
    frames: int = 10
    first_seed: int = 1_000_000
    leaps: float = 0.0

    @property
    def sha256(self) -> str:
        parts = ["motion", sorted(KINDS), self.size, self.frames, self.first_seed]
        text = json.dumps([*parts, self.leaps] if self.leaps else parts)
        return hashlib.sha256(text.encode()).hexdigest()

    def draw(self, seed: int) -> TrainingClip:
        """Draw a clip of each kind in turn."""
        kinds = sorted(KINDS)
        kind = kinds[seed % len(kinds)]
        clip = make_clip(kind, self.first_seed + seed, self.size, 4 * self.frames)
        shown = [i for i, t in clip.objects.items() if t == 0]
        rng = np.random.default_rng([seed, 1])
        object_id = int(rng.choice(shown))
        if self.leaps:
            longest = max(2, 4 * self.frames // (self.frames - 1) - 1)
            chosen: slice | NDArray[np.int64] = draw_times(self.frames, self.leaps, rng, longest)
        else:
            stride = int(rng.integers(1, 4))
            chosen = slice(0, stride * self.frames, stride)
        return TrainingClip(clip.images[chosen], clip.labels[chosen] == object_id)
