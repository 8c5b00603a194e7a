"""A backbone that isn't ImageNet's travels with the checkpoints that need it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vosbench.baselines import imagenet
from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.checkpoints import backbone_of, read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.network import FRTM_FAST, G_FRTM_FAST
from vosbench.harness.training import assemble
from vosbench.harness.training.checkpoint import halved
from vosbench.harness.training.loop import Cadence
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import DataRequest, TrainingRequest
from vosbench.harness.training.trainers import trainer_of
from vosbench.runners.interface import RunnerOptions
from vosbench.runners.registry import resolve

STAGE = StageRecipe(1, batch=1)
DATA = DataRequest(motion=1.0, height=64, width=96, frames=2)


@pytest.fixture
def no_imagenet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without torchvision's weights, and a target model that is fitted at once."""
    monkeypatch.setattr(imagenet, "_cached", lambda name: tmp_path / "nowhere" / name)
    for config in (FRTM_FAST, G_FRTM_FAST):
        target = replace(config.target, joint_steps=(1,), filter_iterations=1)
        name = "g-frtm-fast" if config.gated else "frtm-fast"
        monkeypatch.setitem(assemble.CONFIGS, name, replace(config, target=target))


def backbone(precision: torch.dtype) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        tensors = make_backbone("resnet18").state_dict()
    return {k: v.to(precision) if v.is_floating_point() else v for k, v in tensors.items()}


def trained(request: TrainingRequest, folder: Path) -> Path:
    opened = trainer_of(request.recipe.model).open(request, folder / "cache")
    state = opened.train(folder / "state", Cadence(), lambda news: None)
    opened.save(folder / "out.safetensors", state, "")
    return folder / "out.safetensors"


@pytest.mark.usefixtures("no_imagenet")
def test_it_goes_into_the_checkpoint_and_on_to_the_next_stage(tmp_path: Path) -> None:
    own = backbone(torch.float16)
    torch.save(own, tmp_path / "own.pth")
    first = TrainingRequest(
        Recipe("frtm-fast", STAGE, None, clips=2), DATA, backbone=str(tmp_path / "own.pth")
    )
    path = trained(first, tmp_path / "first")
    held = backbone_of(read_checkpoint(path).tensors)
    assert set(held) == set(own)
    assert all(tensor.equal(own[name]) for name, tensor in held.items())
    resolve("frtm-fast").build(RunnerOptions(weights=str(path)))  # needs nothing but the file
    reuse = ReuseRecipe(STAGE, gaps=(1,))
    second = TrainingRequest(Recipe("g-frtm-fast", None, reuse, clips=2), DATA, start=str(path))
    path = trained(second, tmp_path / "second")
    held = backbone_of(read_checkpoint(path).tensors)
    assert all(held[name].equal(tensor) for name, tensor in own.items())
    resolve("g-frtm-fast").build(RunnerOptions(weights=str(path), tau=Decimal(1)))


@pytest.mark.usefixtures("no_imagenet")
def test_what_half_precision_would_change_is_kept_as_it_is(tmp_path: Path) -> None:
    own = backbone(torch.float32)
    assert not all(halved(own)[k].float().equal(v.float()) for k, v in own.items())
    torch.save(own, tmp_path / "own.pth")
    request = TrainingRequest(
        Recipe("frtm-fast", STAGE, None, clips=2), DATA, backbone=str(tmp_path / "own.pth")
    )
    held = backbone_of(read_checkpoint(trained(request, tmp_path / "first")).tensors)
    assert all(held[name].equal(tensor) for name, tensor in own.items())


@pytest.mark.usefixtures("no_imagenet")
def test_without_one_imagenets_is_asked_for() -> None:
    request = TrainingRequest(Recipe("frtm-fast", STAGE, None, clips=2), DATA)
    with pytest.raises(InputError, match="no ImageNet weights of resnet18"):
        trainer_of("frtm-fast").open(request, Path("unused"))
