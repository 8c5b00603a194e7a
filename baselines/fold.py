"""Make a trained network ready for inference: same function, fewer operations."""

from __future__ import annotations

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(module: nn.Module) -> None:
    """Fold every batch norm into the convolution that it follows directly, in place.

    Convolution and norm are found as neighbours among a module's children, which is how ResNets,
    the refiner and the gate are built; norms that also hold an activation (EfficientNet) keep it.
    """
    for child in module.children():
        fold_batch_norms(child)
    children = list(module.named_children())
    for (name, conv), (norm_name, norm) in pairwise(children):
        if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
            continue
        activation = getattr(norm, "act", None)
        setattr(module, name, fuse_conv_bn_eval(conv, norm))
        setattr(module, norm_name, nn.Identity() if activation is None else activation)
