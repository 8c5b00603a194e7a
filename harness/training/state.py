"""The state of a training on disk: all that a resumed run needs to go on bit for bit."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vosbench.baselines.atomic import replacing
from vosbench.baselines.checkpoints import BACKBONES
from vosbench.baselines.errors import InputError


@dataclass(frozen=True)
class CurvePoint:
    """A value of a named series after so many steps (of all stages)."""

    step: int
    name: str
    value: float


@dataclass
class TrainingState:
    """Where a training stands; changed by the loop alone.

    Attributes:
        key: hash of recipe, data and starting weights; a state serves one training only.
        stage: index of the stage.
        step: steps done in this stage.
        network: weights but for the backbone.
        optimiser: its state dict; None at the beginning of a stage.
        curve: losses and validation so far.
        elapsed_s: time spent, over all runs.
        best, best_value: weights of this stage that validation liked best, where it chooses.
        best_step: the step, counted over all stages, that they were the weights of.
    """

    key: str
    network: dict[str, Tensor]
    stage: int = 0
    step: int = 0
    optimiser: dict[str, Any] | None = None
    curve: list[CurvePoint] = field(default_factory=list)
    elapsed_s: float = 0.0
    best: dict[str, Tensor] | None = None
    best_value: float | None = None
    best_step: int | None = None


def own_weights(network: nn.Module) -> dict[str, Tensor]:
    """Copies, on the CPU, of all tensors of a network but the frozen backbone's."""
    return {
        name: tensor.detach().to("cpu", copy=True)
        for name, tensor in network.state_dict().items()
        if not name.startswith(BACKBONES)
    }


def load_own_weights(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """Undo :func:`own_weights`."""
    backbone = {k: v for k, v in network.state_dict().items() if k.startswith(BACKBONES)}
    network.load_state_dict(backbone | weights)


def save_state(state: TrainingState, path: Path) -> None:
    """Write whole or not at all."""
    plain = dict(vars(state)) | {
        "curve": [(point.step, point.name, point.value) for point in state.curve]
    }
    with replacing(path) as temporary:
        torch.save(plain, temporary)


def load_state(path: Path, key: str) -> TrainingState:
    """Read a state; InputError if it is damaged or belongs to another training."""
    try:
        plain = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is damaged: remove it to start afresh ({error})") from error
    if plain["key"] != key:
        raise InputError(
            f"{path} belongs to a training with another recipe or other data: "
            "remove it, or choose another folder"
        )
    plain["curve"] = [CurvePoint(*point) for point in plain["curve"]]
    return TrainingState(**plain)
