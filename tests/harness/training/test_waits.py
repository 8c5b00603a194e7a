"""What learns waits for no GPU within a step; counted on fake tensors, so without a card."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
import together
import torch
from test_half_training import RECIPE as HALF
from test_half_training import TINY
from test_ttvos_training import RECIPE as TTVOS
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from training_toys import GATED, TARGET, moment

from vosbench.baselines.frtm import samples
from vosbench.baselines.frtm.half import make_half
from vosbench.baselines.frtm.network import make_frtm
from vosbench.baselines.frtm.target import fit, initial_weights
from vosbench.baselines.ttvos import modules
from vosbench.baselines.ttvos.models import G_TTVOS_LITE, make_ttvos
from vosbench.harness.measure.launches import Crossings, Operations, Waits
from vosbench.harness.training.data.encoding import EncodedClip, HalfLevels
from vosbench.harness.training.frtm import half_steps, sequences, steps
from vosbench.harness.training.ttvos import losses as ttvos
from vosbench.runners.frtm import seeded_augment

CARD = "cuda:0"
BATCH = 4


@pytest.fixture(autouse=True)
def nothing_fake_is_kept() -> Iterator[None]:
    """What is made once for a device would be of this test's fake card."""
    yield
    samples._upsampling_matrix.cache_clear()
    modules._places.cache_clear()


def on_card(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(BATCH, *shape, device=CARD, dtype=dtype)


def clip() -> EncodedClip:
    levels = ((24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3))
    return EncodedClip(*(on_card(*shape) for shape in levels), on_card(1, 4, 6), on_card(1, 64, 96))


def halves() -> HalfLevels:
    levels = ((16, 16, 24), (24, 8, 12), (40, 4, 6), (112, 2, 3))
    return HalfLevels(*(on_card(*shape) for shape in levels), on_card(1, 2, 3))


def walk() -> half_steps.HalfWalk:
    frames = range(4)
    full = (False, False, True, False)
    return half_steps.HalfWalk(tuple(halves() for _ in frames), tuple(clip() for _ in frames), full)


def pairs(recipe: str) -> Callable[[torch.nn.Module], object]:
    def losses(network) -> object:
        starts = on_card(dtype=torch.bool)
        drawn = steps.Drawn(clip(), clip(), clip(), on_card(1, 64, 96), starts)
        reuse = together.RECIPES[recipe].reuse
        return steps.reuse_losses(network, drawn, reuse, moment(BATCH, 0, 0.9), soft_iou=0.1)

    return losses


def ttvos_losses(reuse: bool) -> Callable[[torch.nn.Module], object]:
    pool = SimpleNamespace(frames=5)

    def losses(network) -> object:
        if reuse:
            return ttvos.reuse_losses(network, pool, TTVOS, TTVOS.reuse, moment(BATCH, 0, 0.9))
        return ttvos.segmentation_losses(network, pool, TTVOS, moment(BATCH, 0, 0.5))

    return losses


def frtm() -> torch.nn.Module:
    return make_frtm(GATED)


def half() -> torch.nn.Module:
    return make_half(TINY)


def made_ttvos() -> torch.nn.Module:
    return make_ttvos(replace(G_TTVOS_LITE, short_term=8, width=8))


STEPS = {
    "segmentation": (frtm, lambda net: steps.segmentation_losses(net, clip(), 0.1)),
    "pairs": (frtm, pairs("pairs")),
    "counted": (frtm, pairs("counted")),
    "sequences": (
        frtm,
        lambda net: sequences.sequence_losses(
            net, tuple(clip() for _ in range(4)), together.RECIPES["sequences"].reuse, 0.5, 0.1
        ),
    ),
    "half": (half, lambda net: half_steps.walk_losses(net, walk(), HALF, moment(BATCH, 0, 0.5))),
    "half gate": (half, lambda n: half_steps.gate_losses(n, walk(), HALF, moment(BATCH, 0, 0.5))),
    "ttvos": (made_ttvos, ttvos_losses(False)),
    "ttvos reuse": (made_ttvos, ttvos_losses(True)),
}


@pytest.mark.parametrize("kind", STEPS)
def test_a_steps_losses_cross_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ttvos, "draw_run", lambda _pool, times, *_: [clip() for _ in times[0]])
    make, losses = STEPS[kind]
    monkeypatch.setattr(torch.backends.cudnn, "enabled", False)  # its kernels have no fakes
    with FakeTensorMode():
        with torch.device(CARD):
            network = make()
        network.train()
        with Crossings() as crossings, Operations() as operations, Waits() as waits:
            losses(network)
    assert operations.count > 50  # it ran
    assert not crossings.found
    assert waits.count == 0


def test_the_first_frames_fit_waits_for_nothing() -> None:
    with FakeTensorMode(), Crossings() as crossings, Waits() as waits:
        like = torch.empty((), device=CARD)
        f16, masks = (torch.empty(5, *shape, device=CARD) for shape in ((16, 6, 8), (96, 128)))
        model = fit(TARGET, initial_weights(TARGET, 16, 0, like), f16, masks)
        assert model.kernel.device == f16.device
        assert model.memory.weights.device.type == "cpu"
    assert not crossings.found
    assert waits.count == 0


def test_a_first_frame_set_waits_once() -> None:
    """To bring frame and mask to the host together, where the set is drawn."""
    image, mask = torch.zeros(3, 40, 50, dtype=torch.uint8), torch.zeros(40, 50, dtype=torch.bool)
    mask[10:20, 10:30] = True
    with Waits() as waits:
        images, masks = seeded_augment(0)(image, mask)
    assert waits.count == 1
    assert torch.equal(images[0], image) and torch.equal(masks[0], mask)


def test_crossings_tell_what_waits() -> None:
    with FakeTensorMode(), Crossings() as crossings:
        there = torch.ones(3, device=CARD)
        here = torch.ones(3)
        here.to(CARD, non_blocking=True)
        there.copy_(here, non_blocking=True)
        there.double()
        assert not crossings.found
        here.to(CARD)
        there.copy_(here)
        there.cpu()
        there.to("cpu", non_blocking=True)  # its values can't be used before a wait
    assert len(crossings.found) == 4
