"""A step of a stage, and which part of its batch is computed at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vosbench.harness.training.recipe import StageRecipe


@dataclass(frozen=True)
class Part:
    """One of ``count`` equal parts of a batch: of a process, or of an accumulated gradient."""

    index: int = 0
    count: int = 1

    def of(self, batch: int) -> range:
        """Which of a batch's samples are in it."""
        size = batch // self.count
        return range(self.index * size, (self.index + 1) * size)


@dataclass(frozen=True)
class Moment:
    """A step of a stage, and the only source of chance in it.

    Every part of a step draws the whole step's chances and computes its own samples alone, so
    that what is learnt doesn't depend on how many there are.
    """

    stage: StageRecipe
    step: int
    rng: np.random.Generator
    part: Part = Part()

    @property
    def progress(self) -> float:
        """Fraction of the stage that is done."""
        return self.step / self.stage.steps

    @property
    def own(self) -> range:
        """Which samples of the batch are computed here."""
        return self.part.of(self.stage.batch)
