"""TTVOS's functions over values: shapes, several objects, nothing changed in place."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from vosbench.baselines.ttvos.aggregate import aggregate
from vosbench.baselines.ttvos.models import (
    G_TTVOS_FAST,
    G_TTVOS_LITE,
    TTVOS,
    TTVOS_FAST,
    TTVOS_LITE,
    make_ttvos,
)
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig
from vosbench.baselines.ttvos.state import ObjectState, Segmentation, TtvosFeatures

SIZE = (45, 61)  # odd: padded to 48×64


@pytest.fixture(scope="module")
def network() -> Ttvos:
    torch.manual_seed(0)
    return make_ttvos(TTVOS_LITE)


@pytest.fixture(scope="module")
def images() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (4, 3, *SIZE), generator=generator, dtype=torch.uint8)


def box(top: int, left: int, height: int = 12, width: int = 14) -> Tensor:
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[top : top + height, left : left + width] = True
    return mask


def full(network: Ttvos, features: TtvosFeatures, state: ObjectState) -> Segmentation:
    return network.segment_full(features, state, network.match(features, state))


def tensors(record: object) -> dict[str, Tensor]:
    values = {f.name: getattr(record, f.name) for f in fields(record)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


@pytest.mark.parametrize("config", [TTVOS_FAST, TTVOS_LITE, TTVOS], ids=lambda c: str(c.backbone))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.inference_mode()
def test_shapes_of_an_odd_size(config: TtvosConfig, dtype: torch.dtype, images: Tensor) -> None:
    network = make_ttvos(config).to(dtype)
    c4, c8, c16, _ = network.vos.backbone.spec.channels
    features = network.features(images[0])
    assert features.s4.shape == (1, c4, 12, 16)
    assert features.s8_places.shape == (1, c8 + 3, 6, 8)
    assert features.s16.shape == (1, c16, 3, 4)
    state = network.begin_object(features, box(10, 20))
    assert state.masks.shape == (1, 6, 6, 8)
    assert state.template.shape == (1, c8, c8)
    features = network.features(images[1])
    segment = full(network, features, state)
    assert segment.probability.shape == (1, 48, 64)
    state = network.advance(features, state, segment, segment.probability)
    assert {t.dtype for t in [*tensors(state).values(), *tensors(segment).values()]} == {dtype}
    assert features.padding.crop(segment.probability).shape == (1, *SIZE)


@torch.inference_mode()
def test_places_are_row_column_radius(network: Ttvos, images: Tensor) -> None:
    row, column, radius = network.features(images[0]).s8_places[0, -3:]
    torch.testing.assert_close(row[:, 0], torch.linspace(-1, 1, 6))
    torch.testing.assert_close(column[0], torch.linspace(-1, 1, 8))
    torch.testing.assert_close(radius[0, 0], torch.tensor(2.0).sqrt())


@torch.inference_mode()
def test_masks_shift_newest_first(network: Ttvos, images: Tensor) -> None:
    features = network.features(images[0])
    state = network.begin_object(features, box(10, 20))
    assert not state.masks[:, 2:].any()
    segment = full(network, features, state)
    later = network.advance(features, state, segment, torch.ones(1, 48, 64))
    assert torch.equal(later.masks[:, 2:4], state.masks[:, :2])
    assert later.masks[0, 1, 2, 2] == 1 and later.masks[0, 0, 2, 2] == 0
    assert torch.equal(later.s16, features.s16)


@torch.inference_mode()
def test_states_are_values(network: Ttvos, images: Tensor) -> None:
    """Advancing one state twice gives equal results, and leaves the state as it was."""
    features = network.features(images[0])
    state = network.begin_object(features, box(10, 20))
    before = {name: t.clone() for name, t in tensors(state).items()}
    features = network.features(images[1])
    first, second = (full(network, features, state) for _ in range(2))
    assert torch.equal(first.probability, second.probability)
    one, two = (network.advance(features, state, s, s.probability) for s in (first, second))
    assert tensors(one).keys() == tensors(two).keys()
    assert all(torch.equal(t, tensors(two)[name]) for name, t in tensors(one).items())
    assert all(torch.equal(t, before[name]) for name, t in tensors(state).items())
    assert not torch.equal(one.template, state.template)


@torch.inference_mode()
def test_deep_features_once_a_frame_for_all_objects(network: Ttvos, images: Tensor) -> None:
    features = network.features(images[0])
    states = [
        network.begin_object(features, box(10, 20)),
        network.begin_object(features, box(2, 2)),
    ]
    calls = []
    deepest = network.vos.backbone.get_submodule("blocks.4")
    hook = deepest.register_forward_hook(lambda *_: calls.append(1))
    try:
        features = network.features(images[1])
        assert not calls
        for state in states:
            segment = full(network, features, state)
            network.advance(features, state, segment, segment.probability)
    finally:
        hook.remove()
    assert len(calls) == 1


@torch.inference_mode()
def test_unused_heads_are_never_run(network: Ttvos, images: Tensor) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a training head ran")

    refine = network.vos.refine
    hooks = [
        h.register_forward_hook(forbidden) for h in (refine.predictor_Diff, refine.predictor_Tmp)
    ]
    try:
        features = network.features(images[0])
        full(network, features, network.begin_object(features, box(10, 20)))
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def test_late_object_joins_and_is_tracked(network: Ttvos, images: Tensor) -> None:
    features = network.features(images[0])
    old = network.begin_object(features, box(10, 20))
    features = network.features(images[1])
    late_mask = box(15, 25)
    late = network.begin_object(features, late_mask)
    segment = full(network, features, old)
    given = features.padding.pad(late_mask.float()[None])
    competed = aggregate(torch.cat((segment.probability.masked_fill(given.bool(), 0.0), given)))
    assert torch.equal(features.padding.crop(competed.winner) == 2, late_mask)
    old = network.advance(features, old, segment, competed.masks[:1])
    assert competed.masks[:1][given.bool()].max() < 1e-6
    features = network.features(images[2])
    alone = full(network, features, late).probability
    beside = [full(network, features, state).probability for state in (old, late)]
    assert torch.equal(alone, beside[1])


@torch.inference_mode()
def test_vanished_object_stays_finite(network: Ttvos, images: Tensor) -> None:
    features = network.features(images[0])
    state = network.begin_object(features, torch.zeros(SIZE, dtype=torch.bool))
    for image in images[1:]:
        features = network.features(image)
        segment = full(network, features, state)
        assert segment.probability.isfinite().all()
        gone = torch.zeros_like(segment.probability)
        assert not aggregate(gone).winner.any()
        state = network.advance(features, state, segment, gone)
        assert all(t.isfinite().all() for t in tensors(state).values())
    assert not state.masks[:, 1::2].any()


@pytest.mark.parametrize("config", [G_TTVOS_FAST, G_TTVOS_LITE], ids=lambda c: str(c.backbone))
@torch.inference_mode()
def test_nothing_is_made_on_another_device(config: TtvosConfig) -> None:
    """The meta device refuses to mix with any other, as a GPU does."""
    network = make_ttvos(config).to("meta")
    image = torch.zeros(3, *SIZE, dtype=torch.uint8, device="meta")
    features = network.features(image)
    state = network.begin_object(features, box(10, 20).to("meta"))
    segment = full(network, features, state)
    competed = aggregate(segment.probability)
    state = network.advance(features, state, segment, competed.masks)
    found = [*tensors(state).values(), *tensors(segment).values(), competed.winner]
    assert {t.device.type for t in found} == {"meta"}
