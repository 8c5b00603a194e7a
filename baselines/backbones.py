"""Feature extractors, run in two halves: input → f4, f8, and f8 → f16, f32.

A reused frame skips the second half (paper, section 3.1). ``fN`` is a feature map at 1/N of the
input's size. All are frozen and in eval mode. Layer names are those of torchvision and timm, so
that published ImageNet weights load as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from vosbench.baselines import efficientnet, resnet

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
    """Name, channels, and the input statistics the weights were trained with (of 0..1 RGB).

    ``stem`` is the number of channels at 1/2, before the four levels.
    """

    name: str
    stem: int
    channels: Channels
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Backbone(nn.Module):
    """A frozen feature extractor in two halves.

    Subclasses give :meth:`_stem` over normalised input, and the levels that follow.
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
        """Run the first half: RGB 0..255 (B, 3, H, W) → f4, f8."""
        f4 = self._first_level(self._stem(self._normalised(image)))
        return f4, self._second_level(f4)

    def early(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run all but the last level, and keep the stem: RGB (B, 3, H, W) → f2, f4, f8, f16."""
        f2 = self._stem(self._normalised(image))
        f4 = self._first_level(f2)
        f8 = self._second_level(f4)
        return f2, f4, f8, self.third_level(f8)

    def _normalised(self, image: Tensor) -> Tensor:
        x = image.to(self.mean.dtype) / 255
        return (x - self.mean) / self.std

    def second(self, f8: Tensor) -> tuple[Tensor, Tensor]:
        """Run the second half: f8 → f16, f32."""
        f16 = self.third_level(f8)
        return f16, self.fourth_level(f16)

    def _stem(self, x: Tensor) -> Tensor:
        """Normalised RGB → f2."""
        raise NotImplementedError

    def _first_level(self, f2: Tensor) -> Tensor:
        """f2 → f4."""
        raise NotImplementedError

    def _second_level(self, f4: Tensor) -> Tensor:
        """f4 → f8."""
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
    """ResNet-18, -50 or -101 without pooling and classifier; torchvision's keys."""

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        for name, module in resnet.stem().items():
            self.add_module(name, module)
        for index in range(4):
            self.add_module(f"layer{index + 1}", resnet.layer(spec.name, index))

    def _stem(self, x: Tensor) -> Tensor:
        x = self.get_submodule("bn1")(self.get_submodule("conv1")(x))
        f2: Tensor = self.get_submodule("relu")(x)
        return f2

    def _first_level(self, f2: Tensor) -> Tensor:
        f4: Tensor = self.get_submodule("layer1")(self.get_submodule("maxpool")(f2))
        return f4

    def _second_level(self, f4: Tensor) -> Tensor:
        f8: Tensor = self.get_submodule("layer2")(f4)
        return f8

    def third_level(self, f8: Tensor) -> Tensor:
        f16: Tensor = self.get_submodule("layer3")(f8)
        return f16

    def fourth_level(self, f16: Tensor) -> Tensor:
        f32: Tensor = self.get_submodule("layer4")(f16)
        return f32


class EfficientNetLite(Backbone):
    """EfficientNet-Lite0 without its head; keys are those of timm's ``tf_efficientnet_lite0``."""

    _LEVELS = ((0, 1), (1, 2), (2, 3), (3, 5), (5, 7))  # blocks that end in f2, f4, f8, f16, f32

    def __init__(self, spec: BackboneSpec) -> None:
        super().__init__(spec)
        self.conv_stem = efficientnet.stem()
        self.bn1 = efficientnet.NormAct(efficientnet.STEM)
        self.blocks = efficientnet.stages()

    def _level(self, index: int, x: Tensor) -> Tensor:
        start, end = self._LEVELS[index]
        for block in self.blocks[start:end]:
            x = block(x)
        return x

    def _stem(self, x: Tensor) -> Tensor:
        return self._level(0, self.bn1(self.conv_stem(x)))

    def _first_level(self, f2: Tensor) -> Tensor:
        return self._level(1, f2)

    def _second_level(self, f4: Tensor) -> Tensor:
        return self._level(2, f4)

    def third_level(self, f8: Tensor) -> Tensor:
        return self._level(3, f8)

    def fourth_level(self, f16: Tensor) -> Tensor:
        return self._level(4, f16)


_RESNETS = {
    name: Channels(*(resnet.expansion(name) * width for width in resnet.WIDTHS))
    for name in resnet.BLOCKS
}
_KINDS: dict[str, tuple[Callable[[BackboneSpec], Backbone], BackboneSpec]] = {
    name: (ResNet, BackboneSpec(name, resnet.STEM, channels, *_IMAGENET))
    for name, channels in _RESNETS.items()
} | {
    "tf_efficientnet_lite0": (
        EfficientNetLite,
        BackboneSpec("tf_efficientnet_lite0", 16, Channels(24, 40, 112, 320), *_HALF),
    )
}


def backbone_spec(name: str) -> BackboneSpec:
    """Look up a backbone's channels and input statistics; raises KeyError for unknown names."""
    return _KINDS[name][1]


def make_backbone(name: str) -> Backbone:
    """Build a backbone with untrained weights; raises KeyError for unknown names."""
    kind, spec = _KINDS[name]
    return kind(spec).eval().requires_grad_(False)
