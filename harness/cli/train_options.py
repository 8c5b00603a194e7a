"""From the options of ``vosbench train`` to the training that they ask for.

Every option but the folders is another way to write ``--set KEY=VALUE``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import whole_number
from vosbench.harness.sweep.grid import parse_margins
from vosbench.harness.training.changes import Change, parse_change
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import (
    DataRequest,
    Folder,
    TrainingRequest,
    read_request,
    recipe_file,
    request_of,
)
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
    recipe: str | None = None
    sets: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    davis: tuple[str, ...] = ()
    ytvos: tuple[str, ...] = ()
    motion: float | None = None
    validation: Path | None = None
    steps: str | None = None
    batch: int | None = None
    margins: str | None = None
    start: Path | None = None
    backbone: Path | None = None
    switches: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    precision: Precision | None = None


def default_request(model: str, start: Path | None) -> TrainingRequest:
    """The default training of a model, without data; the second stage alone after a start."""
    trainer = trainer_of(model)
    gated = trainer.gated(model)
    segmentation = None if gated and start is not None else StageRecipe(SEGMENTATION_STEPS)
    reuse = ReuseRecipe(StageRecipe(REUSE_STEPS), CODE) if gated else None
    start_text = None if start is None else str(start)
    return TrainingRequest(trainer.recipe(model, segmentation, reuse), start=start_text)


def completed(given: TrainOptions) -> TrainingRequest:
    """What the options ask for, on top of a recipe or the defaults.

    Raises:
        InputError: options that are wrong, or don't go together.
    """
    trainer_of(given.model)
    changes = [*_aliases(given), *map(parse_change, given.sets)]
    begun = _begun(given, [])
    data = _data(begun.data, given)
    lengths = [("data", asdict(data)), *_steps(begun, given)]
    batches = _batches(_begun(given, lengths), given)
    request = _begun(given, [*lengths, *batches, *changes])
    if request.recipe.model != given.model:
        named = given.recipe or "--set model"
        raise InputError(f"{named} is a recipe for {request.recipe.model}, not {given.model}")
    data = request.data
    if not (data.pictures or data.davis or data.ytvos or data.motion):
        raise InputError(
            "nothing to train on: give --pictures DIR, --davis DIR, --ytvos DIR or --motion 1"
        )
    return request


def _begun(given: TrainOptions, changes: list[Change]) -> TrainingRequest:
    """The recipe or the defaults, with some changes."""

    def kind_of(model: str) -> type:
        return trainer_of(model).recipe

    if given.recipe is not None:
        return read_request(recipe_file(given.recipe), kind_of, given.model, changes)
    return request_of(asdict(default_request(given.model, given.start)), kind_of, changes, "--set")


def _aliases(given: TrainOptions) -> Iterator[Change]:
    if given.start is not None:
        yield "start", str(given.start)
    if given.backbone is not None:
        yield "backbone", str(given.backbone)
    if given.validation is not None:
        yield "data.validation", str(given.validation)
    if given.seed is not None:
        yield "seed", given.seed
    if given.precision is not None:
        yield "autocast", bf16(given.precision)
    if given.margins is not None:
        pairs = parse_margins(given.margins)
        if len(pairs) != 1:
            raise InputError(f"--margins {given.margins}: one pair m1,m2 for one training")
        yield "reuse.gate.m1", float(pairs[0][0])
        yield "reuse.gate.m2", float(pairs[0][1])
        yield "reuse.gate.rate", None
    _check_switches(given.switches)
    for name, value in given.switches.items():
        key, meaning = _SWITCHES[name]
        yield key, meaning[value]


def bf16(precision: Precision) -> bool:
    """Whether ``--precision`` asks for bfloat16; InputError for what training doesn't know."""
    if precision not in (Precision.BF16, Precision.FLOAT32):
        raise InputError(f"--precision {precision}: training knows bf16 and float32")
    return precision is Precision.BF16


_SAME = {"paper": "paper", "code": "code"}
_SWITCHES: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "margin-m1": ("reuse.gate.margin", _SAME),
    "gate-loss": ("reuse.gate.hinge", _SAME),
    "iou-reference": ("reuse.gate.reference", {"paper": "adjacent", "code": "last-full"}),
    "clip-sampling": ("data.consecutive", {"paper": True, "code": False}),
}
"""What each switch that acts in training sets."""


def _check_switches(given: Mapping[str, str]) -> None:
    for name in checked_switches(given):
        if name == "gate-choice":
            raise InputError(
                "switch gate-choice makes no difference here: of two softmax outputs, the larger "
                "is the one above 0.5"
            )
        if name not in _SWITCHES:
            raise InputError(
                f"switch {name} acts when {SWITCHES[name].stage}ing; training knows "
                f"{', '.join(_SWITCHES)}"
            )


def _steps(begun: TrainingRequest, given: TrainOptions) -> Iterator[Change]:
    """``--steps S1,S2``: lengths of the stages; 0 leaves one out, others are made."""
    if given.steps is None:
        return
    first, reuse = begun.recipe.segmentation, begun.recipe.reuse
    counts = _numbers("--steps", given.steps)
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
    second = None if reuse is None else reuse.stage
    made = [
        asdict(replace(stage or StageRecipe(1), steps=count, epochs=None)) if count else None
        for stage, count in zip((first, second), counts, strict=True)
    ]
    yield "segmentation", made[0]
    if made[1] is None:
        yield "reuse", None
    elif reuse is None:
        yield "reuse", {"stage": made[1], "gate": asdict(CODE)}
    else:
        yield "reuse.stage", made[1]


def _batches(begun: TrainingRequest, given: TrainOptions) -> Iterator[Change]:
    """``--batch``: of all stages that there are."""
    if given.batch is not None and begun.recipe.segmentation is not None:
        yield "segmentation.batch", given.batch
    if given.batch is not None and begun.recipe.reuse is not None:
        yield "reuse.stage.batch", given.batch


def _data(data: DataRequest, given: TrainOptions) -> DataRequest:
    """The recipe's data, from the folders that were named.

    Sources that are named take the place of all in the recipe's file. A folder without a weight
    has that of the recipe's only folder of its kind.
    """
    kinds = ("pictures", "davis", "ytvos")
    if not any(getattr(given, kind) for kind in kinds) and given.motion is None:
        return data
    named = {}
    for kind in kinds:
        before: tuple[Folder, ...] = getattr(data, kind)
        weight = before[0].weight if len(before) == 1 else 1.0
        named[kind] = tuple(_folder(text, weight) for text in getattr(given, kind))
    return replace(
        data,
        pictures=named["pictures"],
        davis=named["davis"],
        ytvos=named["ytvos"],
        motion=given.motion or 0.0,
    )


def _folder(text: str, weight: float) -> Folder:
    """Parse DIR[:WEIGHT]."""
    path, colon, typed = text.rpartition(":")
    if not colon:
        return Folder(text, weight)
    try:
        return Folder(path, float(typed))
    except InputError:
        raise
    except ValueError:
        return Folder(text, weight)  # a colon in the folder's own name


def _numbers(option: str, text: str) -> tuple[int, ...]:
    numbers = [whole_number(part.strip()) for part in text.split(",")]
    known = tuple(number for number in numbers if number is not None and number >= 0)
    if len(known) < len(numbers):
        raise InputError(f"{option} {text}: whole numbers, e.g. 2000,2500")
    return known
