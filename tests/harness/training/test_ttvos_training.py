"""TTVOS's training: it follows clips as the tracker does, learns, and can be resumed."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_toys import CLIPS, learnt, make_encoder, moment, write_pictures

from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.baselines.ttvos.aggregate import aggregate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.models import G_TTVOS_LITE, TTVOS_LITE
from vosbench.baselines.ttvos.modules import with_places
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.harness.training.assemble import TrainingData
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.windows import Windows
from vosbench.harness.training.frtm.steps import WHOLE
from vosbench.harness.training.loop import TrainingProgress, train
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.ttvos import trainer as ttvos
from vosbench.harness.training.ttvos.losses import RunRecipe, TtvosRecipe, reuse_losses
from vosbench.harness.training.ttvos.scaling import read_raw, scaled
from vosbench.harness.training.ttvos.steps import (
    Follower,
    draw_run,
    pairs8,
    reuse_frame,
    share,
    template,
)
from vosbench.harness.training.ttvos.trainer import TtvosJob, prepare, save, shipped_tensors

STAGE = StageRecipe(5, batch=2, learning_rate=2e-3)
RECIPE = TtvosRecipe(
    "g-ttvos-lite",
    STAGE,
    ReuseRecipe(STAGE, gaps=(1, 2), finetune="shallow", imitation=0.1, focus=1.0),
    clips=4,
    soft_iou=0.1,
    runs=RunRecipe(longest=3, truncate=2, warm=1),
)


@pytest.fixture(autouse=True)
def toy_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow networks under the real names, with a random backbone."""
    for name, config in (("ttvos-lite", TTVOS_LITE), ("g-ttvos-lite", G_TTVOS_LITE)):
        monkeypatch.setitem(ttvos.CONFIGS, name, replace(config, short_term=8, width=8))
    weights = make_encoder().backbone.state_dict()
    monkeypatch.setattr(ttvos, "imagenet_state_dict", lambda _name, _file: weights)


def make_network(model: str = "g-ttvos-lite") -> Ttvos:
    return ttvos.build_network(model, 2, make_encoder().backbone.state_dict())


def gated() -> GatedTtvos:
    network = make_network()
    assert isinstance(network, GatedTtvos)
    return network


def job(pool: ClipPool, folder: Path, recipe: TtvosRecipe = RECIPE) -> TtvosJob:
    return TtvosJob(recipe, make_network(recipe.model), pool, pool, folder, 2, 4, 1)


def encoded_frames(pool: ClipPool) -> list[EncodedClip]:
    clip = scaled(pool.read(0, range(pool.frames)), pool.statistics)
    return [clip.take(slice(t, t + 1)) for t in range(pool.frames)]


@torch.no_grad()
def test_training_sees_what_the_tracker_sees(toy_pool: ClipPool) -> None:
    """Both paths over whole frames with the saved weights, against encoded clips."""
    network = gated()
    raw = copy.deepcopy(network)
    read_raw(raw, toy_pool.statistics)
    images = torch.from_numpy(toy_pool.source.draw(0).images).permute(0, 3, 1, 2)
    frames, follower = encoded_frames(toy_pool), Follower(network)
    features = raw.features(images[0])
    theirs, ours = raw.begin_object(features, frames[0].masks[0, 0]), follower.begin(frames[0])
    for image, frame in zip(images[1:], frames[1:], strict=True):
        features = raw.features(image)
        evidence, matched = raw.match(features, theirs), follower.match(frame, ours)
        expected = raw.segment_reuse(features, theirs, evidence)
        reused = reuse_frame(follower, network, frame, ours)
        assert reused.segmented is not None
        got = torch.sigmoid(reused.segmented.logits)[:, 0]
        torch.testing.assert_close(got, expected.probability, rtol=0, atol=2e-3)
        gate = torch.softmax(reused.gate_logits, dim=1)[:, 0]
        torch.testing.assert_close(gate, evidence.p_gate, rtol=0, atol=2e-3)
        expected = raw.segment_full(features, theirs, evidence)
        result = follower.full(frame, ours, matched)
        got = torch.sigmoid(result.logits)[:, 0]
        torch.testing.assert_close(got, expected.probability, rtol=0, atol=2e-3)
        shares = aggregate(expected.probability).masks
        theirs = raw.advance(features, theirs, expected, shares)
        ours = follower.advance(frame, ours, result)
        torch.testing.assert_close(ours.masks, theirs.masks, rtol=0, atol=2e-3)
        torch.testing.assert_close(ours.template, theirs.template, rtol=0, atol=6e-3)


@given(st.floats(-12, 12))
def test_share_is_that_of_a_lone_object(logit: float) -> None:
    logits = torch.full((1, 1, 1, 1), logit, dtype=torch.float64)
    expected = aggregate(torch.sigmoid(logits)[0]).masks[0]
    torch.testing.assert_close(share(logits)[0, 0], expected, rtol=1e-6, atol=1e-9)


@torch.no_grad()
def test_templates_sharpen_with_the_area(toy_pool: ClipPool) -> None:
    gcm, frame = make_network().vos.gcm, encoded_frames(toy_pool)[0]
    s8, masks = with_places(frame.f8), pairs8(frame.masks).repeat(1, 3, 1, 1)
    plain = gcm(s8, masks)
    torch.testing.assert_close(template(gcm, s8, masks, 1.0), plain)
    sharp = template(gcm, s8, masks, 4.0)
    assert (sharp.amax(-1) >= plain.amax(-1)).all()
    torch.testing.assert_close(sharp, torch.softmax(4 * plain.log(), dim=-1))


def test_runs_are_drawn_by_seed_alone(toy_pool: ClipPool) -> None:
    times = [range(4)] * 3
    first, again, other = (draw_run(toy_pool, times, moment(3, s)) for s in (1, 1, 2))
    assert len(first) == 4
    assert first[0].masks.shape == (3, 1, 64, 96)
    assert all(torch.equal(a.f8, b.f8) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].f8, other[0].f8)
    cut = draw_run(toy_pool, times, moment(3, 1), Windows((1, 2)))
    assert cut[3].f4.shape[-2:] == (8, 16) and cut[3].masks.shape[-2:] == (32, 64)


def test_runs_begin_where_the_object_is_seen_and_bounce(toy_pool: ClipPool) -> None:
    run = draw_run(toy_pool, [range(9)] * 40, moment(40, 0), WHOLE)
    assert float(run[0].masks.mean(dim=(1, 2, 3)).min()) >= 0.01
    assert len(run) == 9  # of clips of 5 frames


class KilledError(Exception):
    """What ends a run without warning."""


def test_resumed_run_equals_an_undisturbed_one(toy_pool: ClipPool, tmp_path: Path) -> None:
    whole = train(job(toy_pool, tmp_path / "whole"))
    folder = tmp_path / "broken"
    for step in (3, 6, 9):  # in either stage, between two saves

        def report(news: TrainingProgress, at: int = step) -> None:
            if news.step == at:
                raise KilledError

        with pytest.raises(KilledError):
            train(job(toy_pool, folder), report)
    resumed = job(toy_pool, folder)
    end = train(resumed)
    assert set(end.network) == set(whole.network)
    for name, tensor in whole.network.items():
        assert torch.equal(tensor, end.network[name]), name
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name
    assert learnt(end.curve) == learnt(whole.curve)
    assert {p.name for p in end.curve} >= {f"validation/{n}" for n in ("full", "reuse 1", "gate")}


def test_loss_falls_in_both_stages(toy_pool: ClipPool, tmp_path: Path) -> None:
    stage = StageRecipe(30, batch=3, learning_rate=5e-3)
    runs = RunRecipe(longest=2, warm=1)
    recipe = replace(RECIPE, segmentation=stage, reuse=ReuseRecipe(stage, gaps=(1, 2)), runs=runs)
    curve = train(replace(job(toy_pool, tmp_path, recipe), validation=None)).curve
    for first, name in ((0, "bce"), (0, "matching"), (30, "reuse"), (30, "delta"), (30, "gate")):
        values = [p.value for p in curve if p.name == name and first < p.step <= first + 30]
        assert len(values) == 30
        assert sum(values[-8:]) < 0.9 * sum(values[:8]), name


def test_only_reuse_modules_learn_in_the_second_stage(toy_pool: ClipPool, tmp_path: Path) -> None:
    recipe = replace(RECIPE, segmentation=None, reuse=ReuseRecipe(STAGE, gaps=(1,)))
    started = replace(job(toy_pool, tmp_path, recipe), validation=None)
    before = {k: v.clone() for k, v in started.network.state_dict().items()}
    train(started, stop_after=2)
    after = started.network.state_dict()
    for name, tensor in after.items():
        if name.startswith("vos."):
            assert torch.equal(tensor, before[name]), name
    for name in ("gate.1.weight", "delta.weight", "translator.reduce.weight"):
        assert not torch.equal(after[name], before[name]), name


@pytest.mark.parametrize("reference", ["last-full", "adjacent"])
def test_gate_only_asks_for_the_gates_loss_alone(toy_pool: ClipPool, reference: str) -> None:
    gate = GateRecipe(reference=reference)
    reuse = ReuseRecipe(STAGE, gate, gaps=(2,), gate_only=True)
    assert set(reuse_losses(gated(), toy_pool, RECIPE, reuse, moment(2, 0))) == {"gate"}


def test_runs_grow_to_their_longest() -> None:
    runs, rng = RunRecipe(shortest=2, longest=6, growth=0.5), np.random.default_rng(0)
    assert {runs.draw_length(0.0, rng) for _ in range(20)} == {2}
    assert {runs.draw_length(0.6, rng) for _ in range(200)} == {2, 3, 4, 5, 6}


def test_a_training_is_prepared_saved_and_taken_over(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 8)
    data = TrainingData(((1.0, tmp_path / "pictures"),), clips=CLIPS)
    first = replace(RECIPE, segmentation=STAGE, reuse=None, clips=3)
    made = prepare(first, data, tmp_path / "cache", tmp_path / "a")
    state = train(replace(made, validation=None), stop_after=1)
    path, statistics = tmp_path / "first.safetensors", made.pool.statistics
    save(path, made.network, statistics, recipe=first, state=state, data_sha256="x", note="toy")
    checkpoint = read_checkpoint(path)
    assert checkpoint.header["architecture"] == "g-ttvos-lite"
    assert checkpoint.header["note"] == "toy"
    assert set(checkpoint.tensors) == set(shipped_tensors(made.network, statistics))
    assert not any(name.startswith("vos.backbone.") for name in checkpoint.tensors)
    second = replace(RECIPE, segmentation=None, clips=3, seed=5)
    again = prepare(second, data, tmp_path / "cache", tmp_path / "b", start=path).network
    for name, tensor in made.network.state_dict().items():
        torch.testing.assert_close(tensor, again.state_dict()[name], rtol=0.01, atol=0.01)
    with pytest.raises(InputError, match="checkpoint to start from"):
        prepare(second, data, tmp_path / "cache", tmp_path / "b")


def test_what_cannot_be_trained_is_refused(tmp_path: Path) -> None:
    data = TrainingData(motion=1.0, clips=CLIPS)
    with pytest.raises(InputError, match="g-ttvos-lite"):
        ttvos.config_of("ttvos")
    odd = replace(data, clips=replace(CLIPS, height=72))
    with pytest.raises(InputError, match="multiples of 16"):
        prepare(RECIPE, odd, tmp_path, tmp_path)
    counted = replace(RECIPE, reuse=ReuseRecipe(STAGE, GateRecipe(rate=0.4)))
    with pytest.raises(InputError, match="N-gate"):
        prepare(counted, data, tmp_path, tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    torch.save({"layer": torch.zeros(1)}, foreign.with_suffix(".pt"))
    with pytest.raises(InputError, match="another network"):
        prepare(RECIPE, data, tmp_path, tmp_path, start=foreign.with_suffix(".pt"))
    with pytest.raises(RuntimeError, match="without a gate"):
        plain = TtvosJob(RECIPE, make_network("ttvos-lite"), None, None, tmp_path)  # type: ignore[arg-type]
        list(plain.learning(RECIPE.reuse))
