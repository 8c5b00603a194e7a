"""Puts a training of FRTM-half together, and writes its checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from vosbench.baselines.checkpoints import load_into, read_checkpoint, write_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm import half
from vosbench.baselines.frtm.half import HalfConfig, HalfFrtm, make_half
from vosbench.baselines.imagenet import imagenet_state_dict
from vosbench.harness.training.assemble import TrainingData
from vosbench.harness.training.checkpoint import halved, header
from vosbench.harness.training.data.pool import ClipPool, HalvedPool
from vosbench.harness.training.data.producing import producing
from vosbench.harness.training.device import CPU
from vosbench.harness.training.frtm.half_recipe import HalfRecipe
from vosbench.harness.training.frtm.half_steps import draw_walk, gate_losses, walk_losses
from vosbench.harness.training.frtm.half_validation import validate_half
from vosbench.harness.training.frtm.steps import Losses
from vosbench.harness.training.loop import Cadence, Report, TrainingJob, paced, train
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import ReuseRecipe
from vosbench.harness.training.request import TrainingRequest
from vosbench.harness.training.state import TrainingState, own_weights

CONFIGS = {"frtm-half": half.FRTM_HALF, "g-frtm-half": half.G_FRTM_HALF}
"""What can be trained, by name."""


def config_of(model: str) -> HalfConfig:
    """The config of a model that can be trained; InputError lists them for another name."""
    if model not in CONFIGS:
        raise InputError(f"{model} can't be trained: there are {', '.join(CONFIGS)}")
    return CONFIGS[model]


@dataclass(frozen=True)
class HalfJob(TrainingJob):
    """A training of FRTM-half; see :class:`.loop.Training`."""

    recipe: HalfRecipe
    network: HalfFrtm
    pool: HalvedPool

    def learning(self, reuse: ReuseRecipe | None) -> Iterator[nn.Module]:
        if reuse is None or reuse.finetune == "all":
            yield from (self.network.matching, self.network.carry, self.network.refine)
        if reuse is not None:
            assert self.network.gate is not None
            yield self.network.gate

    def set_modes(self, reuse: ReuseRecipe | None) -> None:
        self.network.eval()
        for module in self.learning(reuse):
            module.train()

    def losses(self, moment: Moment, reuse: ReuseRecipe | None) -> Losses:
        walk = draw_walk(self.pool, self.recipe, moment)
        if reuse is None:
            finest = moment.progress >= self.recipe.fine_from
            return walk_losses(self.network, walk, self.recipe, moment, finest=finest)
        return gate_losses(self.network, walk, self.recipe, moment)

    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:  # noqa: ARG002
        assert isinstance(pool, HalvedPool)
        asked = self.recipe.reuse
        reference = "last-full" if asked is None else asked.gate.reference
        return validate_half(self.network, pool, self.recipe.autocast, reference)


def prepare(
    recipe: HalfRecipe,
    data: TrainingData,
    cache: Path,
    folder: Path,
    *,
    start: Path | None = None,
    backbone: Path | None = None,
    device: torch.device = CPU,
) -> HalfJob:
    """Make a training ready to run with :func:`.loop.train`; nothing is drawn or encoded yet.

    Args:
        cache: folder of encoded clips; may be shared by all trainings.
        folder: of this training's state.
        start: checkpoint whose layers are taken over, as far as it has them.
        backbone: file of the backbone's weights; None for where ImageNet weights usually are.

    Raises:
        InputError: missing data or weights, or a checkpoint that doesn't fit.
    """
    config = config_of(recipe.model)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        network = make_half(config)
    network.feature_extractor.load_state_dict(imagenet_state_dict(config.backbone, backbone))
    if start is not None:
        _take_over(network, start, recipe.model)
    encoder = data.encoder(network.feature_extractor, config.target, device)
    network.to(device)
    training, held_out = data.sources()
    pool = HalvedPool(training, encoder, cache, recipe.clips, stream=data.stream(), device=device)
    scored = data.scored(held_out, encoder, cache, recipe.clips, device=device, kind=HalvedPool)
    return HalfJob(recipe, network, pool, scored[0], folder, videos=scored[1])


def _take_over(network: HalfFrtm, start: Path, model: str) -> None:
    tensors = {name: tensor.float() for name, tensor in read_checkpoint(start).tensors.items()}
    own = network.state_dict()
    missing = {name: value for name, value in own.items() if name not in tensors}
    needed = [k for k in missing if not k.startswith(("gate.", "feature_extractor."))]
    if needed:
        raise InputError(f"{start} was made for another network than {model}: no {needed[0]}")
    load_into(network, tensors | missing, str(start), ignored=("gate.",))


class HalfTrainer:
    """Trains FRTM-half and G-FRTM-half; see :class:`vosbench.harness.training.trainers.Trainer`."""

    recipe = HalfRecipe

    def gated(self, model: str) -> bool:
        return config_of(model).gated

    def check(self, request: TrainingRequest) -> None:
        recipe = request.recipe
        request.check(gated=self.gated(recipe.model))
        if request.start is None and recipe.segmentation is None:
            raise InputError(
                "training begins with the segmentation stage: give --steps S1,S2, or --start FILE "
                "with trained decoders"
            )
        if recipe.sequences:
            raise InputError("sequences=true is there for FRTM only: FRTM-half always walks")
        if not request.data.cached:
            raise InputError("FRTM-half learns from clips in files: leave data.cached as it is")

    def open(self, request: TrainingRequest, cache: Path, device: torch.device = CPU) -> OpenedHalf:
        assert isinstance(request.recipe, HalfRecipe)
        start = None if request.start is None else Path(request.start)
        backbone = None if request.backbone is None else Path(request.backbone)
        data = request.data.open()
        return OpenedHalf(
            prepare(
                request.recipe, data, cache, cache, start=start, backbone=backbone, device=device
            )
        )


@dataclass
class OpenedHalf:
    """A training of which everything is known."""

    job: HalfJob

    @property
    def data_sha256(self) -> str:
        return self.job.pool.sha256

    def train(self, folder: Path, cadence: Cadence, report: Report) -> TrainingState:
        self.job = paced(replace(self.job, folder=folder), cadence)
        with producing(self.job.pool, cadence.producers):
            return train(self.job, report)

    def save(self, path: Path, state: TrainingState, note: str) -> None:
        save(path, self.job, state=state, data_sha256=self.data_sha256, note=note)


def save(path: Path, job: HalfJob, *, state: TrainingState, data_sha256: str, note: str) -> None:
    """Write a finished training's checkpoint, with its provenance in the header."""
    told = header(job.recipe, state, job.network.config.backbone, data_sha256, note)
    write_checkpoint(path, halved(own_weights(job.network)), told)
