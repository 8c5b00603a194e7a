"""What training takes in: short clips of one object, drawn by seed, and mixtures of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingClip:
    """A short clip of one object.

    Attributes:
        images: uint8 RGB (T, H, W, 3).
        masks: the object, bool (T, H, W); not empty in frame 0.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]


LONGEST_LEAP = 24


def draw_times(
    count: int, leaps: float, rng: np.random.Generator, longest: int = LONGEST_LEAP
) -> NDArray[np.int64]:
    """Times of ``count`` frames from 0 on: each the next, or with probability ``leaps`` one up to
    ``longest`` later, short leaps being likelier.
    """
    leap = np.exp(rng.uniform(np.log(2), np.log(longest + 1), count - 1)).astype(np.int64)
    steps = np.where(rng.random(count - 1) < leaps, np.clip(leap, 2, longest), 1)
    return np.concatenate(([0], np.cumsum(steps)))


class ClipSource(Protocol):
    """Something that draws clips; one seed always gives the same clip."""

    @property
    def sha256(self) -> str:
        """Hash of all that the clips depend on besides the seed."""

    def draw(self, seed: int) -> TrainingClip:
        """Draw the clip of ``seed``."""


@dataclass(frozen=True)
class Mixture:
    """Several sources, each drawn from with a probability proportional to its weight."""

    parts: Sequence[tuple[float, ClipSource]]

    @property
    def sha256(self) -> str:
        named = [[weight, source.sha256] for weight, source in self.parts]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()

    def draw(self, seed: int) -> TrainingClip:
        weights = np.array([weight for weight, _ in self.parts], dtype=np.float64)
        which = np.random.default_rng([seed, 0x3A]).choice(len(weights), p=weights / weights.sum())
        return self.parts[int(which)][1].draw(seed)
