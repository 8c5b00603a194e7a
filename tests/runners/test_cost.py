"""Arithmetic of the paths, against the layer description's table (854×480, one object)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

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
from vosbench.runners.policies import Always, Never
from vosbench.runners.policy import GatePolicy
from vosbench.runners.tracking import SharedWalk


@dataclass(frozen=True)
class Cost:
    """A frame's arithmetic, in the order of the description and as it is run."""

    described: Arithmetic
    executed: Arithmetic


@cache
def cost(config: FrtmConfig, policy: GatePolicy) -> Cost:
    """Of the second frame; the first is where the clip begins."""
    network = make_frtm(config)
    tracker = FrtmTracker(network, seeded_augment(0), seeded_start(network, 0))
    walk = SharedWalk(tracker, ClipInfo("clip", 480, 854, 2), (policy,))
    image = torch.zeros(3, 480, 854, dtype=torch.uint8)
    mask = torch.zeros(480, 854, dtype=torch.bool)
    mask[100:200, 100:300] = True
    walk.add_objects(Frame(0, image), {1: mask})
    walk.step(Frame(0, image), no_spans)
    return Cost(
        count_flops(lambda spans: walk.step(Frame(1, image), spans), described=True),
        count_flops(lambda spans: walk.step(Frame(2, image), spans)),
    )


def stages(cost: Arithmetic, *names: str) -> float:
    """GFLOP of some stages together."""
    return sum(cost.stages[name] for name in names) / 1e9


@pytest.mark.slow
def test_paths_cost_what_the_description_says() -> None:
    full, reuse = cost(G_FRTM_FAST, Never()), cost(G_FRTM_FAST, Always())
    for path in (full.described, reuse.described):
        assert stages(path, "f8") == pytest.approx(16.2, rel=0.01)
        assert stages(path, "matching") == pytest.approx(0.7, rel=0.01)
        assert stages(path, "gate") == pytest.approx(0.0003, abs=0.00005)  # to its one digit
        assert stages(path, "upsample") == pytest.approx(4.7, rel=0.01)
    shared = ("refiner shallow", "upsample")
    assert stages(full.described, "f16+f32") == pytest.approx(13.6, rel=0.01)
    assert stages(full.described, "refiner deep", *shared) == pytest.approx(23.7, rel=0.01)
    assert stages(reuse.described, "delta") == pytest.approx(0.002, abs=0.0005)
    assert stages(reuse.described, "translator", *shared) == pytest.approx(23.8, rel=0.01)
    assert "f16+f32" not in reuse.described.stages
    assert full.described.total / 1e9 == pytest.approx(54.2, rel=0.01)
    assert reuse.described.total / 1e9 == pytest.approx(40.7, rel=0.01)
    for path in (full, reuse):
        assert set(path.executed.stages) == set(path.described.stages)
        for name, operations in path.executed.stages.items():
            assert operations <= path.described.stages[name], name
        assert path.executed.total < path.described.total


@pytest.mark.slow
def test_the_reduced_network_costs_what_the_gated_one_does_at_its_reuse_rate() -> None:
    full, reuse = cost(G_FRTM_FAST, Never()).described, cost(G_FRTM_FAST, Always()).described
    reduced = cost(FRTM_FASTR, Never()).described.total
    at_published_reuse = 0.525 * full.total + 0.475 * reuse.total
    assert reduced == pytest.approx(at_published_reuse, rel=0.02)
    assert reduced < cost(FRTM_FAST, Never()).described.total
