"""Arithmetic of the paths, against the layer description's table (854×480, one object)."""

from __future__ import annotations

import pytest
import torch

from vosbench.baselines.frtm.network import (
    FRTM_FAST,
    FRTM_FASTR,
    G_FRTM_FAST,
    FrtmConfig,
    make_frtm,
)
from vosbench.harness.evaluate.flops import Arithmetic, count_flops
from vosbench.runners.frtm import FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.interface import ClipInfo, Frame, no_spans
from vosbench.runners.policies import Always, GatePolicy, Never
from vosbench.runners.tracking import SharedWalk


def cost(config: FrtmConfig, policy: GatePolicy) -> Arithmetic:
    """Of the second frame; the first is where the clip begins."""
    network = make_frtm(config)
    tracker = FrtmTracker(network, seeded_augment(0), seeded_start(network, 0))
    walk = SharedWalk(tracker, ClipInfo("clip", 480, 854, 2), (policy,))
    image = torch.zeros(3, 480, 854, dtype=torch.uint8)
    mask = torch.zeros(480, 854, dtype=torch.bool)
    mask[100:200, 100:300] = True
    walk.add_objects(Frame(0, image), {1: mask})
    walk.step(Frame(0, image), no_spans)
    return count_flops(lambda spans: walk.step(Frame(1, image), spans))


@pytest.mark.slow
def test_paths_cost_what_the_description_says() -> None:
    full, reuse = cost(G_FRTM_FAST, Never()), cost(G_FRTM_FAST, Always())
    stages = {name: flops / 1e9 for name, flops in full.stages.items()}
    assert stages["f8"] == pytest.approx(16.2, rel=0.01)
    assert stages["f16+f32"] == pytest.approx(13.6, rel=0.01)
    assert stages["matching"] == pytest.approx(0.7, rel=0.01)
    # The published head up-samples 32 maps by convolutions, 0.8 GFLOP that ours needn't do.
    assert full.total / 1e9 == pytest.approx(54.2 - 0.8, rel=0.01)
    assert reuse.total / 1e9 == pytest.approx(40.7 - 0.8, rel=0.01)
    assert "f16+f32" not in reuse.stages
    reduced = cost(FRTM_FASTR, Never()).total
    at_published_reuse = 0.525 * full.total + 0.475 * reuse.total
    assert reduced == pytest.approx(at_published_reuse, rel=0.02)
    assert reduced < cost(FRTM_FAST, Never()).total
