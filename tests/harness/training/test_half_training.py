"""FRTM-half's training: its walk is the tracker's, resumes bit for bit, and learns to carry."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_toys import CLIPS, TARGET, learnt, make_encoder, moment, write_pictures

from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.half import G_FRTM_HALF, HalfFrtm, make_half
from vosbench.harness.training.checkpoint import header
from vosbench.harness.training.data.pool import ClipStream, HalvedPool
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.frtm.half_recipe import HalfRecipe
from vosbench.harness.training.frtm.half_steps import (
    Mishaps,
    asked_iou,
    draw_walk,
    read_walk,
    walk_along,
    with_drift,
)
from vosbench.harness.training.frtm.half_trainer import HalfJob
from vosbench.harness.training.frtm.half_validation import validate_half
from vosbench.harness.training.frtm.losses import mask_iou
from vosbench.harness.training.loop import train
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.ttvos.losses import TtvosRecipe
from vosbench.runners.frtm import seeded_augment, seeded_start
from vosbench.runners.half import HalfTracker
from vosbench.runners.interface import no_spans
from vosbench.runners.policy import Path as Way

TINY = replace(G_FRTM_HALF, target=TARGET, far=8, near=8, carry=(8, 8, 8, 8), refine=(8, 8, 8, 8))
STAGE = StageRecipe(4, batch=2, learning_rate=2e-3)
RECIPE = HalfRecipe(
    "g-frtm-half", STAGE, ReuseRecipe(STAGE, finetune="all"), soft_iou=1.0, walk=2, mirror=True
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> HalvedPool:
    root = tmp_path_factory.mktemp("half")
    source = SyntheticClips(write_pictures(root / "pictures"), CLIPS)
    return HalvedPool(source, make_encoder(), root / "cache", 4)


def network() -> HalfFrtm:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = make_half(TINY)
    made.feature_extractor.load_state_dict(make_encoder().backbone.state_dict())
    return made


def job(pool: HalvedPool, folder: Path, recipe: HalfRecipe = RECIPE) -> HalfJob:
    return HalfJob(recipe, network(), pool, None, folder, 2, 100, 1)


def test_a_walk_is_the_trackers(pool: HalvedPool) -> None:
    net = network()
    clip = pool.source.draw(0)
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2)
    tracker = HalfTracker(net, seeded_augment(0), seeded_start(net, 0))
    with torch.no_grad():
        first = tracker.features(images[0], no_spans)
        state = tracker.begin(first, images[0], torch.from_numpy(clip.masks[0]))
        match = tracker.match(tracker.features(images[1], no_spans), state, no_spans)
        full = tracker.segment(match, Way.FULL, no_spans)
        seen = walk_along(net, read_walk(pool, [(0, [0, 1])], (False, True)))[0]
        p = torch.sigmoid(net.asked(seen.carried, *seen.known)).item()
    # The pool keeps half precision.
    torch.testing.assert_close(seen.carried.logits, match.logits, atol=0.02, rtol=0.02)
    whole = torch.nn.functional.interpolate(seen.logits, (64, 96), mode="bilinear")
    torch.testing.assert_close(torch.sigmoid(whole[0, 0]), full.probability, atol=0.02, rtol=0.02)
    assert float(match.p_gate) == pytest.approx(p, abs=0.01)


def test_the_last_full_frame_stays_while_the_previous_one_moves_on(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2, 3])], (False, True, False, False))
    with torch.no_grad():
        seen = walk_along(network(), walk)
    assert [frame.last for frame in seen] == [0, 1, 1]
    assert [frame.logits is not None for frame in seen] == [True, False, False]
    last, previous = zip(*(frame.known for frame in seen), strict=True)
    assert last[0] is previous[0] and last[1] is previous[1]  # both are the frame before
    assert last[2] is last[1] and previous[2] is not previous[1]


def test_true_masks_take_the_place_of_own_ones(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2])], (False, False, False))
    with torch.no_grad():
        seen = walk_along(network(), walk, mishaps=mishaps(3, "truth"))
    true = torch.nn.functional.adaptive_avg_pool2d(walk.masks[1], (16, 24))
    assert torch.equal(seen[1].known[1].masks[3], true)


def mishaps(frames: int, *named: str) -> Mishaps:
    """Those named, at each frame of a walk of one clip."""
    names = ("truth", "gone", "swapped", "unled")
    return Mishaps(*(torch.full((frames, 1), name in named) for name in names))


def test_a_lost_mask_is_handed_on_but_not_to_the_gates_question(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2])], (False, True, True))
    with torch.no_grad():
        lost = walk_along(network(), walk, mishaps=mishaps(3, "gone"))
        asked = walk_along(network(), walk, mishaps=mishaps(3, "gone"), sound_last=True)
    last, previous = lost[1].known
    assert not last.masks[3].any() and not previous.masks[3].any()
    last, previous = asked[1].known
    assert last.masks[3].any() and not previous.masks[3].any()


def test_a_swapped_mask_is_another_clips(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2]), (1, [0, 1, 2])], (False, True, True))
    with torch.no_grad():
        plain = walk_along(network(), walk)
        swapped = walk_along(network(), walk, mishaps=mishaps(3, "swapped"))
    own, other = plain[1].known[1].masks[3], swapped[1].known[1].masks[3]
    assert torch.equal(own.roll(1, dims=0), other)


def test_a_full_frame_that_is_not_led_knows_nothing_of_the_mask_before(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2])], (False, True, True))
    net = network()
    with torch.no_grad():
        led = [walk_along(net, walk, mishaps=mishaps(3, way))[1] for way in ("truth", "gone")]
        unled = [
            walk_along(net, walk, mishaps=mishaps(3, way, "unled"))[1] for way in ("truth", "gone")
        ]
    assert not torch.equal(led[0].logits, led[1].logits)
    assert torch.equal(unled[0].logits, unled[1].logits)


def test_a_resumed_stream_ends_as_an_undisturbed_one(pool: HalvedPool, tmp_path: Path) -> None:
    def streamed(name: str) -> HalvedPool:
        return replace(pool, size=2, stream=ClipStream(0.5), folder=tmp_path / name)

    recipe = replace(RECIPE, clips=2)
    ClipStream.BEGINNING, beginning = 2, ClipStream.BEGINNING
    try:
        whole = train(job(streamed("a"), tmp_path / "whole", recipe))
        train(job(streamed("b"), tmp_path / "broken", recipe), stop_after=3)
        train(job(streamed("b"), tmp_path / "broken", recipe), stop_after=2)
        end = train(job(streamed("b"), tmp_path / "broken", recipe))
    finally:
        ClipStream.BEGINNING = beginning
    assert learnt(end.curve) == learnt(whole.curve)
    for name, tensor in whole.network.items():
        assert torch.equal(tensor, end.network[name]), name


def test_a_stage_ends_with_the_weights_that_validation_chose(
    pool: HalvedPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = iter([0.2, 0.9, 0.5])
    kept: list[torch.Tensor] = []

    def score(self: HalfJob, *_: object) -> dict[str, float]:
        kept.append(self.network.carry.fine.weight.clone())
        return {"reuse": next(values)}

    monkeypatch.setattr(HalfJob, "validate", score)
    first = replace(RECIPE, segmentation=replace(STAGE, steps=3), reuse=None)
    recipe = replace(first, choose=("video reuse",))
    chosen = HalfJob(recipe, network(), pool, None, tmp_path / "a", 1, 1, 1, videos=pool)
    state = train(chosen)
    assert state.best_value == pytest.approx(0.9)
    assert torch.equal(chosen.network.carry.fine.weight, kept[1])
    assert torch.equal(state.network["carry.fine.weight"], kept[1])
    assert not torch.equal(kept[1], kept[2])
    told = header(recipe, state, "tf_efficientnet_lite0", "", "")
    assert json.loads(told["validation"]) == {"video reuse": 0.9} and told["chosen_step"] == "2"
    wrong = replace(chosen, recipe=replace(first, choose=("video jf",)), folder=tmp_path / "b")
    monkeypatch.setattr(HalfJob, "validate", lambda *_: {"reuse": 1.0})
    with pytest.raises(InputError, match=r"'video jf'.*there are video reuse"):
        train(wrong)


def test_bfloat16_learns_from_clips_in_half_precision(pool: HalvedPool, tmp_path: Path) -> None:
    end = train(job(pool, tmp_path, replace(RECIPE, autocast=True)))
    losses = [point.value for point in end.curve if point.name == "loss"]
    assert len(losses) == 8 and all(0 < loss < 10 for loss in losses)


def test_what_drift_leaves_is_a_part_of_the_mask_or_it_and_a_copy() -> None:
    mask = torch.zeros(3, 1, 72, 128)
    mask[:, :, 20:40, 30:60] = 1
    right = [0.0, 0.5]
    left = with_drift(mask, torch.tensor([[*right, 0.2], [*right, 0.8], [0.25, 0.0, 0.2]]))
    assert torch.equal(left[0, 0, :, :45], mask[0, 0, :, :45])  # cut in the middle
    assert left[0, 0, :, 45:].sum() == 0
    assert torch.equal(left[1, 0, :, :55], mask[1, 0, :, :55]) and left[1, 0, 30, 65:80].min() == 1
    assert 0 < left[2].sum() < 0.3 * mask[2].sum()  # cut above the middle
    empty = torch.zeros_like(mask)
    assert torch.equal(with_drift(empty, torch.rand(3, 3)), empty)


def test_damage_reaches_the_masks_that_a_walk_goes_on_with(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2]), (1, [0, 1, 2])], (False, True, False))
    recipe = replace(RECIPE, truth_rate=1.0)
    with torch.no_grad():
        sound, broken = (
            walk_along(network(), walk, mishaps=Mishaps.draw(walk, changed, moment(2, 0)))
            for changed in (recipe, replace(recipe, damage_rate=1.0))
        )
    assert torch.equal(sound[0].carried.logits, broken[0].carried.logits)
    assert not torch.equal(sound[1].known[1].masks[3], broken[1].known[1].masks[3])


def test_it_learns_to_carry_a_bright_disk(pool: HalvedPool, tmp_path: Path) -> None:
    recipe = replace(RECIPE, segmentation=replace(STAGE, steps=60, batch=4), reuse=None)
    before = validate_half(network(), pool)
    learnt = job(pool, tmp_path, replace(recipe, fine_from=0.0))
    train(learnt)
    learnt.network.eval()
    after = validate_half(learnt.network, pool)
    assert after["reuse"] > before["reuse"] + 0.2 and after["full"] > before["full"] + 0.2


def test_the_gate_alone_leaves_all_else_as_it_was(pool: HalvedPool, tmp_path: Path) -> None:
    recipe = replace(RECIPE, segmentation=None, reuse=ReuseRecipe(STAGE, finetune="none"))
    alone = job(pool, tmp_path, recipe)
    before = {name: tensor.clone() for name, tensor in alone.network.state_dict().items()}
    train(alone)
    changed = {
        name for name, tensor in alone.network.state_dict().items()
        if not torch.equal(tensor, before[name])
    }  # fmt: skip
    assert changed and all(name.startswith("gate.") for name in changed)


def test_a_gate_may_be_asked_about_the_mask_that_reuse_would_give(pool: HalvedPool) -> None:
    walk = read_walk(pool, [(0, [0, 1, 2])], (False, True, False))
    with torch.no_grad():
        seen = walk_along(network(), walk)
    right = torch.where(walk.masks[2] > 0, 9.0, -9.0)
    half = torch.where(torch.arange(right.shape[-1]) % 2 > 0, right, -9.0)
    for logits, share in ((right, 1.0), (half, 0.5), (-right, 0.0)):
        frame = replace(seen[1], carried=seen[1].carried._replace(logits=logits))
        assert asked_iou(walk, 2, frame, "carried").item() == pytest.approx(share, abs=0.1)
    moved = mask_iou(walk.masks[1], walk.masks[2])
    assert torch.equal(asked_iou(walk, 2, seen[1], "last-full"), moved) and 0.1 < moved < 1
    asked = ReuseRecipe(STAGE, gate=GateRecipe(reference="carried"))
    assert replace(RECIPE, reuse=asked).reuse == asked
    for other in (Recipe, TtvosRecipe):
        with pytest.raises(InputError, match="reference carried"):
            other("g-frtm-lite", STAGE, asked)


def test_walks_stay_within_their_clips(pool: HalvedPool) -> None:
    walk = draw_walk(pool, replace(RECIPE, walk=99), moment(3, 0))
    assert len(walk.masks) == CLIPS.frames and len(walk.masks[0]) == 3
    with pytest.raises(InputError, match="a walk of 0 frames"):
        replace(RECIPE, walk=0)
