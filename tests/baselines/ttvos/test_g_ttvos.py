"""G-TTVOS: its full path is TTVOS, its reuse path skips what it promises to skip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from vosbench.baselines.ttvos.aggregate import aggregate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.models import (
    G_TTVOS,
    G_TTVOS_FAST,
    G_TTVOS_LITE,
    TTVOS_FAST,
    TTVOS_LITE,
    make_ttvos,
)
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig

SIZE = (45, 61)


def gated(config: TtvosConfig) -> GatedTtvos:
    network = make_ttvos(config)
    assert isinstance(network, GatedTtvos)
    return network


@pytest.fixture(scope="module")
def network() -> GatedTtvos:
    torch.manual_seed(0)
    return gated(G_TTVOS_FAST)


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (5, 3, *SIZE), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def mask() -> Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[10:25, 20:40] = True
    return mask


@contextmanager
def calls_of(*modules: nn.Module) -> Iterator[list[nn.Module]]:
    """Modules that run within the block, in order."""
    calls: list[nn.Module] = []
    hooks = [m.register_forward_hook(lambda module, *_: calls.append(module)) for m in modules]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def track(network: Ttvos, images: Tensor, masks: Tensor) -> list[Tensor]:
    """Never reuse: everything that the full path yields, tensor by tensor."""
    features = network.features(images[0])
    states = [network.begin_object(features, mask) for mask in masks]
    found: list[Tensor] = []
    for image in images[1:]:
        features = network.features(image)
        segments = [
            network.segment_full(features, state, network.match(features, state))
            for state in states
        ]
        competed = aggregate(torch.cat([segment.probability for segment in segments]))
        states = [
            network.advance(features, *of_object)
            for of_object in zip(states, segments, competed.masks.split(1), strict=True)
        ]
        found += [competed.winner, competed.masks, *(s.template for s in states)]
    return found


@pytest.mark.parametrize(
    ("plain", "with_gate"),
    [(TTVOS_FAST, G_TTVOS_FAST), (TTVOS_LITE, G_TTVOS_LITE)],
    ids=["resnet18", "lite"],
)
@torch.inference_mode()
def test_never_reusing_equals_ttvos_bit_for_bit(
    plain: TtvosConfig, with_gate: TtvosConfig, images: Tensor, mask: Tensor
) -> None:
    network, ours = make_ttvos(plain), gated(with_gate)
    report = ours.load_state_dict(network.state_dict(), strict=False)
    assert not report.unexpected_keys
    assert {k.split(".")[0] for k in report.missing_keys} == {"gate", "delta", "translator"}
    masks = torch.stack((mask, mask.roll((12, -18), (0, 1))))
    pairs = zip(track(network, images, masks), track(ours, images, masks), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@torch.inference_mode()
def test_reused_frame_skips_the_short_term_branch(
    network: GatedTtvos, images: Tensor, mask: Tensor
) -> None:
    state = network.begin_object(network.features(images[0]), mask)
    refine, vos = network.vos.refine, network.vos
    skipped = (vos.backbone.get_submodule("layer3"), refine.conv_s16, refine.blend_s16, vos.gcm)
    with calls_of(*skipped) as calls:
        features = network.features(images[1])
        segment = network.segment_reuse(features, state, network.match(features, state))
        after = network.advance(features, state, segment, segment.probability)
        assert not calls
        network.segment_full(features, state, network.match(features, state))
        assert calls == list(skipped[:3])
    assert after is state
    assert segment.probability.shape == (1, 48, 64)


@torch.inference_mode()
def test_full_frame_after_reused_ones_sees_the_last_full_one(
    network: GatedTtvos, images: Tensor, mask: Tensor
) -> None:
    start = network.begin_object(network.features(images[0]), mask)
    state = start
    for image in images[1:3]:
        features = network.features(image)
        segment = network.segment_reuse(features, state, network.match(features, state))
        state = network.advance(features, state, segment, segment.probability)
    features = network.features(images[3])
    late, direct = (
        network.segment_full(features, s, network.match(features, s)) for s in (state, start)
    )
    assert torch.equal(late.probability, direct.probability)
    moved = network.advance(features, state, late, late.probability)
    assert moved.u16 is late.u16 and moved.s16 is features.s16


@torch.inference_mode()
def test_reuse_path_turns_over_u16_by_delta(
    network: GatedTtvos, images: Tensor, mask: Tensor
) -> None:
    """Both inputs of the translator reach the mask."""
    state = network.begin_object(network.features(images[0]), mask)
    other = network.begin_object(network.features(images[2]), mask)
    features = network.features(images[1])
    evidence = network.match(features, state)
    delta = network.change(evidence)
    assert delta.shape == (1, 1, 3, 4)
    assert state.u16 is not None and state.u16.shape == (1, 64, 3, 4)
    usual = network.segment_reuse(features, state, evidence).probability
    assert not torch.equal(usual, network.segment_reuse(features, other, evidence).probability)
    assert network.delta.bias is not None
    network.delta.bias += 1
    try:
        changed = network.segment_reuse(features, state, evidence).probability
    finally:
        network.delta.bias -= 1
    assert not torch.equal(usual, changed)


@pytest.mark.parametrize("config", [G_TTVOS, G_TTVOS_FAST, G_TTVOS_LITE], ids=lambda c: c.backbone)
@torch.inference_mode()
def test_gate_starts_mostly_off(config: TtvosConfig, images: Tensor, mask: Tensor) -> None:
    """With its last weights at 0 only the bias speaks: on with about 15 %."""
    network = gated(config)
    last = network.gate[-1]
    assert isinstance(last, nn.Conv2d)
    last.weight.zero_()
    features = network.features(images[0])
    evidence = network.match(features, network.begin_object(features, mask))
    assert evidence.p_gate is not None
    torch.testing.assert_close(float(evidence.p_gate), 0.1301, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_state_without_u16_cannot_be_reused(images: Tensor, mask: Tensor) -> None:
    plain, ours = make_ttvos(TTVOS_FAST), gated(G_TTVOS_FAST)
    features = ours.features(images[0])
    state = plain.begin_object(features, mask)
    with pytest.raises(RuntimeError, match="ungated"):
        ours.segment_reuse(features, state, ours.match(features, state))


def test_every_trainable_parameter_of_the_reuse_path_gets_a_gradient(
    images: Tensor, mask: Tensor
) -> None:
    network = gated(G_TTVOS_LITE)
    state = network.begin_object(network.features(images[0]), mask)
    features = network.features(images[1])
    evidence = network.match(features, state)
    segment = network.segment_reuse(features, state, evidence)
    assert evidence.p_gate is not None
    torch.autograd.backward(segment.probability.mean() + evidence.p_gate)
    for part in (network.gate, network.delta, network.translator):
        assert all(p.grad is not None for p in part.parameters())
