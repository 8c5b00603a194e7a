"""FRTM-half's parts: grids that meet, masks that are carried where cells went, a gate's facts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.frtm.half import G_FRTM_HALF, HalfFrtm, halved_image, make_half, soft_iou
from vosbench.baselines.frtm.matching import Matching, Reference, mask_levels

TINY = replace(G_FRTM_HALF, far=8, near=8, carry=(8, 8, 4, 4), refine=(8, 8, 4, 4))


@pytest.fixture(scope="module")
def network() -> HalfFrtm:
    torch.manual_seed(0)
    return make_half(TINY)


def features(network: HalfFrtm, image: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """h32, h16, h8, h4 and f32, f16, f8, f4 of an image."""
    extractor = network.feature_extractor
    h4, h8, h16, h32 = extractor.early(halved_image(image))
    f4, f8 = extractor.first(image)
    f16, f32 = extractor.second(f8)
    return (h32, h16, h8, h4), (f32, f16, f8, f4)


@pytest.mark.parametrize("size", [(64, 96), (101, 77), (66, 130)])
@torch.inference_mode()
def test_both_looks_at_a_frame_lie_on_the_same_grids(
    network: HalfFrtm, size: tuple[int, int]
) -> None:
    image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    halves, whole = features(network, image)
    grids = [(math.ceil(size[0] / n), math.ceil(size[1] / n)) for n in (32, 16, 8, 4)]
    assert [tuple(h.shape[-2:]) for h in halves] == grids
    assert [tuple(f.shape[-2:]) for f in whole] == grids
    known = Reference(
        network.matching.keys(*halves[:2]), mask_levels(torch.rand(1, 1, *size), halves)
    )
    score = torch.zeros(1, 1, *grids[0])
    carried = network.carried(halves, score, known.keys, (known, known, known))
    assert tuple(carried.logits.shape) == (1, 1, *grids[3])
    score = torch.zeros(1, 1, *grids[1])
    *maps, logits = network.refined(whole, score, carried.logits, carried.maps)
    assert tuple(logits.shape) == (1, 1, *grids[3]) and len(maps) == 4
    coarse = network.carried(halves, torch.zeros(1, 1, *grids[0]), known.keys, (known,) * 3, False)
    assert tuple(coarse.logits.shape) == (1, 1, *grids[2])
    assert network.asked(carried, known, known).shape == (1,)


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0"])
@torch.inference_mode()
def test_early_levels_are_those_of_the_two_halves(name: str) -> None:
    backbone = make_backbone(name)
    image = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    f2, f4, f8, f16 = backbone.early(image)
    assert f2.shape[1] == backbone.spec.stem and tuple(f2.shape[-2:]) == (32, 48)
    first = backbone.first(image)
    for one, other in zip((f4, f8, f16), (*first, backbone.third_level(first[1])), strict=True):
        assert torch.equal(one, other)


def unique_keys(channels: int, size: tuple[int, int], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(1, channels, *size, generator=generator), dim=1)


@pytest.mark.parametrize("shift", [(0, 0), (1, -2), (-1, 1)])
@torch.inference_mode()
def test_masks_are_carried_to_where_their_cells_went(shift: tuple[int, int]) -> None:
    matching = Matching(4, 4, far=64, near=64, radius=TINY.radius)
    matching.sharpness.fill_(math.log(200.0))  # every cell takes its best match alone
    matching.nearness.fill_(-20.0)  # wherever it lies
    masks = mask_levels(
        (torch.rand(1, 1, 256, 320) > 0.5).float(),
        [torch.empty(1, 1, 256 // n, 320 // n) for n in (32, 16, 8, 4)],
    )
    keys = type("K", (), {"far": unique_keys(64, (8, 10), 1), "near": unique_keys(64, (16, 20), 2)})
    known = Reference(keys, masks)  # type: ignore[arg-type]
    now = type(
        "K", (), {name: getattr(keys, name).roll(shift, (-2, -1)) for name in ("far", "near")}
    )
    found = matching(now, known, known, known)
    inner = (..., slice(4, -4), slice(8, -8))  # what came in over the border is unknown
    for name, mask in (("from_first", masks[1]), ("from_previous", masks[2])):
        moved = mask.roll((2 * shift[0], 2 * shift[1]), (-2, -1))
        torch.testing.assert_close(getattr(found, name)[inner], moved[inner], atol=1e-3, rtol=0)
    assert float(found.near[..., 2:-2, 4:-4].min()) == pytest.approx(1, abs=1e-5)


@torch.inference_mode()
def test_best_similarities_tell_object_from_ground() -> None:
    matching = Matching(4, 4, far=16, near=16, radius=TINY.radius)
    mask = torch.zeros(1, 1, 64, 128)
    mask[..., :64] = 1
    like = [torch.empty(1, 1, 64 // n, 128 // n) for n in (32, 16, 8, 4)]
    keys = type("K", (), {"far": unique_keys(16, (2, 4), 1), "near": unique_keys(16, (4, 8), 2)})
    known = Reference(keys, mask_levels(mask, like))  # type: ignore[arg-type]
    to_object, to_ground = matching(keys, known, known, known).first[0]
    assert bool((to_object[:, :2] > to_ground[:, :2]).all())
    assert bool((to_object[:, 2:] < to_ground[:, 2:]).all())


def test_soft_iou_of_masks() -> None:
    empty, whole = torch.zeros(1, 1, 50, 50), torch.ones(1, 1, 50, 50)
    half = whole.clone()
    half[..., 25:] = 0
    assert soft_iou(empty, empty).item() == 1
    assert soft_iou(whole, whole).item() == 1
    assert soft_iou(whole, half).item() == pytest.approx(0.5, abs=1e-3)
    assert soft_iou(empty, whole).item() < 1e-3
