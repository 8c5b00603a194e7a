"""ResNets without pooling and classifier, with torchvision's layer names.

Written out here because importing torchvision takes longer than everything else that a command
needs; tests hold them against torchvision's networks, bit for bit.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; the stride of a
bottleneck is in its 3×3 convolution, as torchvision has it.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

STEM = 64
WIDTHS = (64, 128, 256, 512)
"""Width of the blocks of layer1 to layer4; a bottleneck gives four times as many channels."""
BLOCKS: Mapping[str, tuple[int, int, int, int]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}


def expansion(name: str) -> int:
    """Channels that a block gives, in units of its width."""
    return 1 if name == "resnet18" else 4


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(made.weight, mode="fan_out", nonlinearity="relu")
    return made


class _ResidualBlock(nn.Module):
    """What both kinds of block share: how the shortcut joins."""

    relu: nn.ReLU
    downsample: nn.Sequential | None

    def _added(self, x: Tensor, change: Tensor) -> Tensor:
        change += x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(change)
        return out


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """A projection where the size changes."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(_conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class BasicBlock(_ResidualBlock):
    """Two 3×3 convolutions."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        return self._added(x, self.bn2(self.conv2(y)))


class Bottleneck(_ResidualBlock):
    """A 3×3 convolution between two 1×1 ones."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(inputs, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, 4 * width, 1)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, 4·width, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self._added(x, self.bn3(self.conv3(y)))


def stem() -> dict[str, nn.Module]:
    """The layers before the blocks, by name, in order: 3 channels → 64 at 1/4."""
    return {
        "conv1": _conv(3, STEM, 7, stride=2),
        "bn1": nn.BatchNorm2d(STEM),
        "relu": nn.ReLU(inplace=True),
        "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
    }


def layer(name: str, index: int) -> nn.Sequential:
    """One of layer1 (index 0) to layer4 (index 3) of the network ``name``."""
    block = BasicBlock if expansion(name) == 1 else Bottleneck
    width = WIDTHS[index]
    outputs = expansion(name) * width
    inputs = STEM if index == 0 else expansion(name) * WIDTHS[index - 1]
    blocks = [block(inputs, width, 1 if index == 0 else 2)]
    blocks += [block(outputs, width, 1) for _ in range(BLOCKS[name][index] - 1)]
    return nn.Sequential(*blocks)
