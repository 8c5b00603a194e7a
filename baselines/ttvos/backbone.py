"""TTVOS's feature extractors: to 1/16 only, the ResNets' last blocks there dilated."""

from __future__ import annotations

from torch import nn

from vosbench.baselines.backbones import Backbone, EfficientNetLite, ResNet, make_backbone

_DILATED_BLOCKS = slice(4, 6)
"""Blocks 4 and 5 of layer3, counted from 0; a ResNet-18 has no such blocks."""

_LITE_BLOCKS = 5
"""Blocks of EfficientNet-Lite up to 1/16."""


def make_ttvos_backbone(name: str) -> Backbone:
    """Build a backbone whose deepest level is ``third_level``, with untrained weights.

    ``first`` gives s4, s8 and ``third_level`` gives s16 (paper's names); ``second`` is gone. Keys
    of the state dict are torchvision's or timm's, which the published TTVOS uses as well. Raises
    KeyError for unknown names.
    """
    backbone = make_backbone(name)
    if isinstance(backbone, ResNet):
        del backbone.layer4
        for block in list(backbone.get_submodule("layer3").children())[_DILATED_BLOCKS]:
            conv = block.conv2
            assert isinstance(conv, nn.Conv2d)
            conv.dilation, conv.padding = (2, 2), (2, 2)
    elif isinstance(backbone, EfficientNetLite):
        del backbone.blocks[_LITE_BLOCKS:]
    return backbone
