"""From the options of ``vosbench train`` to the training that they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import whole_number
from vosbench.harness.sweep.grid import parse_margins
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import DataRequest, Folder, TrainingRequest, read_request
from vosbench.harness.training.trainers import trainer_of
from vosbench.runners.interface import Precision
from vosbench.runners.switches import SWITCHES, checked_switches

SEGMENTATION_STEPS, REUSE_STEPS = 2000, 2500
CODE = GateRecipe(margin=Variant.CODE, hinge=Variant.CODE, reference="last-full")
"""The published code's gate loss: the default wherever paper and code differ."""


@dataclass(frozen=True)
class TrainOptions:
    """The options that say what is trained, as they were typed; None and empty: not given."""

    model: str
    pictures: tuple[str, ...] = ()
    davis: tuple[str, ...] = ()
    ytvos: tuple[str, ...] = ()
    motion: float | None = None
    size: str | None = None
    frames: int | None = None
    clips: int | None = None
    fresh: float | None = None
    leaps: float | None = None
    validation: Path | None = None
    steps: str | None = None
    batch: int | None = None
    learning_rate: float | None = None
    margins: str | None = None
    rate: float | None = None
    gaps: str | None = None
    gate_only: bool = False
    start: Path | None = None
    backbone: Path | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    precision: Precision | None = None


def default_request(model: str, start: Path | None) -> TrainingRequest:
    """The paper's training of a model, without data; the second stage alone after a start."""
    trainer = trainer_of(model)
    gated = trainer.gated(model)
    segmentation = None if gated and start is not None else StageRecipe(SEGMENTATION_STEPS)
    reuse = ReuseRecipe(StageRecipe(REUSE_STEPS), CODE) if gated else None
    return TrainingRequest(trainer.recipe(model, segmentation, reuse), start=_text(start))


def completed(given: TrainOptions, file: Path | None) -> TrainingRequest:
    """What the options ask for, on top of a recipe's file or the defaults.

    Raises:
        InputError: options that are wrong, or don't go together.
    """
    if file is None:
        request = default_request(given.model, given.start)
    else:
        trainer_of(given.model)
        request = read_request(file, lambda model: trainer_of(model).recipe)
        if request.recipe.model != given.model:
            raise InputError(f"{file} is a recipe for {request.recipe.model}, not {given.model}")
    _check_switches(given.switches)
    recipe = _with_stages(request.recipe, given)
    recipe = replace(
        recipe,
        clips=recipe.clips if given.clips is None else given.clips,
        seed=recipe.seed if given.seed is None else given.seed,
        autocast=recipe.autocast if given.precision is None else _autocast(given.precision),
    )
    return TrainingRequest(
        recipe,
        _data(request.data, given),
        request.start if given.start is None else str(given.start),
        request.backbone if given.backbone is None else str(given.backbone),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _autocast(precision: Precision) -> bool:
    if precision not in (Precision.BF16, Precision.FLOAT32):
        raise InputError(f"--precision {precision}: training knows bf16 and float32")
    return precision is Precision.BF16


def _with_stages(recipe: Recipe, given: TrainOptions) -> Recipe:
    first, reuse = recipe.segmentation, recipe.reuse
    second = None if reuse is None else reuse.stage
    if given.steps is not None:
        first, second = _with_steps(given, first, second)
    first, second = _changed(first, given), _changed(second, given)
    if second is None:
        _refuse_gate_options(given, recipe.model)
        return replace(recipe, segmentation=first, reuse=None)
    reuse = replace(
        reuse or ReuseRecipe(second, CODE),
        stage=second,
        gate=_gate(CODE if reuse is None else reuse.gate, given),
    )
    if given.gaps is not None:
        reuse = replace(reuse, gaps=_numbers("--gaps", given.gaps))
    if given.gate_only:
        reuse = replace(reuse, gate_only=True)
    return replace(recipe, segmentation=first, reuse=reuse)


def _with_steps(
    given: TrainOptions, first: StageRecipe | None, second: StageRecipe | None
) -> tuple[StageRecipe | None, StageRecipe | None]:
    counts = _numbers("--steps", given.steps or "", least=0)
    gated = trainer_of(given.model).gated(given.model)
    if len(counts) == 1:
        # After a start only one stage is left; a network without a gate has but one.
        counts = (0, *counts) if gated and first is None else (*counts, 0)
        if gated and first is not None:
            raise InputError(
                f"--steps {given.steps}: {given.model} has two stages, write S1,S2 (0 leaves one "
                "out)"
            )
    if len(counts) != 2 or sum(counts) == 0:
        raise InputError(f"--steps {given.steps}: write S1 or S1,S2, not both 0")
    if counts[1] and not gated:
        raise InputError(f"--steps {given.steps}: {given.model} has no gate and one stage only")
    made = [
        replace(stage or StageRecipe(1), steps=count) if count else None
        for stage, count in zip((first, second), counts, strict=True)
    ]
    return made[0], made[1]


def _changed(stage: StageRecipe | None, given: TrainOptions) -> StageRecipe | None:
    if stage is None:
        return None
    if given.learning_rate is not None:
        if not 0 < given.learning_rate <= 1:
            raise InputError(f"--lr {given.learning_rate:g}: a rate above 0 and up to 1")
        stage = replace(stage, learning_rate=given.learning_rate)
    return stage if given.batch is None else replace(stage, batch=given.batch)


def _refuse_gate_options(given: TrainOptions, model: str) -> None:
    named = {
        "--margins": given.margins is not None,
        "--rate": given.rate is not None,
        "--gaps": given.gaps is not None,
        "--gate-only": given.gate_only,
    }
    for option, is_given in named.items():
        if is_given:
            raise InputError(f"{option} is for the reuse stage, which this training of {model} "
                             "doesn't have")  # fmt: skip


def _gate(gate: GateRecipe, given: TrainOptions) -> GateRecipe:
    if given.margins is not None and given.rate is not None:
        raise InputError("--margins and --rate are two losses of the gate: give one of them")
    if given.margins is not None:
        pairs = parse_margins(given.margins)
        if len(pairs) != 1:
            raise InputError(f"--margins {given.margins}: one pair m1,m2 for one training")
        gate = replace(gate, m1=float(pairs[0][0]), m2=float(pairs[0][1]), rate=None)
    if given.rate is not None:
        if not 0 < given.rate < 1:
            raise InputError(f"--rate {given.rate:g}: a rate between 0 and 1")
        gate = replace(gate, rate=given.rate)
    for name, value in given.switches.items():
        if name == "margin-m1":
            gate = replace(gate, margin=Variant(value))
        elif name == "gate-loss":
            gate = replace(gate, hinge=Variant(value))
        elif name == "iou-reference":
            gate = replace(gate, reference="adjacent" if value == "paper" else "last-full")
    return gate


_TRAINING = ("margin-m1", "gate-loss", "iou-reference", "clip-sampling")


def _check_switches(given: Mapping[str, str]) -> None:
    for name in checked_switches(given):
        if name == "gate-choice":
            raise InputError(
                "switch gate-choice makes no difference here: of two softmax outputs, the larger "
                "is the one above 0.5"
            )
        if name not in _TRAINING:
            raise InputError(
                f"switch {name} acts when {SWITCHES[name].stage}ing; training knows "
                f"{', '.join(_TRAINING)}"
            )


def _data(data: DataRequest, given: TrainOptions) -> DataRequest:
    named = {
        kind: tuple(_folder(text) for text in getattr(given, kind))
        for kind in ("pictures", "davis", "ytvos")
    }
    if any(named.values()) or given.motion is not None:
        # Sources that are named take the place of all in the recipe's file.
        data = replace(
            data,
            pictures=named["pictures"],
            davis=named["davis"],
            ytvos=named["ytvos"],
            motion=given.motion or 0.0,
        )
    if not (data.pictures or data.davis or data.ytvos or data.motion):
        raise InputError(
            "nothing to train on: give --pictures DIR, --davis DIR, --ytvos DIR or --motion 1"
        )
    if given.size is not None:
        height, _, width = given.size.partition("x")
        size = whole_number(height), whole_number(width)
        if size[0] is None or size[1] is None:
            raise InputError(f"--size {given.size}: write HEIGHTxWIDTH, e.g. 256x448")
        data = replace(data, height=size[0], width=size[1])
    if given.frames is not None:
        data = replace(data, frames=given.frames)
    if given.fresh is not None:
        data = replace(data, fresh=given.fresh)
    if given.leaps is not None:
        data = replace(data, leaps=given.leaps)
    if given.validation is not None:
        data = replace(data, validation=str(given.validation))
    sampling = given.switches.get("clip-sampling")
    return data if sampling is None else replace(data, consecutive=sampling == "paper")


def _folder(text: str) -> Folder:
    """Parse DIR[:WEIGHT]."""
    path, colon, weight = text.rpartition(":")
    if not colon:
        return Folder(text)
    try:
        return Folder(path, float(weight))
    except InputError:
        raise
    except ValueError:
        return Folder(text)  # a colon in the folder's own name


def _numbers(option: str, text: str, least: int = 1) -> tuple[int, ...]:
    numbers = [whole_number(part.strip()) for part in text.split(",")]
    known = tuple(number for number in numbers if number is not None and number >= least)
    if len(known) < len(numbers):
        raise InputError(f"{option} {text}: whole numbers from {least} on, e.g. 1,2,4")
    return known
