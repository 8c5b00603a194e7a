"""A folded network computes what the unfolded one does."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from vosbench.baselines.fold import fold_batch_norms
from vosbench.baselines.frtm.network import G_FRTM_FAST, G_FRTM_LITE, FrtmConfig, make_frtm


def stir(module: nn.Module) -> None:
    """Give every batch norm statistics that matter."""
    generator = torch.Generator().manual_seed(3)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.running_mean is not None and part.running_var is not None
            for tensor in (part.running_mean, part.bias.data):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
            for tensor in (part.running_var, part.weight.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))


@pytest.mark.parametrize("config", [G_FRTM_FAST, G_FRTM_LITE])
@torch.inference_mode()
def test_a_folded_network_is_the_same_function(config: FrtmConfig) -> None:
    torch.manual_seed(0)
    network = make_frtm(config)
    stir(network)
    network.double()
    folded = copy.deepcopy(network)
    fold_batch_norms(folded)
    assert sum(type(m) is nn.BatchNorm2d for m in folded.modules()) == 0
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)

    def run(net: nn.Module) -> tuple[Tensor, ...]:
        f4, f8 = net.feature_extractor.first(image)
        f16, f32 = net.feature_extractor.second(f8)
        score = torch.linspace(-1, 1, f16[0, 0].numel(), dtype=f16.dtype).view_as(f16[:, :1])
        refined = net.refiner((f4, f8, f16, f32), score, (64, 96))
        d = torch.linspace(-1, 1, config.match_width * 96, dtype=f16.dtype)
        gate = net.convGS(d.view(1, config.match_width, 8, 12))
        return f4, f8, f16, f32, refined.logits, refined.r8, gate

    for ours, expected in zip(run(folded), run(network), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)
