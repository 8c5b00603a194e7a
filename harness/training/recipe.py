"""Recipes: everything that a training's outcome depends on, besides the data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar

from vosbench.baselines.errors import InputError
from vosbench.harness.training.frtm.losses import Variant

LATER: Mapping[str, bool] = {"later": True}
"""Of fields that recipes of older versions lacked: left out of a recipe's identity where they have
their defaults, so that trainings of before keep their keys and can be resumed."""


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Raise InputError for a value that is none of those known."""
    if value not in known:
        raise InputError(f"{name} is {value!r}; it must be one of {', '.join(known)}")


@dataclass(frozen=True)
class StageRecipe:
    """Length and learning rate of one stage.

    Attributes:
        steps: of the optimiser (Adam with amsgrad).
        batch: clips of a step, of all processes and accumulated gradients together.
        milestones: fractions of the steps at which the rate is multiplied by ``decay``.
        epochs: another way to give the steps: passes over ``epoch`` clips of the data; None: steps
            are given.
    """

    steps: int = 0
    batch: int = 8
    learning_rate: float = 5e-4
    milestones: tuple[float, ...] = (0.6, 0.85)
    decay: float = 0.3
    weight_decay: float = field(default=0.0, metadata=LATER)
    epochs: int | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        if self.steps < 0 or (self.steps == 0 and not self.epochs):
            raise InputError("a stage needs steps, or epochs, of 1 at least")
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"{self.epochs} epochs: 1 at least")
        if self.batch < 1:
            raise InputError(f"a batch of {self.batch} clips: 1 at least")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"a learning_rate of {self.learning_rate:g}: above 0 and up to 1")
        if not 0 <= self.weight_decay < 1:
            raise InputError(f"a weight_decay of {self.weight_decay:g}: from 0 up, below 1")

    def rate(self, step: int) -> float:
        """Learning rate at a step, from 0."""
        passed = sum(step >= fraction * self.steps for fraction in self.milestones)
        return self.learning_rate * self.decay**passed


@dataclass(frozen=True)
class GateRecipe:
    """What the gate is trained towards.

    Attributes:
        m1, m2: margins of the gate probability loss, M(m1, m2).
        reach: fraction of the stage at which the margin reaches m1 (paper: 120 of 260 epochs).
        margin: with the code's variant m1 has no effect.
        hinge: form of the loss beyond m2.
        reference: "last-full" compares with the frame that S comes from, as the code does;
            "adjacent" with the frame before, as the paper's text does; "carried", FRTM-half's
            alone, asks how good the mask is that reuse would give.
        rate: target rate of the N-gate loss, which then takes the place of Loss_gp.
    """

    m1: float = 1.0
    m2: float = 0.0
    reach: float = 120 / 260
    margin: Variant = Variant.CODE
    hinge: Variant = Variant.PAPER
    reference: str = "last-full"
    rate: float | None = None

    def __post_init__(self) -> None:
        if not (0 <= self.m1 <= 1 and 0 <= self.m2 <= 1):
            raise InputError(f"margins {self.m1:g},{self.m2:g}: each is between 0 and 1")
        if self.rate is not None and not 0 < self.rate < 1:
            raise InputError(f"a rate of {self.rate:g}: it is between 0 and 1")
        if not 0 < self.reach <= 1:
            raise InputError(f"a reach of {self.reach:g}: above 0 and up to 1")
        one_of("reference", self.reference, ("last-full", "adjacent", "carried"))


@dataclass(frozen=True)
class ReuseRecipe:
    """The second stage: reuse modules.

    Attributes:
        gaps: how many frames may lie between the last full frame and this one; one is drawn.
        finetune: part of the refiner that learns along: "none", "shallow" or "all".
        full_path: weight of the full path's mask loss; what is fine-tuned must not forget it.
        imitation: weight of a loss between R̂8 and the R8 of the full path; not in the paper.
        mask_from: fraction of the steps after which the reuse path's mask counts; the losses
            at 1/16 before it cost a tenth.
        focus: the reuse path's losses are weighted by the IoU of the masks of t − n and t to
            this power, since a gate lets only similar frames be reused; 0 weighs them alike,
            as the paper does.
        gate_only: only the gate's own layers learn: other margins for a trained network.
        tau: where a recipe learns whole sequences, the gate's threshold (paper: 0.5).
    """

    stage: StageRecipe
    gate: GateRecipe = GateRecipe()
    gaps: tuple[int, ...] = (1, 2, 4, 8)
    finetune: str = "none"
    full_path: float = 0.5
    imitation: float = 0.0
    mask_from: float = 0.0
    focus: float = 0.0
    gate_only: bool = False
    tau: float = field(default=0.5, metadata=LATER)

    def __post_init__(self) -> None:
        one_of("finetune", self.finetune, ("none", "shallow", "all"))
        if not self.gaps or min(self.gaps) < 1:
            raise InputError(f"gaps of {self.gaps}: whole numbers from 1 on")


@dataclass(frozen=True)
class Recipe:
    """A training.

    Attributes:
        model: name of the network's config, e.g. "g-frtm-lite".
        segmentation: the first stage; None where it starts from a checkpoint's refiner.
        reuse: the second stage; None for a network without a gate.
        clips: how many clips are drawn once and then trained on.
        soft_iou: weight of a loss on the overlap beside BCE; the paper has none.
        window: height and width of the part of each clip that a step sees, in cells of 32
            pixels; None for whole frames.
        mirror: mirror half of the clips.
        autocast: bfloat16 in the layers, where True: quick on GPUs and on CPUs with AVX-512 BF16 or
            AMX, many times slower on other CPUs.
        sequences: learn all frames of a clip in order, as the paper does, the gate choosing the
            path of each, in place of single frames and pairs with ``gaps``; FRTM's alone.
        choose: series of validation; a stage ends with the weights whose mean of these that it
            has was best, and with the last ones where it has none.
        accumulate: parts of a batch whose gradients are added up before a step: less memory, and
            batch norm sees one part at a time.
    """

    references: ClassVar[tuple[str, ...]] = ("last-full", "adjacent")

    model: str
    segmentation: StageRecipe | None
    reuse: ReuseRecipe | None
    clips: int = 1000
    seed: int = 0
    soft_iou: float = 0.0
    window: tuple[int, int] | None = None
    mirror: bool = False
    autocast: bool = False
    sequences: bool = field(default=False, metadata=LATER)
    accumulate: int = field(default=1, metadata=LATER)
    choose: tuple[str, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        if self.segmentation is None and self.reuse is None:
            raise InputError("a recipe needs at least one stage")
        for name, value, least in (
            ("clips", self.clips, 1),
            ("seed", self.seed, 0),
            ("accumulate", self.accumulate, 1),
        ):
            if value < least:
                raise InputError(f"{name} is {value}: {least} at least")
        reuse = self.reuse
        for stage in self.stages:
            if stage.batch % self.accumulate:
                raise InputError(
                    f"a batch of {stage.batch} can't be parted into {self.accumulate} accumulated "
                    "gradients: their number must divide it"
                )
        if reuse and reuse.gate.reference not in self.references:
            raise InputError(f"reference {reuse.gate.reference}: not there for {self.model}")
        if self.sequences and reuse and (reuse.gate_only or reuse.gate.rate is not None):
            raise InputError("whole sequences go with neither gate_only nor the N-gate's rate")

    @property
    def stages(self) -> tuple[StageRecipe, ...]:
        """The stages that there are."""
        reuse = None if self.reuse is None else self.reuse.stage
        return tuple(stage for stage in (self.segmentation, reuse) if stage is not None)

    @property
    def joint(self) -> bool:
        """Whether the reuse stage trains the refiner, too, from its first draw on."""
        return self.sequences and self.reuse is not None and self.reuse.finetune == "all"

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def to_json(self) -> str:
        """All fields that matter, for a checkpoint's header and a training's key."""
        return json.dumps(lasting(self), sort_keys=True)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def lasting(record: Any) -> Any:
    """A record as plain values, without later fields that have their defaults."""
    if not is_dataclass(record):
        return record
    return {
        known.name: lasting(getattr(record, known.name))
        for known in fields(record)
        if not (known.metadata.get("later") and getattr(record, known.name) == known.default)
    }
