"""The paper's recipes: the numbers that docs/training.md lists, and 20 steps of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_toys import make_network, moment

from vosbench.baselines import imagenet
from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.frtm.network import G_FRTM_FAST, GatedFrtmNetwork
from vosbench.harness.cli.train_options import TrainOptions, completed
from vosbench.harness.datasets.palette import write_labels
from vosbench.harness.store import VALIDATION
from vosbench.harness.training import assemble
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.frtm.sequences import draw_sequences, sequence_losses
from vosbench.harness.training.loop import Cadence
from vosbench.harness.training.recipe import GateRecipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.runs import plan_training

RECIPES = ("paper-davis", "paper-ytvos")
SIDES = (48, 64)


def write_videos(root: Path, names: Sequence[str], suffix: str) -> None:
    """Eight frames each of a square that moves over noise; ``suffix`` leads to the videos."""
    for number, name in enumerate(names):
        for t in range(8):
            rng = np.random.default_rng([number, t])
            image = rng.integers(0, 90, (*SIDES, 3)).astype(np.uint8)
            labels = np.zeros(SIDES, np.uint8)
            labels[10 + t : 30 + t, 8 + 3 * t : 28 + 3 * t] = 1
            image[labels > 0] = (200, 120, 40 * number)
            for kind in ("JPEGImages", "Annotations"):
                (root / kind / suffix / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / "JPEGImages" / suffix / name / f"{t:05d}.jpg")
            write_labels(root / "Annotations" / suffix / name / f"{t:05d}.png", labels)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Roots of a small DAVIS and a small YouTube-VOS."""
    root = tmp_path_factory.mktemp("videos")
    davis, ytvos = root / "DAVIS", root / "YouTube-VOS"
    write_videos(davis, ("ball", "box"), "480p")
    (davis / "ImageSets/2017").mkdir(parents=True)
    (davis / "ImageSets/2017/train.txt").write_text("ball\nbox\n")
    names = ("0a", "0b", "0c")
    write_videos(ytvos / "train", names, "")
    frames = [f"{t:05d}" for t in range(8)]
    thing = {"1": {"category": "box", "frames": frames}}
    meta = {"videos": {name: {"objects": thing} for name in names}}
    (ytvos / "train/meta.json").write_text(json.dumps(meta))
    return str(davis), str(ytvos)


def options(recipe: str, folders: tuple[str, str], *sets: str) -> TrainOptions:
    davis, ytvos = folders
    return TrainOptions("g-frtm-fast", recipe, sets, davis=(davis,), ytvos=(ytvos,))


@pytest.mark.parametrize("name", RECIPES)
def test_its_json_holds_the_papers_numbers(name: str, folders: tuple[str, str]) -> None:
    request = completed(options(name, folders)).counted()
    written = json.loads(request.to_json())
    recipe, data = written["recipe"], written["data"]
    joint = recipe["reuse"]["stage"]
    # Section 4, implementation details.
    assert (joint["epochs"], joint["batch"], joint["learning_rate"]) == (260, 8, 5e-4)
    assert data["frames"] == 6
    # Section 3.4: ep_T = 120; footnote 1: τ = 0.5.
    assert recipe["reuse"]["gate"]["reach"] == 120 / 260
    assert recipe["reuse"]["tau"] == 0.5
    # M(1, 0); section 4.3: M(0.5, 0) after a training without the modules.
    margins = (recipe["reuse"]["gate"]["m1"], recipe["reuse"]["gate"]["m2"])
    assert margins == ((1.0, 0.0) if name == "paper-davis" else (0.5, 0.0))
    assert recipe["segmentation"] == (None if name == "paper-davis" else joint)
    # Where text and code differ, the code, as everywhere: docs/training.md.
    gate = recipe["reuse"]["gate"]
    assert (gate["margin"], gate["hinge"], gate["reference"]) == ("code", "code", "last-full")
    assert (data["height"], data["width"], data["consecutive"]) == (480, 854, False)
    # FRTM's training, which the paper follows.
    assert joint["weight_decay"] == 1e-5 and joint["decay"] == 0.1
    assert joint["milestones"] == [127 / 260, 254 / 260]
    (davis,), (ytvos,) = data["davis"], data["ytvos"]
    assert (davis["weight"], ytvos["weight"], data["epoch"]) == (8 * 144, 4000, 8 * 144 + 4000)
    assert joint["steps"] == 260 * 5152 / 8
    assert (recipe["sequences"], recipe["reuse"]["finetune"], data["cached"]) == (
        True,
        "all",
        False,
    )


@pytest.mark.parametrize(("name", "steps"), [("paper-davis", "20"), ("paper-ytvos", "10,10")])
def test_twenty_steps_of_it_run(
    name: str,
    steps: str,
    folders: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = replace(G_FRTM_FAST.target, joint_steps=(1,), filter_iterations=1)
    narrow = replace(G_FRTM_FAST, width=32, match_width=16, target=target)
    monkeypatch.setitem(assemble.CONFIGS, "g-frtm-fast", narrow)
    monkeypatch.setattr(imagenet, "_cached", lambda name: tmp_path / "nowhere" / name)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        torch.save(make_backbone("resnet18").state_dict(), tmp_path / "own.pth")
    given = options(name, folders, "data.height=32", "data.width=48", "clips=2")
    given = replace(given, steps=steps, backbone=tmp_path / "own.pth")
    planned = plan_training(completed(given), cache=tmp_path / "cache", folder=tmp_path / "state")
    assert planned.steps == 20
    state = planned.opened.train(tmp_path / "state", Cadence(log=1, workers=0), lambda news: None)
    assert (state.step, not list((tmp_path / "cache").rglob("0*.safetensors"))) == (
        20 if name == "paper-davis" else 10,
        True,  # nothing is cached
    )
    losses = {
        series: [point.value for point in state.curve if point.name == series]
        for series in ("loss", "gate", "delta", "bce")
    }
    assert len(losses["bce"]) == 20 and np.isfinite(losses["loss"]).all()
    assert len(losses["gate"]) == (20 if name == "paper-davis" else 10)
    assert np.mean(losses["bce"][-3:]) < 0.8 * losses["bce"][0]
    assert not any(point.name.startswith(VALIDATION) for point in state.curve)
    planned.opened.save(tmp_path / "net.safetensors", state, "a toy")
    assert (tmp_path / "net.safetensors").stat().st_size > 2**17


def gated() -> GatedFrtmNetwork:
    network = make_network(True)
    assert isinstance(network, GatedFrtmNetwork)
    return network


@pytest.mark.parametrize(("tau", "path"), [(1.0, "full"), (-1.0, "reuse")])
def test_the_threshold_chooses_the_path(toy_pool: ClipPool, tau: float, path: str) -> None:
    network = gated()
    network.requires_grad_(False)
    network.refiner.requires_grad_(True)
    frames = draw_sequences(toy_pool, moment(2, 0))
    assert len(frames) == 5 and torch.equal(frames[0].masks[0], _first_masks(toy_pool)[0])
    recipe = ReuseRecipe(StageRecipe(10), GateRecipe(), finetune="all", tau=tau)
    terms = sequence_losses(network, frames, recipe, 0.5, 0.0)
    assert set(terms) == {"gate", "delta", "bce"}
    terms["bce"].backward()
    translator = network.refiner.Diff_process
    assert translator is not None
    learnt = sum(float(p.grad.abs().sum()) for p in translator.parameters() if p.grad is not None)
    assert (learnt > 0) == (path == "reuse")
    deep = network.refiner.TSE["layer5"].reduce[0].weight.grad
    assert deep is not None and float(deep.abs().sum()) > 0  # through R8 of frame 0 at least


def _first_masks(pool: ClipPool) -> list[torch.Tensor]:
    drawn = pool.choose(2, moment(2, 0).rng)
    return [pool.masks(int(index), [0])[0] for index in drawn]


def test_each_sample_keeps_the_score_of_its_own_last_full_frame(toy_pool: ClipPool) -> None:
    """With every frame reused, S stays the given mask; with none, each frame's own score."""
    network, frames = gated(), draw_sequences(toy_pool, moment(1, 0))
    seen: list[torch.Tensor] = []
    match = network.Tmatching.match
    network.Tmatching.match = lambda f8, score, template: (  # type: ignore[method-assign]
        seen.append(score) or match(f8, score, template)
    )
    recipe = ReuseRecipe(StageRecipe(10), finetune="all", tau=-1.0)
    with torch.no_grad():
        sequence_losses(network, frames, recipe, 0.5, 0.0)
        assert all(torch.equal(score, seen[0]) for score in seen)
        seen.clear()
        sequence_losses(network, frames, replace(recipe, tau=1.0), 0.5, 0.0)
    assert [torch.equal(s, f.scores) for s, f in zip(seen[1:], frames[1:-1], strict=True)] == [
        True
    ] * 3


def test_a_recipe_without_a_model_serves_others(folders: tuple[str, str]) -> None:
    other = completed(replace(options("paper-davis", folders), model="g-frtm"))
    assert other.recipe.model == "g-frtm"
    same = completed(options("paper-davis", folders))
    assert asdict(other.recipe) | {"model": ""} == asdict(same.recipe) | {"model": ""}
