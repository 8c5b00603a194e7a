"""Backbones against the libraries whose layer names they have, bit for bit."""

from __future__ import annotations

import subprocess
import sys

import pytest
import timm
import torch
import torchvision

from vosbench.baselines.backbones import backbone_spec, make_backbone
from vosbench.baselines.checkpoints import random_tensors
from vosbench.baselines.efficientnet import head

RESNETS = ("resnet18", "resnet50", "resnet101")


def pixels() -> torch.Tensor:
    """Of an odd size, so that padding matters."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (2, 3, 75, 101), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", RESNETS)
def test_resnets_are_torchvisions(name: str) -> None:
    theirs = getattr(torchvision.models, name)(weights=None).eval()
    theirs.load_state_dict(random_tensors(theirs, 3))
    ours = make_backbone(name)
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict(state)
    spec = backbone_spec(name)
    x = pixels().float() / 255
    x = (x - torch.tensor(spec.mean).view(3, 1, 1)) / torch.tensor(spec.std).view(3, 1, 1)
    expected = []
    with torch.no_grad():
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        for layer in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
            x = layer(x)
            expected.append(x)
        f4, f8 = ours.first(pixels())
        found = (f4, f8, *ours.second(f8))
    for one, other, channels in zip(found, expected, spec.channels, strict=True):
        assert torch.equal(one, other)
        assert one.shape[1] == channels


def test_efficientnet_lite0_is_timms() -> None:
    theirs = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    theirs.load_state_dict(random_tensors(theirs, 3))
    ours = make_backbone("tf_efficientnet_lite0")
    assert list(ours.state_dict() | head().state_dict()) == list(theirs.state_dict())
    own = ours.state_dict()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if k in own})
    x = (pixels().float() / 255 - 0.5) / 0.5
    expected = []
    with torch.no_grad():
        x = theirs.bn1(theirs.conv_stem(x))
        for stage in theirs.blocks:
            x = stage(x)
            expected.append(x)
        f4, f8 = ours.first(pixels())
        found = (f4, f8, *ours.second(f8))
    for one, other in zip(found, (expected[i] for i in (1, 2, 4, 6)), strict=True):
        assert torch.equal(one, other)


def test_a_distilled_resnet_starts_as_torchvisions_do() -> None:
    weights = make_backbone("resnet18").state_dict()["layer2.0.conv1.weight"]
    fan_out = weights.shape[0] * 9
    assert weights.std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.02)


def test_models_need_neither_torchvision_nor_timm() -> None:
    """Importing them takes longer than all else."""
    code = (
        "import sys, vosbench.runners.registry as r; from vosbench.runners.interface import *\n"
        "r.resolve('frtm-fast').build(RunnerOptions(weights='random:0'))\n"
        "sys.exit(any(name in sys.modules for name in ('torchvision', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
