"""Recipes: everything that a training's outcome depends on, besides the data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from vosbench.baselines.errors import InputError
from vosbench.harness.training.frtm.losses import Variant


@dataclass(frozen=True)
class StageRecipe:
    """Length and learning rate of one stage.

    Attributes:
        steps: of the optimiser (Adam with amsgrad).
        milestones: fractions of the steps at which the rate is multiplied by ``decay``.
    """

    steps: int
    batch: int = 8
    learning_rate: float = 5e-4
    milestones: tuple[float, ...] = (0.6, 0.85)
    decay: float = 0.3

    def rate(self, step: int) -> float:
        """Learning rate at a step, from 0."""
        passed = sum(step >= fraction * self.steps for fraction in self.milestones)
        return self.learning_rate * self.decay**passed


@dataclass(frozen=True)
class GateRecipe:
    """What the gate is trained towards; NETWORKS, section 7, has the variants.

    Attributes:
        m1, m2: margins of the gate probability loss, M(m1, m2).
        reach: fraction of the stage at which the margin reaches m1 (paper: 120 of 260 epochs).
        margin: with the code's variant m1 has no effect.
        hinge: form of the loss beyond m2.
        reference: "last-full" compares with the frame that S comes from, as the code does;
            "adjacent" with the frame before, as the paper's text does.
        rate: target rate of the N-gate loss, which then takes the place of Loss_gp.
    """

    m1: float = 1.0
    m2: float = 0.0
    reach: float = 120 / 260
    margin: Variant = Variant.CODE
    hinge: Variant = Variant.PAPER
    reference: str = "last-full"
    rate: float | None = None


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
        autocast: bfloat16 in the layers, where True: quick on CPUs with AVX-512 BF16 or AMX, many
            times slower on those without.
    """

    model: str
    segmentation: StageRecipe | None
    reuse: ReuseRecipe | None
    clips: int = 1000
    seed: int = 0
    soft_iou: float = 0.0
    window: tuple[int, int] | None = None
    mirror: bool = False
    autocast: bool = False

    def __post_init__(self) -> None:
        if self.segmentation is None and self.reuse is None:
            raise InputError("a recipe needs at least one stage")
        if self.reuse is not None:
            _one_of("finetune", self.reuse.finetune, ("none", "shallow", "all"))
            _one_of("reference", self.reuse.gate.reference, ("last-full", "adjacent"))

    @property
    def steps(self) -> int:
        """Steps of all stages."""
        first = 0 if self.segmentation is None else self.segmentation.steps
        return first + (0 if self.reuse is None else self.reuse.stage.steps)

    def to_json(self) -> str:
        """All fields, for a checkpoint's header."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{name} is {value!r}; it must be one of {', '.join(known)}")
