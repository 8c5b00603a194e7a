"""Training on a card: near the CPU's losses, the same bits when it is resumed, few waits."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "harness/training"))

from training_toys import CLIPS, learnt, make_encoder, make_network, write_pictures

from vosbench.harness.training.data.live import LivePool
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.loop import train
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU here: `make test-gpu` is for a machine with one"
)
CARD = torch.device("cuda", 0)
STAGE = StageRecipe(6, batch=2, learning_rate=1e-3)
PAIRS = Recipe("g-frtm-lite", STAGE, ReuseRecipe(STAGE, gaps=(1, 2)), clips=4)
SEQUENCES = Recipe("g-frtm-lite", None, ReuseRecipe(STAGE, finetune="all"), clips=4, sequences=True)


def job(
    root: Path, name: str, recipe: Recipe, device: torch.device, *, live: bool = False
) -> FrtmJob:
    pictures = root / f"pictures-{name}"
    source = SyntheticClips(write_pictures(pictures), CLIPS)
    encoder = make_encoder()
    encoder.backbone.to(device)
    kind = LivePool if live else ClipPool
    pool = kind(source, encoder, root / f"cache-{device.type}", 4, device=device)
    return FrtmJob(recipe, make_network(True).to(device), pool, None, root / name, 2, 99, 1)


@pytest.mark.parametrize("live", [False, True])
def test_a_resumed_training_ends_in_the_same_bits(tmp_path: Path, live: bool) -> None:
    recipe = SEQUENCES if live else PAIRS
    whole = train(job(tmp_path, "whole", recipe, CARD, live=live))
    broken = job(tmp_path, "broken", recipe, CARD, live=live)
    train(broken, stop_after=3)
    end = train(replace(broken, network=make_network(True).to(CARD)))
    assert learnt(end.curve) == learnt(whole.curve)
    assert all(torch.equal(t, end.network[name]) for name, t in whole.network.items())


def test_the_first_losses_are_the_cpus(tmp_path: Path) -> None:
    curves = [
        learnt(train(job(tmp_path, device.type, PAIRS, device), stop_after=1).curve)
        for device in (torch.device("cpu"), CARD)
    ]
    for one, other in zip(*curves, strict=True):
        assert one.value == pytest.approx(other.value, rel=0.02), one.name


def test_steps_between_two_values_of_the_curve_do_not_wait(tmp_path: Path) -> None:
    made = replace(job(tmp_path, "waits", PAIRS, CARD), log_every=99, save_every=99)
    train(made, stop_after=2)  # what is made once is made
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as waits:
            warnings.simplefilter("always")
            train(made, stop_after=4)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    # The curve's values and the saved state at the end of four steps, tensor by tensor.
    state = len(made.network.state_dict())
    assert len([w for w in waits if "synchroniz" in str(w.message)]) < 4 * state


def test_bfloat16_learns(tmp_path: Path) -> None:
    end = train(job(tmp_path, "bf16", replace(SEQUENCES, autocast=True), CARD))
    assert all(torch.isfinite(torch.tensor(point.value)) for point in end.curve)
