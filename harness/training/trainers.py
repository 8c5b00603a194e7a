"""Who trains which model: the loop, the data and the checkpoints of each family of networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from vosbench.baselines.checkpoints import backbone_of, read_checkpoint
from vosbench.baselines.errors import InputError, suggestion
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.harness.training import assemble, checkpoint, loop
from vosbench.harness.training.assemble import Gathered
from vosbench.harness.training.data.live import LivePool
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.producing import producing
from vosbench.harness.training.device import CPU
from vosbench.harness.training.frtm import half_trainer as half
from vosbench.harness.training.frtm.half_trainer import HalfTrainer
from vosbench.harness.training.loop import Cadence, Report, TrainingProgress, paced
from vosbench.harness.training.processes import Processes
from vosbench.harness.training.recipe import Recipe, StageRecipe
from vosbench.harness.training.request import TrainingRequest
from vosbench.harness.training.state import TrainingState
from vosbench.harness.training.ttvos import trainer as ttvos
from vosbench.harness.training.ttvos.losses import TtvosRecipe
from vosbench.harness.training.ttvos.trainer import TtvosJob


class Opened(Protocol):
    """A training of which everything is known, and nothing done."""

    @property
    def data_sha256(self) -> str:
        """Hash of all that the network reads: clips, and the frozen layers before it."""

    def train(self, folder: Path, cadence: Cadence, report: Report) -> TrainingState:
        """Train to the end, from where the state in ``folder`` says."""

    def save(self, path: Path, state: TrainingState, note: str) -> None:
        """Write the checkpoint, after :meth:`train`."""


class Trainer(Protocol):
    """Trains a family of networks."""

    @property
    def recipe(self) -> type[Recipe]:
        """The kind of its recipes, made from a model, its segmentation and its reuse stage."""

    def gated(self, model: str) -> bool:
        """Whether a model of the family has reuse modules, and so a second stage."""

    def check(self, request: TrainingRequest) -> None:
        """Raise InputError for what can't be trained; quick, and without data."""

    def open(self, request: TrainingRequest, cache: Path, device: torch.device = CPU) -> Opened:
        """Open network and data on a device; raises InputError for what is missing."""


def _check_first_stage(recipe: Recipe) -> None:
    if recipe.segmentation is None and not recipe.joint:
        raise InputError(
            "training begins with the segmentation stage: give --steps S1,S2, or --start FILE "
            "with a trained refiner"
        )
    if recipe.reuse is not None and recipe.reuse.gate_only:
        raise InputError("reuse.gate_only changes a finished network: give it with --start FILE")


def _draw_clips(pool: ClipPool, recipe: Recipe, processes: Processes, report: Report) -> None:
    """Draw and encode all clips first where training would read them all anyway."""
    drawn = sum(stage.steps * stage.batch for stage in recipe.stages)
    kept = pool.stream is None and not isinstance(pool, LivePool)
    if kept and drawn >= 2 * pool.size:
        for index in range(processes.rank, pool.size, processes.count):
            pool.ensure(index)
            report(TrainingProgress("clips", index + 1, pool.size, {}))
    processes.wait()
    if processes.leads:
        _ = pool.statistics  # all others read the file
    processes.wait()


class FrtmTrainer:
    """Trains FRTM and G-FRTM."""

    recipe = Recipe

    def gated(self, model: str) -> bool:
        return assemble.config_of(model).gated

    def check(self, request: TrainingRequest) -> None:
        recipe = request.recipe
        request.check(gated=self.gated(recipe.model))
        gate_only = recipe.reuse is not None and recipe.reuse.gate_only
        if request.start is not None:
            whole = gate_only and recipe.segmentation is None
            assemble.check_start(Path(request.start), recipe.model, gate_only=whole)
        else:
            _check_first_stage(recipe)

    def open(self, request: TrainingRequest, cache: Path, device: torch.device = CPU) -> Opened:
        backbone = _own_backbone(request)
        gathered = assemble.gather(request.recipe, request.data.open(), cache, backbone, device)
        start = None if request.start is None else Path(request.start)
        return _OpenedFrtm(gathered, start, whole=backbone is not None)


@dataclass(frozen=True)
class _OpenedFrtm:
    gathered: Gathered
    start: Path | None
    whole: bool

    @property
    def data_sha256(self) -> str:
        return self.gathered.pool.sha256

    def train(self, folder: Path, cadence: Cadence, report: Report) -> TrainingState:
        _draw_clips(self.gathered.pool, self.gathered.recipe, cadence.processes, report)
        with producing(self.gathered.pool, cadence.producers):
            return loop.train(paced(self.gathered.job(folder, self.start), cadence), report)

    def save(self, path: Path, state: TrainingState, note: str) -> None:
        checkpoint.save(
            path,
            self.gathered.network,
            self.gathered.pool.statistics,
            recipe=self.gathered.recipe,
            state=state,
            data_sha256=self.data_sha256,
            note=note,
            whole=self.whole,
        )


class TtvosTrainer:
    """Trains TTVOS and G-TTVOS."""

    recipe = TtvosRecipe

    def gated(self, model: str) -> bool:
        return ttvos.config_of(model).gated

    def check(self, request: TrainingRequest) -> None:
        recipe = request.recipe
        request.check(gated=self.gated(recipe.model))
        if request.start is None:
            _check_first_stage(recipe)
        if recipe.sequences:
            raise InputError("sequences=true is there for FRTM only: TTVOS always learns runs")

    def open(self, request: TrainingRequest, cache: Path, device: torch.device = CPU) -> Opened:
        # The data doesn't depend on the stages, and a start isn't read before training.
        whole = replace(request.recipe, segmentation=request.recipe.segmentation or StageRecipe(1))
        first = _ttvos_job(replace(request, recipe=whole, start=None), cache, cache, device)
        return _OpenedTtvos(request, cache, first)


def _own_backbone(request: TrainingRequest) -> Path | None:
    """File of a backbone other than ImageNet's: named, or within the checkpoint to start from."""
    if request.backbone is not None:
        return Path(request.backbone)
    if request.start is None or not backbone_of(read_checkpoint(Path(request.start)).tensors):
        return None
    return Path(request.start)


def _ttvos_job(
    request: TrainingRequest, cache: Path, folder: Path, device: torch.device
) -> TtvosJob:
    assert isinstance(request.recipe, TtvosRecipe)
    return ttvos.prepare(
        request.recipe,
        request.data.open(),
        cache,
        folder,
        start=None if request.start is None else Path(request.start),
        backbone=_own_backbone(request),
        device=device,
    )


@dataclass
class _OpenedTtvos:
    request: TrainingRequest
    cache: Path
    job: TtvosJob

    @property
    def data_sha256(self) -> str:
        return self.job.pool.sha256

    def train(self, folder: Path, cadence: Cadence, report: Report) -> TrainingState:
        pool = self.job.pool
        _draw_clips(pool, self.request.recipe, cadence.processes, report)
        self.job = paced(_ttvos_job(self.request, self.cache, folder, pool.device), cadence)
        with producing(self.job.pool, cadence.producers):
            return loop.train(self.job, report)

    def save(self, path: Path, state: TrainingState, note: str) -> None:
        job = self.job
        assert isinstance(job.network, Ttvos)
        ttvos.save(
            path,
            job.network,
            job.pool.statistics,
            recipe=job.recipe,
            state=state,
            data_sha256=self.data_sha256,
            note=note,
            whole=_own_backbone(self.request) is not None,
        )


TRAINERS: Mapping[str, Trainer] = {
    **dict.fromkeys(assemble.CONFIGS, FrtmTrainer()),
    **dict.fromkeys(half.CONFIGS, HalfTrainer()),
    **dict.fromkeys(ttvos.CONFIGS, TtvosTrainer()),
}
"""The trainer of each model that can be trained."""


def trainer_of(model: str) -> Trainer:
    """The trainer of a model; InputError with the nearest name where there is none."""
    if model not in TRAINERS:
        raise InputError(f"{model} can't be trained{suggestion(model, TRAINERS)}")
    return TRAINERS[model]
