"""EfficientNet-Lite0 with timm's layer names (``tf_efficientnet_lite0``).

Written out here for the reason given in :mod:`vosbench.baselines.resnet`; a test holds it against
timm's network, bit for bit.

Source: Tan and Le, "EfficientNet", ICML 2019; the Lite variants (TensorFlow TPU models, 2020) have
ReLU6 in place of swish and no squeeze-and-excitation. Padding is TensorFlow's "same".
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

STEM = 32
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, kernel, stride of the first block, expansion, channels given; by stage."""


class SameConv(nn.Conv2d):
    """A convolution with stride 2, padded as TensorFlow does: what is odd goes to the end."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', ⌈H / 2⌉, ⌈W / 2⌉)."""
        padding = []
        for size, kernel, stride in zip(
            (x.shape[-1], x.shape[-2]), self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            padding += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, 0, 1, self.groups)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    made = (
        nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2, groups=groups, bias=False)
        if stride == 1
        else SameConv(inputs, outputs, kernel, stride, groups=groups, bias=False)
    )
    # Features keep their scale from layer to layer, in the untrained network too.
    nn.init.normal_(made.weight, std=math.sqrt(2 * groups / (kernel * kernel * outputs)))
    return made


class NormAct(nn.BatchNorm2d):
    """A batch norm and the activation after it, which is no layer of its own in timm's names."""

    def __init__(self, channels: int, act: bool = True) -> None:
        super().__init__(channels, eps=1e-3)
        self.act = nn.ReLU6(inplace=True) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        out: Tensor = self.act(super().forward(x))
        return out


class SeparableBlock(nn.Module):
    """The first block: nothing is expanded."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _conv(inputs, inputs, kernel, stride, groups=inputs)
        self.bn1 = NormAct(inputs)
        self.conv_pw = _conv(inputs, outputs, 1)
        self.bn2 = NormAct(outputs, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        out: Tensor = self.bn2(self.conv_pw(self.bn1(self.conv_dw(x))))
        return out


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the size stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * inputs
        self.conv_pw = _conv(inputs, wide, 1)
        self.bn1 = NormAct(wide)
        self.conv_dw = _conv(wide, wide, kernel, stride, groups=wide)
        self.bn2 = NormAct(wide)
        self.conv_pwl = _conv(wide, outputs, 1)
        self.bn3 = NormAct(outputs, act=False)
        self.has_skip = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        y: Tensor = self.bn2(self.conv_dw(self.bn1(self.conv_pw(x))))
        y = self.bn3(self.conv_pwl(y))
        return y + x if self.has_skip else y


def stem() -> nn.Conv2d:
    """RGB → 32 channels at 1/2."""
    return _conv(3, STEM, 3, stride=2)


def stages() -> nn.Sequential:
    """All blocks, by stage."""
    made, inputs = [], STEM
    for count, kernel, stride, expansion, outputs in STAGES:
        blocks: list[nn.Module] = []
        for index in range(count):
            step = stride if index == 0 else 1
            if expansion == 1:
                blocks.append(SeparableBlock(inputs, outputs, kernel, step))
            else:
                blocks.append(InvertedResidual(inputs, outputs, kernel, step, expansion))
            inputs = outputs
        made.append(nn.Sequential(*blocks))
    return nn.Sequential(*made)


def head() -> nn.ModuleDict:
    """What follows the stages in the ImageNet classifier; no backbone has it."""
    outputs = STAGES[-1][-1]
    return nn.ModuleDict(
        {
            "conv_head": _conv(outputs, 1280, 1),
            "bn2": NormAct(1280),
            "classifier": nn.Linear(1280, 1000),
        }
    )
