"""What a training step computes is what the tracker computes at test time."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from training_toys import make_network, make_pool, moment

from vosbench.baselines.frtm.network import GatedFrtmNetwork
from vosbench.harness.training.checkpoint import save
from vosbench.harness.training.data.encoding import NAMES, EncodedClip
from vosbench.harness.training.data.pool import ClipPool, LevelStatistics
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.frtm.scaling import load_refiner, normalised, read_raw
from vosbench.harness.training.frtm.steps import (
    Drawn,
    draw_pairs,
    learning_modules,
    match,
    reuse,
    reuse_losses,
)
from vosbench.harness.training.frtm.validation import validate
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.state import TrainingState, own_weights
from vosbench.runners.frtm import FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.interface import Path as Taken
from vosbench.runners.interface import no_spans


def gated() -> GatedFrtmNetwork:
    network = make_network(gated=True)
    assert isinstance(network, GatedFrtmNetwork)
    return network


def test_reuse_path_is_the_trackers(toy_pool: ClipPool) -> None:
    network = gated()
    network.double()
    clip = toy_pool.source.draw(0)
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2)
    mask = torch.from_numpy(clip.masks[0])
    tracker = FrtmTracker(network, seeded_augment(0), seeded_start(network, 0))
    with torch.no_grad():
        first = tracker.features(images[0], no_spans)
        state = tracker.begin(first, images[0], mask)
        now = tracker.features(images[1], no_spans)
        found = tracker.match(now, state, no_spans)
        expected = tracker.segment(found, Taken.REUSE, no_spans).probability
        # the pool keeps half precision, so the step is fed what it would have read
        encoded = toy_pool.read(0, [0, 0, 1])
        doubles = EncodedClip(*(getattr(encoded, name).double() for name in NAMES))
        parts = [doubles.take(slice(i, i + 1)) for i in range(3)]
        drawn = Drawn(*parts, parts[0].masks, torch.tensor([True]))
        matched = match(network, drawn)
        logits = reuse(network, drawn, matched).logits
    probability = torch.sigmoid(logits)[0, 0]
    assert float((probability - expected).abs().max()) < 0.02
    gate = float(torch.softmax(matched.gate_logits, 1)[0, 0])
    assert found.p_gate is not None
    assert gate == pytest.approx(float(found.p_gate), abs=0.01)


def test_networks_for_normalised_and_raw_features_agree(toy_pool: ClipPool) -> None:
    network = gated()
    statistics = toy_pool.statistics
    clip = toy_pool.read(0, [0, 1, 3])
    raw = copy.deepcopy(network)
    read_raw(raw, statistics)
    pairs = {}
    for name, net, source in (("n", network, normalised(clip, statistics)), ("r", raw, clip)):
        parts = [source.take(slice(i, i + 1)) for i in range(3)]
        drawn = Drawn(*parts, parts[1].masks, torch.tensor([False]))
        with torch.no_grad():
            size = (clip.masks.shape[-2], clip.masks.shape[-1])
            full = net.refiner(source.levels, source.scores, size).logits
            pairs[name] = (reuse(net, drawn, match(net, drawn)).logits, full)
    torch.testing.assert_close(pairs["n"], pairs["r"], rtol=1e-3, atol=1e-3)
    again = gated()
    load_refiner(again, own_weights(raw), statistics)
    for ours, theirs in zip(
        again.refiner.state_dict().values(), network.refiner.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_pool_makes_files_once_and_reads_any_frames(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, 2)
    path = pool.ensure(1)
    stamp = path.stat().st_mtime_ns
    both = pool.read(1, [3, 0])
    assert path.stat().st_mtime_ns == stamp
    assert torch.equal(both.scores[1], pool.read(1, [0]).scores[0])
    assert torch.equal(both.masks, pool.masks(1, [3, 0]))
    assert pool.frames == 5
    level = normalised(pool.read(0, range(5)), pool.statistics).f8
    assert float(level.mean().abs()) < 0.6 and 0.3 < float(level.std()) < 3
    assert isinstance(pool.statistics[0], LevelStatistics)


def test_pairs_keep_to_gaps_and_know_the_first_frame(toy_pool: ClipPool) -> None:
    drawn = draw_pairs(toy_pool, moment(16, 0), (2, 40))
    assert drawn.starts.any() and not drawn.starts.all()
    masks = {i: toy_pool.masks(i, range(5)) for i in range(4)}
    for b in range(16):
        last, now = drawn.last.masks[b], drawn.now.masks[b]
        fits = [
            (i, t)
            for i, clip in masks.items()
            for t in range(3)
            if torch.equal(clip[t], last) and torch.equal(clip[t + 2], now)
        ]
        assert fits
        assert bool(drawn.starts[b]) in {t == 0 for _, t in fits}


@pytest.mark.parametrize(
    ("gate", "terms"),
    [
        (GateRecipe(), {"delta", "reuse", "gate"}),
        (GateRecipe(0.7, 0.2, margin=Variant.PAPER, hinge=Variant.CODE), {"delta", "gate"}),
        (GateRecipe(reference="adjacent"), {"gate"}),
        (GateRecipe(rate=0.5), {"taken", "gate", "reuse"}),
    ],
)
def test_all_reuse_modules_learn(toy_pool: ClipPool, gate: GateRecipe, terms: set[str]) -> None:
    network = gated()
    recipe = ReuseRecipe(StageRecipe(10), gate, gaps=(1, 2), imitation=0.5)
    network.requires_grad_(False)
    for module in learning_modules(network, recipe):
        module.requires_grad_(True).train()
    drawn = draw_pairs(toy_pool, moment(4, 0), recipe.gaps)
    losses = reuse_losses(network, drawn, recipe, moment(4, 1, 0.5), soft_iou=0.1)
    assert terms | {"imitation"} <= set(losses)
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in network.named_parameters():
        learns = name.startswith(("convGS", "Tmatching", "Convert_Diff", "refiner.Diff_process"))
        assert (parameter.grad is not None) == learns, name
    assert float(network.convGS[1].weight.grad.abs().sum()) > 0


def test_margins_alone_teach_the_gate_alone(toy_pool: ClipPool) -> None:
    network = gated()
    network.requires_grad_(False)
    for rate in (None, 0.3):
        gate = GateRecipe(rate=rate)
        recipe = ReuseRecipe(StageRecipe(10), gate, gaps=(1,), gate_only=True, imitation=1.0)
        (learner,) = learning_modules(network, recipe)
        learner.requires_grad_(True).train()
        drawn = draw_pairs(toy_pool, moment(2, 0), recipe.gaps)
        losses = reuse_losses(network, drawn, recipe, moment(2, 1, 0.9), soft_iou=0.1)
        assert set(losses) == ({"gate"} if rate is None else {"gate", "taken"})
        torch.stack(list(losses.values())).sum().backward()
    assert learner is network.convGS
    assert all(
        (p.grad is not None) == n.startswith("convGS") for n, p in network.named_parameters()
    )


def test_masks_come_in_when_the_recipe_says(toy_pool: ClipPool) -> None:
    recipe = ReuseRecipe(StageRecipe(10), gaps=(1,), imitation=0.5, mask_from=0.5)
    drawn = draw_pairs(toy_pool, moment(2, 0), recipe.gaps)
    early = reuse_losses(gated(), drawn, recipe, moment(2, 1, 0.4), soft_iou=0.1)
    late = reuse_losses(gated(), drawn, recipe, moment(2, 1, 0.5), soft_iou=0.1)
    assert set(late) - set(early) == {"reuse"}
    assert float(late["imitation"]) == float(early["imitation"])


def test_finetuning_reaches_the_shallow_levels_only(toy_pool: ClipPool) -> None:
    network = gated()
    recipe = ReuseRecipe(StageRecipe(10), gaps=(1,), finetune="shallow")
    learning = {id(p) for m in learning_modules(network, recipe) for p in m.parameters()}
    named = {n for n, p in network.named_parameters() if id(p) in learning}
    assert any("refiner.TSE.layer2" in n for n in named)
    assert not any("layer4" in n or "layer5" in n for n in named)
    drawn = draw_pairs(toy_pool, moment(2, 0), recipe.gaps)
    losses = reuse_losses(network, drawn, recipe, moment(2, 1, 0.5), soft_iou=0.0)
    assert "full" in losses


def test_validation_scores_all_gaps(toy_pool: ClipPool) -> None:
    scores = validate(gated(), toy_pool, toy_pool.statistics, (1, 2, 8))
    assert set(scores.reuse) == {1, 2}
    assert 0 <= scores.full <= 1 and scores.gate is not None and -1 <= scores.gate <= 1
    assert set(scores.as_series()) == {"full", "reuse 1", "reuse 2", "gate"}
    assert validate(make_network(False), toy_pool, toy_pool.statistics, (1,)).gate is None


def test_checkpoint_is_small_and_tells_its_origin(toy_pool: ClipPool, tmp_path: Path) -> None:
    network = gated()
    recipe = Recipe("g-frtm-lite", None, ReuseRecipe(StageRecipe(3)))
    state = TrainingState("key", {}, elapsed_s=90)
    path = tmp_path / "net.safetensors"
    save(
        path,
        network,
        toy_pool.statistics,
        recipe=recipe,
        state=state,
        data_sha256=toy_pool.sha256,
        note="a toy",
    )
    with safe_open(str(path), "pt") as file:
        header = file.metadata()
        names = list(file.keys())
        assert file.get_tensor("convGS.1.weight").dtype == torch.float16
    assert header["architecture"] == "g-frtm-lite" and header["margins"] == "1,0"
    assert header["minutes"] == "1.5" and header["data_sha256"] == toy_pool.sha256
    assert not any(name.startswith("feature_extractor") for name in names)
