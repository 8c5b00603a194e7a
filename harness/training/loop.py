"""The training loop: two stages, resumable after any step with the same result bit for bit.

Nothing random is carried from step to step: what a step draws, from numpy or from torch on any
device, depends on seed, stage and step. So no state of a generator has to be kept.
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
from vosbench.harness.store import SPEED, VALIDATION
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.device import compile_layers, repeatable
from vosbench.harness.training.frtm.steps import Losses
from vosbench.harness.training.moment import Moment, Part
from vosbench.harness.training.processes import (
    ALONE,
    Processes,
    check_batch,
    distributed,
    parts_in_turn,
)
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.state import (
    CurvePoint,
    TrainingState,
    load_own_weights,
    load_state,
    own_weights,
    save_state,
)

VIDEO = "video "
"""Begins the name of a series of validation on real sequences."""


@dataclass(frozen=True)
class TrainingJob(ABC):
    """A training: what learns, from what, and where its state is kept.

    Attributes:
        network: with starting weights, reading normalised features; changed in place.
        validation: held-out clips; None for no validation.
        folder: of the state file.
        save_every, validate_every, log_every: steps between.
        workers: processes that draw clips which no file keeps.
        compiled: compile the layers that learn.
        processes: that share each batch; the first one alone writes.
        videos: clips of real sequences that are scored beside the held-out ones; None for none.
    """

    recipe: Recipe
    network: nn.Module
    pool: ClipPool
    validation: ClipPool | None
    folder: Path
    save_every: int = 100
    validate_every: int = 200
    log_every: int = 20
    workers: int = 0
    compiled: bool = False
    processes: Processes = ALONE
    videos: ClipPool | None = None

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
    def losses(self, moment: Moment, reuse: ReuseRecipe | None) -> Losses:
        """Draw the moment's part of a batch and give the weighted terms of its loss."""

    @abstractmethod
    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        """Score the network, in eval mode, on held-out clips; named values."""


AnyTraining = TypeVar("AnyTraining", bound=TrainingJob)


@dataclass(frozen=True)
class TrainingProgress:
    """News of a training: steps done of how many, in all stages, and the newest values."""

    stage: str
    step: int
    steps: int
    values: Mapping[str, float]


Report = Callable[[TrainingProgress], None]


@dataclass(frozen=True)
class Cadence:
    """What a training does beside learning; none of it changes the outcome.

    Attributes:
        save, validate, log: steps between.
        workers: processes that make the clips of a stream, or draw those that no file keeps.
        keep_clips: leave a stream's clips in the cache, for other trainings.
        compiled: compile the layers that learn; equal up to rounding.
        processes: that share each batch.
    """

    save: int = 100
    validate: int = 200
    log: int = 20
    workers: int = 1
    keep_clips: bool = False
    compiled: bool = False
    processes: Processes = ALONE

    @property
    def producers(self) -> int:
        """Workers that fill the folder of a stream, which all processes share."""
        return self.workers if self.processes.leads else 0


def paced(job: AnyTraining, cadence: Cadence) -> AnyTraining:
    """The training with another cadence."""
    if job.pool.stream is not None:
        job.pool.stream.keep = cadence.keep_clips
    return replace(
        job,
        save_every=cadence.save,
        validate_every=cadence.validate,
        log_every=cadence.log,
        workers=cadence.workers,
        compiled=cadence.compiled,
        processes=cadence.processes,
    )


@dataclass(frozen=True)
class _RunStage:
    name: str
    index: int
    recipe: StageRecipe
    reuse: ReuseRecipe | None
    before: int  # steps of earlier stages
    taken: int  # clips of their batches

    def first_clip(self, step: int) -> int:
        """How many clips all steps before this one took."""
        return self.taken + step * self.recipe.batch


def _stages(recipe: Recipe) -> Iterator[_RunStage]:
    first = recipe.segmentation
    if first is not None:
        yield _RunStage("segmentation", 0, first, None, 0, 0)
    if recipe.reuse is not None:
        before = 0 if first is None else first.steps
        taken = 0 if first is None else first.steps * first.batch
        yield _RunStage("reuse", 1, recipe.reuse.stage, recipe.reuse, before, taken)


def train(
    job: TrainingJob, report: Report | None = None, stop_after: int | None = None
) -> TrainingState:
    """Train from where the folder's state says, or from the beginning.

    Args:
        report: hears of progress.
        stop_after: end after so many steps of this run, as a kill would (the state is saved).

    Raises:
        InputError: the folder holds the state of another training, or a batch can't be parted.
    """
    check_parts(job.recipe, job.processes)
    state = _begin(job)
    left = job.recipe.steps if stop_after is None else stop_after
    with repeatable(job.pool.device):
        for stage in _stages(job.recipe):
            if stage.index < state.stage or left <= 0:
                continue
            if stage.index > state.stage:
                state.stage, state.step, state.optimiser = stage.index, 0, None
                state.best, state.best_value, state.best_step = None, None, None
            left -= _run_stage(job, stage, state, left, report)
    return state


def check_parts(recipe: Recipe, processes: Processes) -> None:
    """Raise InputError where the processes can't share a batch equally."""
    for stage in recipe.stages:
        check_batch(stage.batch, recipe.accumulate, processes)


def _begin(job: TrainingJob) -> TrainingState:
    job.folder.mkdir(parents=True, exist_ok=True)
    weights = own_weights(job.network)
    digest = hashlib.sha256(f"{job.recipe.sha256}/{job.pool.sha256}".encode())
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    if not job.state_path.exists():
        return TrainingState(digest.hexdigest(), weights)
    state = load_state(job.state_path, digest.hexdigest())
    job.processes.wait()  # nobody saves before all have read
    load_own_weights(job.network, state.network)
    return state


def _run_stage(
    job: TrainingJob,
    stage: _RunStage,
    state: TrainingState,
    left: int,
    report: Report | None,
) -> int:
    """Run up to ``left`` steps of a stage; returns how many."""
    run = _Run.prepare(job, stage, state)
    started, spent = time.monotonic(), state.elapsed_s
    last = min(stage.recipe.steps, state.step + left)
    done = last - state.step
    told = report if job.processes.leads else None
    with job.pool.feeding(run.needed(range(state.step, last)), job.workers):
        while state.step < last:
            terms = run.step(state.step)
            state.step += 1
            news = partial(
                TrainingProgress, stage.name, stage.before + state.step, job.recipe.steps
            )
            ends = state.step == last
            if state.step % job.log_every == 0 or ends:
                _note(state, news(run.values(terms)), told)
            if state.step % job.validate_every == 0 or state.step == stage.recipe.steps:
                validation = run.validate()
                if validation is not None:
                    _note(state, news(_prefixed(validation)), told)
                    _keep_best(job, stage, state, validation)
            if state.step == stage.recipe.steps and state.best is not None:
                load_own_weights(job.network, state.best)
            if state.step % job.save_every == 0 or ends:
                state.network, state.optimiser = (
                    own_weights(job.network),
                    run.optimiser.state_dict(),
                )
                state.elapsed_s = spent + time.monotonic() - started
                if job.processes.leads:
                    save_state(state, job.state_path)
    return done


@dataclass
class _Run:
    """A stage at work.

    Attributes:
        module: what computes the losses, so that gradients are shared by all processes.
        steps, seconds: since values were last asked for.
    """

    job: TrainingJob
    stage: _RunStage
    module: nn.Module
    optimiser: torch.optim.Adam
    waited_s: float
    steps: int = 0
    seconds: float = 0.0

    @classmethod
    def prepare(cls, job: TrainingJob, stage: _RunStage, state: TrainingState) -> _Run:
        """Freeze what the stage leaves alone, and bring its optimiser to the state."""
        job.network.requires_grad_(False)
        modules = tuple(job.learning(stage.reuse))
        for module in modules:
            module.requires_grad_(True)
        parameters = [p for module in modules for p in module.parameters()]
        recipe = stage.recipe
        optimiser = torch.optim.Adam(
            parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, amsgrad=True
        )
        if state.optimiser is not None:
            optimiser.load_state_dict(state.optimiser)
        if job.compiled:
            compile_layers(modules)
        module = distributed(job.network, job.processes)
        return cls(job, stage, module, optimiser, job.pool.waited.seconds)

    def needed(self, steps: range) -> Iterator[list[int]]:
        """Indices of the clips that each step takes here, where a pool's clips are used once."""
        batch, parts = self.stage.recipe.batch, self.job.processes.parts(self.job.recipe.accumulate)
        for step in steps:
            first = self.stage.first_clip(step)
            yield [first + sample for part in parts for sample in part.of(batch)]

    def step(self, step: int) -> Losses:
        """Take a step; the terms of its loss, without gradients and still on the device."""
        began_s = time.monotonic()
        job, stage, accumulated = self.job, self.stage, self.job.recipe.accumulate
        job.pool.advance(stage.before + step, stage.first_clip(step))
        job.set_modes(stage.reuse)
        for group in self.optimiser.param_groups:
            group["lr"] = stage.recipe.rate(step)
        self.optimiser.zero_grad(set_to_none=True)
        sums: Losses = {}
        for part in parts_in_turn(self.module, accumulated, job.processes):
            terms = self._learn(step, part)
            sums = {name: sums.get(name, 0) + term for name, term in terms.items()}
        self.optimiser.step()
        self.steps += 1
        self.seconds += time.monotonic() - began_s
        return {name: total / accumulated for name, total in sums.items()}

    def _learn(self, step: int, part: Part) -> Losses:
        """Add the gradient of one part of a step."""
        job, stage = self.job, self.stage
        seeds = [job.recipe.seed, stage.index, step]
        moment = Moment(stage.recipe, step, np.random.default_rng(seeds), part)
        torch.manual_seed(int(np.random.SeedSequence([*seeds, part.index]).generate_state(1)[0]))
        with torch.autocast(job.pool.device.type, torch.bfloat16, enabled=job.recipe.autocast):
            terms: Losses = self.module(lambda: job.losses(moment, stage.reuse))
        loss = torch.stack(list(terms.values())).sum()
        (loss / job.recipe.accumulate).backward()  # type: ignore[no-untyped-call]
        return {name: term.detach() for name, term in ({"loss": loss} | terms).items()}

    def values(self, terms: Losses) -> dict[str, float]:
        """Terms of the loss over all processes, and how fast steps were since the last time.

        The one place where training waits for its device, but for validation and saving.
        """
        began_s = time.monotonic()
        means = self.job.processes.means(torch.stack(list(terms.values()))).tolist()
        seconds = self.seconds + time.monotonic() - began_s
        waited_s = self.job.pool.waited.seconds
        speed = {
            f"{SPEED}clips per s": self.steps * self.stage.recipe.batch / max(seconds, 1e-9),
            f"{SPEED}waiting": (waited_s - self.waited_s) / max(seconds, 1e-9),
        }
        self.steps, self.seconds, self.waited_s = 0, 0.0, waited_s
        return dict(zip(terms, means, strict=True)) | speed

    def validate(self) -> Mapping[str, float] | None:
        """The first process's scores on held-out clips and real sequences, in all of them."""
        job = self.job
        if job.validation is None and job.videos is None:
            return None
        job.network.eval()
        scores: dict[str, float] = {}
        for prefix, pool in (("", job.validation), (VIDEO, job.videos)):
            if pool is not None and job.processes.leads:
                told = job.validate(pool, self.stage.reuse)
                scores |= {prefix + name: value for name, value in told.items()}
        self.waited_s = job.pool.waited.seconds
        return job.processes.tell(scores)


def _keep_best(
    job: TrainingJob, stage: _RunStage, state: TrainingState, validation: Mapping[str, float]
) -> None:
    """A stage before the last may lack the series; it then ends with its last weights."""
    chosen = job.recipe.choose
    known = [name for name in chosen if name in validation]
    unknown = [name for name in chosen if name not in validation]
    if unknown and stage.before + stage.recipe.steps == job.recipe.steps:
        raise InputError(
            f"a recipe chooses by '{unknown[0]}', which this validation doesn't have: there are "
            f"{', '.join(validation)}"
        )
    if not known:
        return
    value = float(np.mean([validation[name] for name in known]))
    if state.best_value is None or value > state.best_value:
        state.best, state.best_value = own_weights(job.network), value
        state.best_step = stage.before + state.step


def _prefixed(series: Mapping[str, float]) -> Mapping[str, float]:
    return {VALIDATION + name: value for name, value in series.items()}


def _note(state: TrainingState, news: TrainingProgress, report: Report | None) -> None:
    state.curve += [CurvePoint(news.step, name, value) for name, value in news.values.items()]
    if report is not None:
        report(news)
