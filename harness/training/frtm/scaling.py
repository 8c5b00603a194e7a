"""Networks learn on normalised features; what is saved reads them as the backbone gives them.

Every layer that reads features begins with a 1×1 convolution, so mean and standard deviation of
each channel go into its weights without any change of the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from vosbench.baselines.frtm.network import FrtmNetwork, GatedFrtmNetwork
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import LevelStatistics

_LEVELS = ("layer2", "layer3", "layer4", "layer5")  # f4, f8, f16, f32
_F8 = 1


def normalised(clip: EncodedClip, statistics: Sequence[LevelStatistics]) -> EncodedClip:
    """The clip with features of mean 0 and standard deviation 1."""
    f4, f8, f16, f32 = (
        ((x - s.mean.view(1, -1, 1, 1)) / s.std.view(1, -1, 1, 1)).contiguous(
            memory_format=torch.channels_last
        )
        for x, s in zip(clip.levels, statistics, strict=True)
    )
    return EncodedClip(f4, f8, f16, f32, clip.scores, clip.masks)


def _readers_of_refiner(
    network: FrtmNetwork, statistics: Sequence[LevelStatistics]
) -> Iterator[tuple[nn.Conv2d, LevelStatistics]]:
    for name, level in zip(_LEVELS, statistics, strict=True):
        first = network.refiner.TSE[name].get_submodule("reduce.0")
        assert isinstance(first, nn.Conv2d)
        yield first, level


def _readers(
    network: FrtmNetwork, statistics: Sequence[LevelStatistics]
) -> Iterator[tuple[nn.Conv2d, LevelStatistics]]:
    yield from _readers_of_refiner(network, statistics)
    if isinstance(network, GatedFrtmNetwork):
        template, matching = network.Tmatching.Tgenerate, network.Tmatching.Tmatching
        for branch in (template.conv_key, template.conv_val, matching.conv_key, matching.conv_feat):
            first = branch[0]
            assert isinstance(first, nn.Conv2d)
            yield first, statistics[_F8]


@torch.no_grad()
def read_raw(network: FrtmNetwork, statistics: Sequence[LevelStatistics]) -> None:
    """Turn a network that reads normalised features into one that reads raw ones, in place."""
    for conv, level in _readers(network, statistics):
        weight, bias = _features_part(conv, level)
        weight /= level.std
        bias -= weight @ level.mean


@torch.no_grad()
def load_refiner(
    network: FrtmNetwork, state: Mapping[str, Tensor], statistics: Sequence[LevelStatistics]
) -> None:
    """Load the refiner of a saved network, and let it read normalised features.

    A translator is loaded where both networks have one. Raises RuntimeError if shapes differ.
    """
    _load(network.refiner, "refiner.", state)
    _read_normalised(_readers_of_refiner(network, statistics))


@torch.no_grad()
def load_network(
    network: GatedFrtmNetwork,
    state: Mapping[str, Tensor],
    statistics: Sequence[LevelStatistics],
    *,
    gate: bool,
) -> None:
    """Load a saved network, as far as it has its layers, and let it read normalised features.

    ``gate`` False leaves the gate as it is. Raises RuntimeError if shapes differ.
    """
    _load(network.refiner, "refiner.", state)
    _load(network.Tmatching, "Tmatching.", state)
    _load(network.Convert_Diff, "Convert_Diff.", state)
    if gate:
        _load(network.convGS, "convGS.", state)
    _read_normalised(_readers(network, statistics))


def _load(module: nn.Module, prefix: str, state: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    saved = {k.removeprefix(prefix): v.float() for k, v in state.items() if k.startswith(prefix)}
    module.load_state_dict({name: saved.get(name, own[name]) for name in own})


def _read_normalised(readers: Iterable[tuple[nn.Conv2d, LevelStatistics]]) -> None:
    for conv, level in readers:
        weight, bias = _features_part(conv, level)
        bias += weight @ level.mean
        weight *= level.std


def _features_part(conv: nn.Conv2d, level: LevelStatistics) -> tuple[Tensor, Tensor]:
    """Weights (out, C) that read features, without a mask's channel behind them; and the bias."""
    assert conv.bias is not None
    return conv.weight[:, : len(level.mean), 0, 0], conv.bias
