"""What a training of FRTM-half depends on beyond other recipes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from vosbench.baselines.errors import InputError
from vosbench.harness.training.recipe import LATER, Recipe


@dataclass(frozen=True)
class HalfRecipe(Recipe):
    """A training of FRTM-half.

    Attributes:
        walk: frames of a walk after the first one.
        full_rate: how often a frame of a walk is computed in full.
        truth_rate: how often a walk goes on with the true mask in place of its own.
        lost_rate: how often it goes on with no mask, or with that of another clip, so that frames
            learn to find the object again.
        unled_rate: how often a full frame is decoded without the carried mask, so that it learns
            not to lean on it.
        damage_rate: how often it goes on with a mask of which a part is cut off or beside which a
            copy of it is added, as drift leaves them, so that frames learn to repair it.
        fine_from: fraction of the segmentation stage after which the level at 1/4 counts; the
            three levels before it cost half.
        gate_weight: of the gate's loss, in the reuse stage.
    """

    references: ClassVar[tuple[str, ...]] = (*Recipe.references, "carried")

    walk: int = 4
    full_rate: float = 0.4
    truth_rate: float = 0.25
    lost_rate: float = field(default=0.0, metadata=LATER)
    unled_rate: float = field(default=0.0, metadata=LATER)
    damage_rate: float = field(default=0.0, metadata=LATER)
    fine_from: float = 0.4
    gate_weight: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.walk < 1:
            raise InputError(f"a walk of {self.walk} frames leads nowhere: 1 at least")
        if self.reuse is not None and self.reuse.gate.rate is not None:
            raise InputError(f"{self.model} has no N-gate loss: train its gate with margins")
