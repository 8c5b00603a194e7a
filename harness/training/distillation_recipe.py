"""What a distillation's outcome depends on, besides its pictures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field

from vosbench.baselines.errors import InputError
from vosbench.harness.training.recipe import LATER, lasting


@dataclass(frozen=True)
class DistillationRecipe:
    """All that a distillation's outcome depends on, besides the pictures.

    Attributes:
        student, teacher: names of :func:`vosbench.baselines.backbones.make_backbone`.
        steps: of the optimiser (AdamW).
        size: side of the square crops, in pixels; a multiple of 32.
        learning_rate: the highest one; it rises over ``warm_up`` of the steps, then falls as a
            cosine to 0.
        smallest: side of the smallest crop, as a fraction of a picture's shorter side.
        autocast: bfloat16 in the layers: see :class:`.recipe.Recipe`.
        accumulate: parts of a batch whose gradients are added up before a step; batch norm sees
            one part at a time (of all processes together).
    """

    student: str = "resnet18"
    teacher: str = "tf_efficientnet_lite0"
    steps: int = 3000
    batch: int = 12
    size: int = 192
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: float = 0.05
    smallest: float = 0.35
    seed: int = 0
    autocast: bool = False
    accumulate: int = field(default=1, metadata=LATER)

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 2 or self.size < 32 or self.size % 32:
            raise InputError(
                "a distillation needs steps ≥ 1, batch ≥ 2 and a size that is a multiple of 32"
            )
        if self.accumulate < 1 or self.batch % self.accumulate or self.batch == self.accumulate:
            raise InputError(
                f"a batch of {self.batch} pictures can't be parted into {self.accumulate}: a part "
                "has 2 at least, and all have as many"
            )

    def rate(self, step: int) -> float:
        """Learning rate at a step, from 0."""
        rising = max(round(self.warm_up * self.steps), 1)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        progress = (step - rising) / max(self.steps - rising, 1)
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2

    @property
    def largest(self) -> float:
        """Pixels of a picture's shorter side beyond which crops show no more of it."""
        return self.size / self.smallest

    def to_json(self) -> str:
        """All fields that matter, for a state's key."""
        return json.dumps(lasting(self), sort_keys=True)
