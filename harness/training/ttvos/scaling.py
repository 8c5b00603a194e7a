"""TTVOS learns on features of unit size; what is saved reads them as the backbone gives them.

Some layers read features through 3×3 convolutions, at whose zero border a shift of the features
would not go into a bias. So features are scaled and not shifted; those of EfficientNet-Lite, which
are outputs of linear layers, have small means anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from vosbench.baselines.ttvos.network import Ttvos
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import LevelStatistics


def _size(level: LevelStatistics) -> Tensor:
    """Root mean square of each channel, (C,)."""
    return (level.mean.square() + level.std.square()).sqrt()


def scaled(clip: EncodedClip, statistics: Sequence[LevelStatistics]) -> EncodedClip:
    """The clip with f4, f8, f16 of unit size; f32 and scores, which TTVOS lacks, as they are."""
    f4, f8, f16 = (
        (x / _size(level).view(1, -1, 1, 1)).contiguous(memory_format=torch.channels_last)
        for x, level in zip(clip.levels[:3], statistics[:3], strict=True)
    )
    return EncodedClip(f4, f8, f16, clip.f32, clip.scores, clip.masks)


def _readers(
    network: Ttvos, statistics: Sequence[LevelStatistics]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of the weights that read features, (out, C, k, k), and the size of their channels."""
    s4, s8, s16, _ = (_size(level) for level in statistics)
    vos = network.vos
    for branch in (vos.gcm.conv_key, vos.gcm.conv_val, vos.gcq.conv_val, vos.gcq.conv_feat):
        first = branch[0]
        assert isinstance(first, nn.Conv2d)
        yield first.weight[:, : len(s8)], s8
    yield vos.refine.conv_s16.conv.weight[:, -len(s16) :], s16  # behind the masks
    yield vos.refine.blend_s16.conv.weight[:, : len(s16)], s16
    yield vos.refine.conv_s4.conv.weight, s4


@torch.no_grad()
def read_raw(network: Ttvos, statistics: Sequence[LevelStatistics]) -> None:
    """Turn a network that reads scaled features into one that reads raw ones, in place."""
    for weight, size in _readers(network, statistics):
        weight.div_(size.view(1, -1, 1, 1))


@torch.no_grad()
def load_saved(
    network: Ttvos, state: Mapping[str, Tensor], statistics: Sequence[LevelStatistics]
) -> None:
    """Load what a saved network has, and let it read scaled features.

    Reuse modules stay as they are where either network has none. Raises RuntimeError if shapes
    differ.
    """
    own = network.state_dict()
    saved = {k: v.float() for k, v in state.items() if k in own}
    network.load_state_dict(own | saved)
    for weight, size in _readers(network, statistics):
        weight.mul_(size.view(1, -1, 1, 1))
