"""The training loop: two stages, resumable after any step with the same result bit for bit.

Nothing random is carried from step to step: what a step draws depends on seed, stage and step.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.harness.store import VALIDATION
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm.steps import (
    Losses,
    draw_frames,
    draw_pairs,
    learning_modules,
    reuse_losses,
    segmentation_losses,
)
from vosbench.harness.training.frtm.validation import validate
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.state import (
    CurvePoint,
    TrainingState,
    load_own_weights,
    load_state,
    own_weights,
    save_state,
)


@dataclass(frozen=True)
class Training(ABC):
    """A training: what learns, from what, and where its state is kept.

    Attributes:
        network: with starting weights, reading normalised features; changed in place.
        validation: held-out clips; None for no validation.
        folder: of the state file.
        save_every, validate_every, log_every: steps between.
        choose: series of the validation; a stage ends with the weights whose mean of these was
            best. With none it ends with the last ones.
    """

    recipe: Recipe
    network: nn.Module
    pool: ClipPool
    validation: ClipPool | None
    folder: Path
    save_every: int = 100
    validate_every: int = 200
    log_every: int = 20
    choose: tuple[str, ...] = ()

    @property
    def state_path(self) -> Path:
        return self.folder / "state.pt"

    @abstractmethod
    def learning(self, reuse: ReuseRecipe | None) -> Iterable[nn.Module]:
        """Modules that a stage changes: the segmentation stage where ``reuse`` is None."""

    @abstractmethod
    def set_modes(self, reuse: ReuseRecipe | None) -> None:
        """Put each module into training or evaluation mode for a step of a stage."""

    @abstractmethod
    def losses(
        self, stage: StageRecipe, reuse: ReuseRecipe | None, step: int, rng: np.random.Generator
    ) -> Losses:
        """Draw a batch with ``rng`` and give the weighted terms of a step's loss."""

    @abstractmethod
    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        """Score the network, in eval mode, on held-out clips; named values."""


AnyTraining = TypeVar("AnyTraining", bound=Training)


@dataclass(frozen=True)
class Job(Training):
    """A training of FRTM."""

    network: FrtmNetwork

    def learning(self, reuse: ReuseRecipe | None) -> Iterable[nn.Module]:
        return learning_modules(self.network, reuse)

    def set_modes(self, reuse: ReuseRecipe | None) -> None:
        network = self.network
        network.eval()
        if reuse is None:
            network.refiner.train()
        elif isinstance(network, GatedFrtmNetwork) and network.refiner.Diff_process is not None:
            # The refiner keeps its batch statistics, whichever path a batch takes.
            for module in (network.refiner.Diff_process, network.Tmatching, network.convGS):
                module.train()

    def losses(
        self, stage: StageRecipe, reuse: ReuseRecipe | None, step: int, rng: np.random.Generator
    ) -> Losses:
        recipe, network = self.recipe, self.network
        windows = Windows(recipe.window, recipe.mirror)
        if reuse is None:
            frames = draw_frames(self.pool, stage.batch, rng, windows)
            return segmentation_losses(network, frames, recipe.soft_iou)
        assert isinstance(network, GatedFrtmNetwork)  # learning_modules has refused others
        drawn = draw_pairs(self.pool, stage.batch, reuse.gaps, rng, windows)
        progress = step / stage.steps
        return reuse_losses(network, drawn, reuse, progress, soft_iou=recipe.soft_iou, rng=rng)

    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        gaps = () if reuse is None else reuse.gaps
        statistics = self.pool.statistics  # those that the network's input has been scaled by
        return validate(self.network, pool, statistics, gaps, self.recipe.autocast).as_series()


@dataclass(frozen=True)
class Progress:
    """News of a training: steps done of how many, in all stages, and the newest values."""

    stage: str
    step: int
    steps: int
    values: Mapping[str, float]


Report = Callable[[Progress], None]


@dataclass(frozen=True)
class Cadence:
    """What a training does beside learning; none of it changes the outcome.

    Attributes:
        save, validate, log: steps between.
        workers: processes that make the clips of a stream.
        keep_clips: leave a stream's clips in the cache, for other trainings.
    """

    save: int = 100
    validate: int = 200
    log: int = 20
    workers: int = 1
    keep_clips: bool = False


def paced(job: AnyTraining, cadence: Cadence) -> AnyTraining:
    """The training with another cadence."""
    if job.pool.stream is not None:
        job.pool.stream.keep = cadence.keep_clips
    return replace(
        job, save_every=cadence.save, validate_every=cadence.validate, log_every=cadence.log
    )


@dataclass(frozen=True)
class _Stage:
    name: str
    index: int
    recipe: StageRecipe
    reuse: ReuseRecipe | None
    before: int  # steps of earlier stages


def _stages(recipe: Recipe) -> Iterator[_Stage]:
    first = recipe.segmentation
    if first is not None:
        yield _Stage("segmentation", 0, first, None, 0)
    if recipe.reuse is not None:
        before = 0 if first is None else first.steps
        yield _Stage("reuse", 1, recipe.reuse.stage, recipe.reuse, before)


def train(
    job: Training, report: Report | None = None, stop_after: int | None = None
) -> TrainingState:
    """Train from where the folder's state says, or from the beginning.

    Args:
        report: hears of progress.
        stop_after: end after so many steps of this run, as a kill would (the state is saved).

    Raises:
        InputError: the folder holds the state of another training.
    """
    state = _begin(job)
    left = job.recipe.steps if stop_after is None else stop_after
    for stage in _stages(job.recipe):
        if stage.index < state.stage or left <= 0:
            continue
        if stage.index > state.stage:
            state.stage, state.step, state.optimiser = stage.index, 0, None
            state.best, state.best_value = None, None
        left -= _run_stage(job, stage, state, left, report)
    return state


def _begin(job: Training) -> TrainingState:
    job.folder.mkdir(parents=True, exist_ok=True)
    weights = own_weights(job.network)
    digest = hashlib.sha256(f"{job.recipe.sha256}/{job.pool.sha256}".encode())
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    if not job.state_path.exists():
        return TrainingState(digest.hexdigest(), weights)
    state = load_state(job.state_path, digest.hexdigest())
    load_own_weights(job.network, state.network)
    return state


def _run_stage(
    job: Training,
    stage: _Stage,
    state: TrainingState,
    left: int,
    report: Report | None,
) -> int:
    """Run up to ``left`` steps of a stage; returns how many."""
    optimiser = _prepare(job, stage, state)
    started, spent = time.monotonic(), state.elapsed_s
    last = min(stage.recipe.steps, state.step + left)
    done = last - state.step
    while state.step < last:
        values = _step(job, stage, optimiser, state.step)
        state.step += 1
        news = partial(Progress, stage.name, stage.before + state.step, job.recipe.steps)
        ends = state.step == last
        if state.step % job.log_every == 0 or ends:
            _note(state, news(values), report)
        if state.step % job.validate_every == 0 or state.step == stage.recipe.steps:
            validation = _validate(job, stage)
            if validation is not None:
                _note(state, news(_prefixed(validation)), report)
                _keep_best(job, state, validation)
        if state.step == stage.recipe.steps and state.best is not None:
            load_own_weights(job.network, state.best)
        if state.step % job.save_every == 0 or ends:
            state.network, state.optimiser = own_weights(job.network), optimiser.state_dict()
            state.elapsed_s = spent + time.monotonic() - started
            save_state(state, job.state_path)
    return done


def _prepare(job: Training, stage: _Stage, state: TrainingState) -> torch.optim.Adam:
    """Freeze what the stage leaves alone, and bring its optimiser to the state."""
    job.network.requires_grad_(False)
    modules = tuple(job.learning(stage.reuse))
    for module in modules:
        module.requires_grad_(True)
    parameters = [p for module in modules for p in module.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=stage.recipe.learning_rate, amsgrad=True)
    if state.optimiser is not None:
        optimiser.load_state_dict(state.optimiser)
    return optimiser


def _step(
    job: Training, stage: _Stage, optimiser: torch.optim.Adam, step: int
) -> Mapping[str, float]:
    rng = np.random.default_rng([job.recipe.seed, stage.index, step])
    job.pool.advance(stage.before + step)
    job.set_modes(stage.reuse)
    rate = stage.recipe.rate(step)
    for group in optimiser.param_groups:
        group["lr"] = rate
    with torch.autocast("cpu", torch.bfloat16, enabled=job.recipe.autocast):
        terms = job.losses(stage.recipe, stage.reuse, step, rng)
    loss = torch.stack(list(terms.values())).sum()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return {name: float(term.detach()) for name, term in ({"loss": loss} | terms).items()}


def _validate(job: Training, stage: _Stage) -> Mapping[str, float] | None:
    if job.validation is None:
        return None
    job.network.eval()
    return job.validate(job.validation, stage.reuse)


def _keep_best(job: Training, state: TrainingState, validation: Mapping[str, float]) -> None:
    if not job.choose:
        return
    unknown = [name for name in job.choose if name not in validation]
    if unknown:
        raise InputError(
            f"a recipe chooses by '{unknown[0]}', which this validation doesn't have: there are "
            f"{', '.join(validation)}"
        )
    value = float(np.mean([validation[name] for name in job.choose]))
    if state.best_value is None or value > state.best_value:
        state.best, state.best_value = own_weights(job.network), value


def _prefixed(series: Mapping[str, float]) -> Mapping[str, float]:
    return {VALIDATION + name: value for name, value in series.items()}


def _note(state: TrainingState, news: Progress, report: Report | None) -> None:
    state.curve += [CurvePoint(news.step, name, value) for name, value in news.values.items()]
    if report is not None:
        report(news)
