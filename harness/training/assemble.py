"""Put a training together: network, data and encoder from their names."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vosbench.baselines.backbones import Backbone
from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm import network as networks
from vosbench.baselines.frtm.network import FrtmConfig, FrtmNetwork, GatedFrtmNetwork, make_frtm
from vosbench.baselines.frtm.target import TargetConfig
from vosbench.baselines.imagenet import imagenet_state_dict
from vosbench.harness.datasets import registry
from vosbench.harness.training.data.clips import ClipSource, Mixture
from vosbench.harness.training.data.encoding import Encoder
from vosbench.harness.training.data.live import LivePool
from vosbench.harness.training.data.pictures import blended, open_pictures
from vosbench.harness.training.data.pool import ClipPool, ClipStream
from vosbench.harness.training.data.synthetic import SyntheticClips, SyntheticConfig
from vosbench.harness.training.data.videos import MotionClips, VideoClips
from vosbench.harness.training.device import CPU
from vosbench.harness.training.frtm.gate_only import GateJob
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.frtm.scaling import load_network, load_refiner
from vosbench.harness.training.loop import TrainingJob
from vosbench.harness.training.recipe import Recipe

CONFIGS = {
    "frtm": networks.FRTM,
    "frtm-fast": networks.FRTM_FAST,
    "frtm-lite": networks.FRTM_LITE,
    "frtm-fastr": networks.FRTM_FASTR,
    "frtm-lite-r": networks.FRTM_LITE_R,
    "g-frtm": networks.G_FRTM,
    "g-frtm-fast": networks.G_FRTM_FAST,
    "g-frtm-lite": networks.G_FRTM_LITE,
}
"""What can be trained, by name."""

HELD_OUT = 0.06
HELD_OUT_MOTION = 2_000_000
"""First seed of validation clips; those trained on begin at half of it."""
VALIDATION_CLIPS = 60


def config_of(model: str) -> FrtmConfig:
    """The config of a model that can be trained; InputError lists them for another name."""
    if model not in CONFIGS:
        raise InputError(f"{model} can't be trained: there are {', '.join(CONFIGS)}")
    return CONFIGS[model]


def build_network(model: str, seed: int, backbone: Path | None = None) -> FrtmNetwork:
    """A network with ImageNet weights in its backbone and the rest drawn from ``seed``.

    Args:
        backbone: file of the backbone's weights; None for where ImageNet weights usually are.
    """
    config = config_of(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make_frtm(config)
    network.feature_extractor.load_state_dict(imagenet_state_dict(config.backbone, backbone))
    network.to(memory_format=torch.channels_last)
    return network


@dataclass(frozen=True)
class TrainingData:
    """Where clips come from.

    Attributes:
        pictures: folders with ``images/`` and ``masks/``, each with its weight.
        videos: other sources with their weights, such as :class:`.videos.VideoClips`.
        motion: weight of the built-in generator.
        clips: size and nature of synthetic clips.
        validation: real sequences in DAVIS' layout, for choosing between weights; never learnt.
        real_clips: how many clips of these are scored.
        fresh: new clips a step; 0 draws a fixed number once.
        live: every step takes new clips, which no file keeps.
    """

    pictures: tuple[tuple[float, Path], ...] = ()
    videos: tuple[tuple[float, ClipSource], ...] = ()
    motion: float = 0.0
    clips: SyntheticConfig = field(default_factory=SyntheticConfig)
    validation: Path | None = None
    real_clips: int = 24
    fresh: float = 0.0
    live: bool = False

    def pool(
        self, source: ClipSource, encoder: Encoder, cache: Path, size: int, device: torch.device
    ) -> ClipPool:
        """The clips to learn from."""
        if self.live:
            return LivePool(source, encoder, cache, size, device=device)
        return ClipPool(source, encoder, cache, size, stream=self.stream(), device=device)

    def scored(
        self,
        held_out: ClipSource | None,
        encoder: Encoder,
        cache: Path,
        clips: int,
        *,
        device: torch.device,
        kind: type[ClipPool] = ClipPool,
    ) -> tuple[ClipPool | None, ClipPool | None]:
        """What weights are scored on: held-out clips, and clips of the real sequences.

        ``clips`` are those of the training: a tenth at most, lest a small one go into validation.
        """
        count = min(VALIDATION_CLIPS, max(2, clips // 10))
        sources = ((held_out, count), (self.real(), self.real_clips))
        validation, videos = (
            None if source is None else kind(source, encoder, cache, size, device=device)
            for source, size in sources
        )
        return validation, videos

    def encoder(self, backbone: Backbone, target: TargetConfig, device: torch.device) -> Encoder:
        """What encodes clips on a device, where ``backbone`` is moved.

        A stream's workers encode on the CPU, with a backbone of their own.
        """
        apart = self.fresh > 0 and device.type != "cpu"
        return Encoder(copy.deepcopy(backbone) if apart else backbone.to(device), target)

    def stream(self) -> ClipStream | None:
        """How clips stream; None for a fixed pool."""
        return ClipStream(self.fresh) if self.fresh else None

    def real(self) -> ClipSource | None:
        """Clips of the real sequences, frame 0 first; None where none are named."""
        if self.validation is None:
            return None
        dataset = registry.open(f"davis-layout:{self.validation}", None)
        size = (self.clips.height, self.clips.width)
        return VideoClips(dataset, size, self.clips.frames, leaps=self.clips.leaps or 0.3)

    def sources(self) -> tuple[ClipSource, ClipSource | None]:
        """Clips to learn from, and held-out ones: of the pictures, else of ``motion``, else None.

        Raises:
            InputError: there is nothing to learn from, or a folder holds no pictures.
        """
        size = (self.clips.height, self.clips.width)
        kept: list[tuple[float, ClipSource]] = list(self.videos)
        held: list[tuple[float, ClipSource]] = []
        if self.pictures:
            parted = [(w, open_pictures(folder).split(HELD_OUT)) for w, folder in self.pictures]
            weight = sum(w for w, _ in parted)
            training = blended([(w, kept_apart) for w, (kept_apart, _) in parted])
            kept.append((weight, SyntheticClips(training, self.clips)))
            held_out = [(w, other) for w, (_, other) in parted if len(other)]
            if held_out:
                held.append((weight, SyntheticClips(blended(held_out), self.clips)))
        if self.motion:
            motion = MotionClips(size, self.clips.frames, leaps=self.clips.leaps)
            kept.append((self.motion, motion))
            if not held:
                held.append((self.motion, replace(motion, first_seed=HELD_OUT_MOTION)))
        if not kept:
            raise InputError("nothing to train on: name a folder of pictures, or videos")
        return _joined(kept), _joined(held) if held else None


def _joined(parts: list[tuple[float, ClipSource]]) -> ClipSource:
    return parts[0][1] if len(parts) == 1 else Mixture(tuple(parts))


def prepare(
    recipe: Recipe,
    data: TrainingData,
    cache: Path,
    folder: Path,
    *,
    start: Path | None = None,
    backbone: Path | None = None,
    device: torch.device = CPU,
) -> TrainingJob:
    """Make a training ready to run with :func:`.loop.train`.

    Args:
        cache: folder of encoded clips; may be shared by all trainings.
        folder: of this training's state.
        start: checkpoint whose refiner is taken over; with a recipe that trains the gate only,
            all but the gate is; with one that has no second stage, the reuse modules too, which
            rest.
        backbone: see :func:`build_network`.

    Raises:
        InputError: unknown model, missing data or weights, or a checkpoint that doesn't fit.
    """
    return gather(recipe, data, cache, backbone, device).job(folder, start)


@dataclass(frozen=True)
class Gathered:
    """A network and its data, before anything that takes time."""

    recipe: Recipe
    network: FrtmNetwork
    pool: ClipPool
    validation: ClipPool | None
    videos: ClipPool | None

    def job(self, folder: Path, start: Path | None) -> TrainingJob:
        """The training; arguments and errors as those of :func:`prepare`."""
        if start is not None:
            _take_over(self.network, start, self.recipe, self.pool)
        reuse, network = self.recipe.reuse, self.network
        if start is None and self.recipe.segmentation is None and not self.recipe.joint:
            raise InputError(
                "a recipe without the segmentation stage needs a checkpoint to start from"
            )
        if (
            reuse is not None
            and reuse.gate_only
            and reuse.gate.rate is None
            and self.recipe.segmentation is None
            and isinstance(network, GatedFrtmNetwork)
        ):
            job: TrainingJob = GateJob(self.recipe, network, self.pool, self.validation, folder)
        else:
            job = FrtmJob(self.recipe, network, self.pool, self.validation, folder)
        return replace(job, videos=self.videos)


def gather(
    recipe: Recipe, data: TrainingData, cache: Path, backbone: Path | None, device: torch.device
) -> Gathered:
    """The first part of :func:`prepare`: nothing is drawn or encoded yet."""
    network = build_network(recipe.model, recipe.seed, backbone)
    encoder = data.encoder(network.feature_extractor, network.config.target, device)
    network.to(device)
    training, held_out = data.sources()
    pool = data.pool(training, encoder, cache, recipe.clips, device)
    scored = data.scored(held_out, encoder, cache, recipe.clips, device=device)
    return Gathered(recipe, network, pool, *scored)


def check_start(start: Path, model: str, *, gate_only: bool) -> None:
    """Refuse a checkpoint that a training of ``model`` can't take over, by names and shapes.

    Raises:
        InputError: not a checkpoint, or one of another architecture.
    """
    tensors = read_checkpoint(start).tensors
    with torch.device("meta"):
        own = make_frtm(config_of(model)).state_dict()
    taken = ("refiner.", "Tmatching.", "Convert_Diff.") if gate_only else ("refiner.",)
    optional = () if gate_only else ("refiner.Diff_process.",)
    needed = [k for k in own if k.startswith(taken) and not k.startswith(optional)]
    unfit = [k for k in needed if k not in tensors or tensors[k].shape != own[k].shape]
    if unfit:
        raise InputError(
            f"{start} was made for another network than {model}: {len(unfit)} of {len(needed)} "
            f"tensors are missing or of another shape ({unfit[0]})"
        )


def _take_over(network: FrtmNetwork, start: Path, recipe: Recipe, pool: ClipPool) -> None:
    tensors = read_checkpoint(start).tensors
    reuse = recipe.reuse
    try:
        if isinstance(network, GatedFrtmNetwork) and (reuse is None or reuse.gate_only):
            load_network(network, tensors, pool.statistics, gate=reuse is None)
        else:
            load_refiner(network, tensors, pool.statistics)
    except RuntimeError as error:
        raise InputError(f"{start} was made for another network than {recipe.model}") from error
