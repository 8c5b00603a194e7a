"""Feature extractors, run in two halves: input → f4, f8, and f8 → f16, f32.

A reused frame skips the second half (paper, section 3.1). ``fN`` is a feature map at 1/N of the
input's size. All are frozen and in eval mode. Layer names are those of torchvision and timm, so
that published ImageNet weights load as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import timm
import torch
import torchvision
from torch import Tensor, nn

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


class Channels(NamedTuple):
    """Channels of the four levels."""

    f4: int
    f8: int
    f16: int
    f32: int


@dataclass(frozen=True)
class BackboneSpec:
    """Name, channels, and the input statistics the weights were trained with (of 0..1 RGB)."""

    name: str
    channels: Channels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Backbone(nn.Module):
    """A frozen feature extractor in two halves.

    Subclasses give :meth:`_first` and :meth:`_second` over normalised input.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__()
        self.spec = spec
        # Non-persistent: published state dicts hold the layers only.
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    def first(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Run the first half: uint8 RGB (B, 3, H, W) → f4, f8."""
        x = image.to(self.mean.dtype) / 255
        return self._first((x - self.mean) / self.std)

    def second(self, f8: Tensor) -> tuple[Tensor, Tensor]:
        """Run the second half: f8 → f16, f32."""
        f16 = self.third_level(f8)
        return f16, self.fourth_level(f16)

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def third_level(self, f8: Tensor) -> Tensor:
        """f8 → f16; all that the target model needs of an augmented first frame."""
        raise NotImplementedError

    def fourth_level(self, f16: Tensor) -> Tensor:
        """f16 → f32."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 - frozen: batch norm stays in eval
        """Stay in eval mode whatever the network around it does."""
        return super().train(False)


class ResNet(Backbone):
    """torchvision's ResNet-18, -50 or -101 without pooling and classifier; torchvision's keys."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        whole = getattr(torchvision.models, spec.name)(weights=None)
        for layer in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            self.add_module(layer, getattr(whole, layer))

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.get_submodule("bn1")(self.get_submodule("conv1")(x))
        x = self.get_submodule("maxpool")(self.get_submodule("relu")(x))
        f4: Tensor = self.get_submodule("layer1")(x)
        return f4, self.get_submodule("layer2")(f4)

    def third_level(self, f8: Tensor) -> Tensor:
        f16: Tensor = self.get_submodule("layer3")(f8)
        return f16

    def fourth_level(self, f16: Tensor) -> Tensor:
        f32: Tensor = self.get_submodule("layer4")(f16)
        return f32


class EfficientNetLite(Backbone):
    """timm's ``tf_efficientnet_lite0`` without its head; timm's keys."""

    _LEVELS = ((0, 2), (2, 3), (3, 5), (5, 7))  # blocks that end in f4, f8, f16, f32

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        whole: Any = timm.create_model(spec.name, pretrained=False)
        self.conv_stem: nn.Module = whole.conv_stem
        self.bn1: nn.Module = whole.bn1
        self.blocks: nn.Sequential = whole.blocks

    def _level(self, index: int, x: Tensor) -> Tensor:
        start, end = self._LEVELS[index]
        for block in self.blocks[start:end]:
            x = block(x)
        return x

    def _first(self, x: Tensor) -> tuple[Tensor, Tensor]:
        f4 = self._level(0, self.bn1(self.conv_stem(x)))  # timm's bn1 holds the activation
        return f4, self._level(1, f4)

    def third_level(self, f8: Tensor) -> Tensor:
        return self._level(2, f8)

    def fourth_level(self, f16: Tensor) -> Tensor:
        return self._level(3, f16)


_RESNETS = {
    "resnet18": Channels(64, 128, 256, 512),
    "resnet50": Channels(256, 512, 1024, 2048),
    "resnet101": Channels(256, 512, 1024, 2048),
}
_KINDS: dict[str, tuple[Callable[[BackboneSpec], Backbone], BackboneSpec]] = {
    name: (ResNet, BackboneSpec(name, channels, *_IMAGENET)) for name, channels in _RESNETS.items()
} | {
    "tf_efficientnet_lite0": (
        EfficientNetLite,
        BackboneSpec("tf_efficientnet_lite0", Channels(24, 40, 112, 320), *_HALF),
    )
}


def backbone_spec(name: str) -> BackboneSpec:
    """Look up a backbone's channels and input statistics; raises KeyError for unknown names."""
    return _KINDS[name][1]


def make_backbone(name: str) -> Backbone:
    """Build a backbone with untrained weights; raises KeyError for unknown names."""
    kind, spec = _KINDS[name]
    return kind(spec).eval().requires_grad_(False)
