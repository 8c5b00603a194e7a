from __future__ import annotations

from pathlib import Path

import torch
from training_toys import make_network

from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.frtm.gate_only import GateJob, match_pairs
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.loop import train
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.state import own_weights

GAPS = (1, 2)


def _recipe(steps: int = 60, gate: GateRecipe | None = None) -> Recipe:
    stage = StageRecipe(steps, batch=16, learning_rate=5e-3)
    reuse = ReuseRecipe(stage, gate or GateRecipe(), gaps=GAPS, gate_only=True)
    return Recipe("g-frtm-lite", None, reuse, clips=4)


def _job(pool: ClipPool, folder: Path, recipe: Recipe) -> GateJob:
    return GateJob(
        recipe, make_network(gated=True), pool, pool, folder, save_every=20, validate_every=30
    )


def test_the_gate_learns_and_nothing_else_does(toy_pool: ClipPool, tmp_path: Path) -> None:
    job = _job(toy_pool, tmp_path, _recipe())
    before = {k: v.clone() for k, v in own_weights(job.network).items()}
    state = train(job)
    changed = {
        k.partition(".")[0] for k, v in own_weights(job.network).items() if (v != before[k]).any()
    }
    assert changed == {"convGS"}
    curve = {n: [p.value for p in state.curve if p.name == n] for n in ("gate", "validation/gate")}
    assert curve["gate"][-1] < 0.5 * curve["gate"][0]
    assert curve["validation/gate"][-1] > 0.5


def test_it_resumes_with_the_same_weights(toy_pool: ClipPool, tmp_path: Path) -> None:
    whole, parts = (_job(toy_pool, tmp_path / name, _recipe(50)) for name in ("whole", "parts"))
    train(whole)
    train(parts, stop_after=30)
    again = _job(toy_pool, tmp_path / "parts", _recipe(50))
    train(again)
    for ours, theirs in zip(
        own_weights(again.network).values(), own_weights(whole.network).values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_kept_pairs_change_nothing(toy_pool: ClipPool, tmp_path: Path) -> None:
    """Matching runs the network in eval mode; the gate learns in its own all the same."""
    states = []
    for name in ("matched", "kept"):
        if name == "matched":
            for path in toy_pool.beside("gate").parent.glob("gate-*.safetensors"):
                path.unlink()
        states.append(train(_job(toy_pool, tmp_path / name, _recipe(30))).network)
    matched, kept = states
    assert all(torch.equal(tensor, kept[key]) for key, tensor in matched.items())


def test_pairs_are_what_the_step_would_draw(toy_pool: ClipPool) -> None:
    pairs = match_pairs(make_network(gated=True), toy_pool, toy_pool.statistics, GAPS)
    assert pairs.d.shape[-2:] == (7, 7) and len(pairs.d) == len(pairs.iou) == len(pairs.adjacent)
    assert ((pairs.iou >= 0) & (pairs.iou <= 1)).all()
    # With a gap of one, t − n is t − 1.
    same = match_pairs(make_network(gated=True), toy_pool, toy_pool.statistics, (1,))
    assert torch.equal(same.iou, same.adjacent)
    assert not torch.equal(pairs.iou, pairs.adjacent)


def test_a_margin_lifts_what_the_gate_says(toy_pool: ClipPool, tmp_path: Path) -> None:
    """Towards max(m, IoU), a gate opens more often than towards the IoU."""
    said = {}
    for m1 in (0.0, 1.0):
        gate = GateRecipe(m1=m1, margin=Variant.PAPER)
        state = train(_job(toy_pool, tmp_path / str(m1), _recipe(gate=gate)))
        said[m1] = [p.value for p in state.curve if p.name == "validation/p_gate"][-1]
    assert said[1.0] > said[0.0] + 0.05
