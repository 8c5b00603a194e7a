"""Find the parameters a runner asks for: random, shipped with the package, or from a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from vosbench.baselines.checkpoints import (
    CheckpointFile,
    hash_tensors,
    load_into,
    random_tensors,
    read_checkpoint,
)
from vosbench.baselines.errors import InputError
from vosbench.baselines.imagenet import imagenet_state_dict
from vosbench.runners.interface import RunnerOptions, WeightsInfo
from vosbench.runners.shipped import DEMONSTRATION, is_demonstration, shipped_path


@dataclass(frozen=True)
class KeyLayout:
    """How a family's state dict is laid out.

    Attributes:
        backbone: prefix of the feature extractor's keys; a checkpoint without them is completed
            by ImageNet weights.
        reuse: prefixes of what a gated checkpoint holds beyond its plain model, which may load it.
    """

    backbone: str
    reuse: tuple[str, ...]


def load_weights(
    network: nn.Module, model: str, backbone: str, options: RunnerOptions, keys: KeyLayout
) -> WeightsInfo:
    """Fill ``network`` with what ``options.weights`` names, and say what that was.

    Raises InputError if there are no such weights or they belong to another architecture.
    """
    name = options.weights
    if name is not None and name.startswith("random"):
        return _random(network, name)
    path = shipped_path(model, options.variant) if name is None else Path(name)
    if path is None:
        wanted = f"{model}@{options.variant}" if options.variant else model
        raise InputError(
            f"no weights for {wanted} come with this package: give --weights FILE, "
            "or --weights random:0 to run it untrained"
        )
    checkpoint = read_checkpoint(path)
    tensors = {key: value.float() for key, value in checkpoint.tensors.items()}
    own = network.state_dict()
    if not any(key.startswith(keys.backbone) for key in tensors):
        features = {keys.backbone + k: v for k, v in imagenet_state_dict(backbone).items()}
        tensors |= {key: value for key, value in features.items() if key in own}
    gated = any(key.startswith(keys.reuse) for key in own)
    load_into(network, tensors, str(path), ignored=() if gated else keys.reuse)
    return _described(network, path, checkpoint, shipped=name is None)


def _random(network: nn.Module, name: str) -> WeightsInfo:
    if not re.fullmatch(r"random:\d+", name):
        raise InputError(f"--weights {name}: write random:SEED, e.g. random:0")
    drawn = random_tensors(network, int(name.partition(":")[2]))
    network.load_state_dict(drawn)
    return WeightsInfo(name, hash_tensors(drawn), trained=False, note="untrained")


def _described(
    network: nn.Module, path: Path, checkpoint: CheckpointFile, shipped: bool
) -> WeightsInfo:
    header, read_as = checkpoint.header, checkpoint.read_as
    state: dict[str, Tensor] = network.state_dict()
    # In the name, so that every table and file that names the weights says so.
    remark = f" ({DEMONSTRATION})" if is_demonstration(header) else ""
    return WeightsInfo(
        name=f"shipped:{path.stem}{remark}" if shipped else path.name,
        sha256=hash_tensors(state),
        trained=header.get("trained", "true") == "true",
        margins=header.get("margins"),
        note=header.get("note", ""),
        provenance=dict(header) | ({"read_as": read_as} if read_as else {}),
    )
