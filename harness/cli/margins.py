"""``vosbench run --margins … --train …``: train what is missing, then evaluate it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import whole_number
from vosbench.harness.cli.train_options import CODE, default_request
from vosbench.harness.cli.training_display import run_shown
from vosbench.harness.store import Storage
from vosbench.harness.sweep.grid import parse_margins
from vosbench.harness.sweep.plan import Request, make_plan
from vosbench.harness.terminal import Terminal
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import DataRequest, TrainingRequest, read_request
from vosbench.harness.training.runs import (
    PlannedTraining,
    finished_before,
    plan_training,
    variant_name,
)
from vosbench.harness.training.trainers import TRAINERS, trainer_of
from vosbench.runners.shipped import shipped_path

_GATE_STEPS, _GATE_RATE, _CLIPS = 600, 2e-3, 200


@dataclass(frozen=True)
class _MarginStage:
    """The trainings that a command asks for."""

    pairs: tuple[tuple[Decimal, Decimal], ...]
    file: Path | None
    seeds: tuple[int, ...] | None

    def requests(self, model: str) -> Iterator[TrainingRequest]:
        """Every margin with every seed, for one model."""
        request = gate_request(model) if self.file is None else self._read()
        recipe = request.recipe
        if recipe.reuse is None:
            raise InputError(f"{self.file}: the recipe has no reuse stage, where margins belong")
        if recipe.reuse.gate.rate is not None:
            raise InputError(
                f"{self.file}: the recipe's gate aims at a rate of reuse (reuse.gate.rate), so "
                "margins have no place in it; use `vosbench train`, then `vosbench run --weights`"
            )
        for m1, m2 in self.pairs:
            gate = replace(recipe.reuse.gate, m1=float(m1), m2=float(m2))
            for seed in self.seeds or (recipe.seed,):
                changed = replace(recipe, seed=seed, reuse=replace(recipe.reuse, gate=gate))
                yield replace(request, recipe=changed)

    def models(self, names: Sequence[str]) -> tuple[str, ...]:
        """Which of the models asked for are trained: gated ones without a variant of their own."""
        bases = dict.fromkeys(name.partition("+")[0] for name in names)
        gated = [name for name in bases if name in TRAINERS and TRAINERS[name].gated(name)]
        if self.file is not None:
            gated = [name for name in gated if name == self._read().recipe.model]
        if not gated:
            what = "a gated model that can be trained"
            if self.file is not None:
                what = f"{self._read().recipe.model}, which the recipe is for"
            raise InputError(f"--margins: --models doesn't name {what}")
        return tuple(gated)

    def _read(self) -> TrainingRequest:
        assert self.file is not None
        return read_request(self.file, lambda model: trainer_of(model).recipe)


def gate_request(model: str) -> TrainingRequest:
    """``--train default``: on built-in clips, the gate alone where its network is shipped."""
    shipped = shipped_path(model, None)
    data = DataRequest(motion=1.0)
    if shipped is None:
        return replace(default_request(model, None), data=data)
    stage = StageRecipe(_GATE_STEPS, learning_rate=_GATE_RATE)
    recipe = trainer_of(model).recipe(
        model, None, ReuseRecipe(stage, CODE, gate_only=True), clips=_CLIPS
    )
    return TrainingRequest(recipe, data, start=str(shipped))


def with_trained(
    request: Request,
    margins: str | None,
    train: str | None,
    seeds: str | None,
    db: str,
    threads: int | None,
    console: Terminal,
) -> Request:
    """The request with its gated models trained for every margin and seed.

    Raises:
        InputError: options that don't go together, or what can't be trained or evaluated; all
            before anything is trained.
    """
    stage = _parsed(request, margins, train, seeds)
    models = stage.models(request.models)
    # Hours of training must not end in a typing mistake: lay the grid out first.
    make_plan(replace(request, weights=("random:0",)))
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    planned = [plan_training(asked) for model in models for asked in stage.requests(model)]
    _say_what_is_alike(planned, console)
    files: dict[str, list[str]] = {}
    with Storage.open(db) as storage:
        for number, training in enumerate(planned, 1):
            name = _name(training)
            done = finished_before(training, storage)
            if done is None:
                seed = training.spec.seed
                console.say(f"training {number} of {len(planned)}: {name}, seed {seed}")
                done = run_shown(training, storage, console)
            files.setdefault(name, []).append(str(done.path))
    variants = {model: [n for n in files if n.partition("@")[0] == model] for model in models}
    return replace(
        request,
        models=tuple(name for asked in request.models for name in _expanded(asked, variants)),
        trained={name: tuple(paths) for name, paths in files.items()},
    )


def _parsed(
    request: Request, margins: str | None, train: str | None, seeds: str | None
) -> _MarginStage:
    if margins is None or train is None:
        raise InputError(
            "--margins and --train belong together: margins to train with, and how "
            "(--train default, or the file that `vosbench train --write-recipe` wrote)"
        )
    if request.weights:
        raise InputError("--weights and --train: weights are given or trained, not both")
    numbers = None
    if seeds is not None:
        parsed = [whole_number(part.strip()) for part in seeds.split(",")]
        known = [number for number in parsed if number is not None]
        if len(known) < len(parsed):
            raise InputError(f"--train-seeds {seeds}: whole numbers, e.g. 0,1,2")
        numbers = tuple(dict.fromkeys(known))
    file = None if train == "default" else Path(train)
    return _MarginStage(parse_margins(margins), file, numbers)


def _name(training: PlannedTraining) -> str:
    return f"{training.spec.model}@{variant_name(_gate(training))}"


def _gate(training: PlannedTraining) -> GateRecipe:
    reuse = training.request.recipe.reuse
    assert reuse is not None  # requests() has refused others
    return reuse.gate


def _expanded(name: str, variants: dict[str, list[str]]) -> list[str]:
    base, plus, policy = name.partition("+")
    return [f"{variant}{plus}{policy}" for variant in variants.get(base, [base])]


def _say_what_is_alike(planned: Sequence[PlannedTraining], console: Terminal) -> None:
    """Under the code's rule m1 does nothing: trainings that differ in it alone come out alike."""
    ignored = {
        (gate.m2, training.spec.seed, training.spec.model): gate.m1
        for training in planned
        if (gate := _gate(training)).margin is Variant.CODE
    }
    if len(ignored) < sum(_gate(training).margin is Variant.CODE for training in planned):
        console.say(
            "note: as in the published code, m1 has no effect (margin-m1=code), so margins that "
            "differ in m1 alone train alike"
        )
