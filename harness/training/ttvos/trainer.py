"""Training of TTVOS and G-TTVOS: the same two stages, data and loop as FRTM's.

Only our own layers learn; the backbone is frozen. Clips come from the pool that FRTM's training
fills, target model's scores and f32 included, which TTVOS leaves unread.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.checkpoints import read_checkpoint, write_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.network import FRTM_FAST, FRTM_LITE
from vosbench.baselines.imagenet import imagenet_state_dict
from vosbench.baselines.ttvos import models
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.models import make_ttvos
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig
from vosbench.baselines.ttvos.padding import MULTIPLE
from vosbench.harness.training.assemble import TrainingData
from vosbench.harness.training.checkpoint import halved, header, with_backbone
from vosbench.harness.training.data.pool import ClipPool, LevelStatistics
from vosbench.harness.training.device import CPU
from vosbench.harness.training.frtm.steps import Losses
from vosbench.harness.training.loop import TrainingJob
from vosbench.harness.training.moment import Moment
from vosbench.harness.training.recipe import ReuseRecipe
from vosbench.harness.training.state import TrainingState, own_weights
from vosbench.harness.training.ttvos.losses import (
    TtvosRecipe,
    reuse_losses,
    segmentation_losses,
)
from vosbench.harness.training.ttvos.scaling import load_saved, read_raw
from vosbench.harness.training.ttvos.validation import validate_ttvos

CONFIGS = {
    "ttvos-fast": models.TTVOS_FAST,
    "ttvos-lite": models.TTVOS_LITE,
    "g-ttvos-fast": models.G_TTVOS_FAST,
    "g-ttvos-lite": models.G_TTVOS_LITE,
}
"""What can be trained, by name. The ResNet-50's dilated layers would need a pool of their own."""

_TARGETS = {config.backbone: config.target for config in (FRTM_FAST, FRTM_LITE)}
"""Target models that pools of a backbone are encoded with."""


@dataclass(frozen=True)
class TtvosJob(TrainingJob):
    """A training of TTVOS; see :class:`.loop.Training`."""

    recipe: TtvosRecipe
    network: Ttvos

    def learning(self, reuse: ReuseRecipe | None) -> Iterator[nn.Module]:
        vos = self.network.vos
        if reuse is None or reuse.finetune == "all":
            yield from (vos.refine, vos.gcm, vos.gcq)
        elif reuse.finetune == "shallow":
            refine = vos.refine
            yield from (refine.conv_s8, refine.blend_s8, refine.conv_s4, refine.blend_s4)
            yield from (refine.deconv1_1, refine.deconv1_2, refine.deconv2, refine.deconv3)
        if reuse is not None:
            yield self._gated.gate
            if not reuse.gate_only:
                yield from (self._gated.delta, self._gated.translator)

    def set_modes(self, reuse: ReuseRecipe | None) -> None:
        self.network.eval()  # no layer but those of the reuse modules has a training mode
        if reuse is not None:
            self._gated.gate.train()
            self._gated.translator.train(not reuse.gate_only)

    def losses(self, moment: Moment, reuse: ReuseRecipe | None) -> Losses:
        if reuse is None:
            return segmentation_losses(self.network, self.pool, self.recipe, moment)
        return reuse_losses(self._gated, self.pool, self.recipe, reuse, moment)

    def validate(self, pool: ClipPool, reuse: ReuseRecipe | None) -> Mapping[str, float]:
        gaps = () if reuse is None else reuse.gaps
        autocast = self.recipe.autocast
        return validate_ttvos(self.network, pool, self.pool.statistics, gaps, autocast).as_series()

    @property
    def _gated(self) -> GatedTtvos:
        if not isinstance(self.network, GatedTtvos):
            raise RuntimeError("a network without a gate has no reuse modules to train")
        return self.network


def config_of(model: str) -> TtvosConfig:
    """The config of a model that can be trained; InputError lists them for another name."""
    if model not in CONFIGS:
        raise InputError(f"{model} can't be trained: there are {', '.join(CONFIGS)}")
    return CONFIGS[model]


def build_network(model: str, seed: int, features: Mapping[str, Tensor]) -> Ttvos:
    """A network with the backbone's weights from ``features`` and the rest drawn from ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make_ttvos(config_of(model))
    backbone = network.vos.backbone
    backbone.load_state_dict({name: features[name] for name in backbone.state_dict()})
    return network.to(memory_format=torch.channels_last)


def prepare(
    recipe: TtvosRecipe,
    data: TrainingData,
    cache: Path,
    folder: Path,
    *,
    start: Path | None = None,
    backbone: Path | None = None,
    device: torch.device = CPU,
) -> TtvosJob:
    """Make a training ready to run with :func:`.loop.train`.

    Args:
        cache: folder of encoded clips; may be shared by all trainings, FRTM's with the same
            backbone included.
        folder: of this training's state.
        start: checkpoint whose layers are taken over, as far as it has them; with a recipe that
            trains the gate only, all but the gate are.
        backbone: file of the backbone's weights; None for where ImageNet weights usually are.

    Raises:
        InputError: unknown model, missing data or weights, clips of an odd size, a loss that
            TTVOS's training lacks, or a checkpoint that doesn't fit.
    """
    if data.clips.height % MULTIPLE or data.clips.width % MULTIPLE:
        raise InputError(f"TTVOS learns on clips whose sides are multiples of {MULTIPLE} pixels")
    if recipe.reuse is not None and recipe.reuse.gate.rate is not None:
        raise InputError("the N-gate loss is there for FRTM only: leave the target rate out")
    name = config_of(recipe.model).backbone
    features = imagenet_state_dict(name, backbone)
    network = build_network(recipe.model, recipe.seed, features)
    whole = make_backbone(name)
    whole.load_state_dict(features)
    encoder = data.encoder(whole.to(memory_format=torch.channels_last), _TARGETS[name], device)
    network.to(device)
    training, held_out = data.sources()
    pool = data.pool(training, encoder, cache, recipe.clips, device)
    if start is not None:
        _take_over(network, start, recipe, pool)
    elif recipe.segmentation is None:
        raise InputError("a recipe without the segmentation stage needs a checkpoint to start from")
    validation, videos = data.scored(held_out, encoder, cache, recipe.clips, device=device)
    return TtvosJob(recipe, network, pool, validation, folder, videos=videos)


def _take_over(network: Ttvos, start: Path, recipe: TtvosRecipe, pool: ClipPool) -> None:
    tensors = read_checkpoint(start).tensors
    if recipe.reuse is not None and recipe.reuse.gate_only:
        tensors = {name: t for name, t in tensors.items() if not name.startswith("gate.")}
    own = {name for name in own_weights(network) if name.startswith("vos.")}
    try:
        if not own <= set(tensors):
            raise RuntimeError("layers are missing")
        load_saved(network, tensors, pool.statistics)
    except RuntimeError as error:
        raise InputError(f"{start} was made for another network than {recipe.model}") from error


def shipped_tensors(network: Ttvos, statistics: Sequence[LevelStatistics]) -> Mapping[str, Tensor]:
    """Half-precision tensors of a trained network, without the backbone, for raw features."""
    raw = copy.deepcopy(network)
    read_raw(raw, statistics)
    return halved(own_weights(raw))


def save(
    path: Path,
    network: Ttvos,
    statistics: Sequence[LevelStatistics],
    *,
    recipe: TtvosRecipe,
    state: TrainingState,
    data_sha256: str,
    note: str,
    whole: bool = False,
) -> None:
    """As :func:`vosbench.harness.training.checkpoint.save`, for TTVOS."""
    told = header(recipe, state, network.config.backbone, data_sha256, note)
    tensors = shipped_tensors(network, statistics)
    write_checkpoint(path, with_backbone(tensors, network) if whole else tensors, told)
