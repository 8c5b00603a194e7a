"""The end of a training: a small checkpoint of our own tensors, with its provenance."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vosbench.baselines.checkpoints import BACKBONES, write_checkpoint
from vosbench.baselines.frtm.network import FrtmNetwork
from vosbench.harness.store import VALIDATION
from vosbench.harness.training.data.pool import LevelStatistics
from vosbench.harness.training.frtm.scaling import read_raw
from vosbench.harness.training.recipe import Recipe
from vosbench.harness.training.state import TrainingState, own_weights


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as a checkpoint keeps them: floating-point ones in half precision."""
    return {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in tensors.items()
    }


def with_backbone(own: Mapping[str, Tensor], network: nn.Module) -> Mapping[str, Tensor]:
    """The tensors of a checkpoint and the network's backbone: in half precision if that is exact,
    as for one that was distilled, else as it is.
    """
    frozen = {
        k: v.cpu().contiguous() for k, v in network.state_dict().items() if k.startswith(BACKBONES)
    }
    half = halved(frozen)
    exact = all(half[name].to(tensor.dtype).equal(tensor) for name, tensor in frozen.items())
    return {**(half if exact else frozen), **own}


def shipped_tensors(
    network: FrtmNetwork, statistics: Sequence[LevelStatistics]
) -> Mapping[str, Tensor]:
    """Half-precision tensors of a trained network, without the backbone, for raw features."""
    raw = copy.deepcopy(network)
    read_raw(raw, statistics)
    return halved(own_weights(raw))


def save(
    path: Path,
    network: FrtmNetwork,
    statistics: Sequence[LevelStatistics],
    *,
    recipe: Recipe,
    state: TrainingState,
    data_sha256: str,
    note: str,
    whole: bool = False,
) -> None:
    """Write a finished training's checkpoint, with its provenance in the header.

    ``whole`` adds the backbone: for one that others can't have from ImageNet's weights.
    """
    told = header(recipe, state, network.config.backbone, data_sha256, note)
    tensors = shipped_tensors(network, statistics)
    write_checkpoint(path, with_backbone(tensors, network) if whole else tensors, told)


def header(
    recipe: Recipe, state: TrainingState, backbone: str, data_sha256: str, note: str
) -> Mapping[str, str]:
    """Provenance of a checkpoint.

    It tells the model, its recipe, the data, steps and minutes, on how many cores, and what the
    weights are (``note``).
    """
    told = {
        "architecture": recipe.model,
        "backbone": backbone,
        "recipe": recipe.to_json(),
        "data_sha256": data_sha256,
        "steps": str(recipe.steps),
        "minutes": f"{state.elapsed_s / 60:.1f}",
        "cores": str(torch.get_num_threads()),
        "validation": json.dumps(_validation(state)),
        "trained": "true",
        "note": note,
    }
    if state.best_step is not None:
        told["chosen_step"] = str(state.best_step)
    gate = None if recipe.reuse is None else recipe.reuse.gate
    if gate is not None and gate.rate is None:
        told["margins"] = f"{gate.m1:g},{gate.m2:g}"
    return told


def _validation(state: TrainingState) -> dict[str, float]:
    """Each series at the step whose weights these are: the chosen one, or else the newest."""
    chosen = state.best_step
    points = [
        point
        for point in state.curve
        if point.name.startswith(VALIDATION) and (chosen is None or point.step == chosen)
    ]
    return {point.name.removeprefix(VALIDATION): round(point.value, 4) for point in points}
