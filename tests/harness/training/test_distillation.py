"""Distillation: the loss falls, a killed run goes on as if it had not been, the outcome loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_toys import learnt, untrained_teacher, write_pictures
from typer.testing import CliRunner

from vosbench.baselines import imagenet
from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.training import distillation, processes
from vosbench.harness.training.data.crops import draw_crops
from vosbench.harness.training.distillation import (
    LEVELS,
    Distillation,
    Distilled,
    backbone_tensors,
    distil,
    open_distillation,
    write_backbone,
)
from vosbench.harness.training.distillation_recipe import DistillationRecipe
from vosbench.harness.training.loop import TrainingProgress
from vosbench.harness.training.processes import Processes
from vosbench.harness.training.state import load_state

RECIPE = DistillationRecipe(steps=6, batch=2, size=32)


@pytest.fixture(autouse=True)
def own_teacher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A teacher that needs no ImageNet weights: these tests are about the student."""
    weights = untrained_teacher()
    monkeypatch.setattr(distillation, "imagenet_state_dict", lambda name: weights)
    yield


def job(
    root: Path, folder: str, recipe: DistillationRecipe = RECIPE, save_every: int = 2
) -> Distillation:
    pictures = root / "pictures"
    kept = (
        write_pictures(pictures) if not pictures.exists() else distillation.open_pictures(pictures)
    )
    training, held = replace(kept, files=kept.files[:4]), replace(kept, files=kept.files[4:])
    return Distillation(recipe, training, held, root / folder, save_every, 3, 1)


class KilledError(Exception):
    """What ends a run without warning."""


def killer(at: int):
    def report(news: TrainingProgress) -> None:
        if news.step == at:
            raise KilledError

    return report


def test_resumed_run_equals_an_undisturbed_one(tmp_path: Path) -> None:
    whole = distil(job(tmp_path, "whole"))
    with pytest.raises(KilledError):
        distil(job(tmp_path, "broken"), killer(3))  # between two saves
    distil(job(tmp_path, "broken"), stop_after=1)
    resumed = distil(job(tmp_path, "broken"))
    for name, tensor in whole.backbone.state_dict().items():
        assert torch.equal(tensor, resumed.backbone.state_dict()[name]), name
    assert resumed.unexplained == whole.unexplained
    key = job(tmp_path, "whole").key
    curves = [load_state(tmp_path / n / "distillation.pt", key).curve for n in ("whole", "broken")]
    assert learnt(curves[0]) == learnt(curves[1])


def test_speed_is_in_the_curve(tmp_path: Path) -> None:
    heard: list[TrainingProgress] = []
    distil(job(tmp_path, "run"), heard.append, stop_after=2)
    first = heard[0].values
    assert first["speed/pictures per s"] > 0 and 0 <= first["speed/waiting"] < 1


def test_accumulated_gradients_are_those_of_the_parts(tmp_path: Path) -> None:
    """One part's gradient where both hold the same pictures; a recipe of its own."""
    whole = replace(RECIPE, batch=4, steps=1)
    parted = replace(whole, accumulate=2)
    assert "accumulate" not in whole.to_json() and '"accumulate": 2' in parted.to_json()
    ends = [distil(job(tmp_path, n, r)).backbone for n, r in (("a", whole), ("b", parted))]
    one, two = (end.state_dict()["conv1.weight"] for end in ends)
    assert not torch.equal(one, two)  # batch norm sees a part at a time
    torch.testing.assert_close(one, two, atol=5e-3, rtol=0)  # one step of 2e-3 at most, each
    for mistake in (3, 4, 0):
        with pytest.raises(InputError, match="can't be parted"):
            replace(whole, accumulate=mistake)


def test_the_students_layers_are_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **_: compiled.append(self))
    end = distil(replace(job(tmp_path, "a"), compiled=True), stop_after=1).backbone
    assert end.get_submodule("layer3") in compiled
    assert not any("EfficientNet" in type(module).__name__ for module in compiled)


def test_loss_falls_on_a_fixed_picture_and_held_out_ones_are_scored(tmp_path: Path) -> None:
    recipe = replace(RECIPE, steps=30, batch=3, size=64, smallest=0.9)
    heard: list[TrainingProgress] = []
    distilled = distil(job(tmp_path, "run", recipe, save_every=99), heard.append)
    losses = [news.values["loss"] for news in heard if "loss" in news.values]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert set(distilled.unexplained) == set(LEVELS)
    validated = [n for n in heard if "validation/f16" in n.values]
    assert validated[-1].values["validation/f16"] == pytest.approx(distilled.unexplained["f16"])
    assert not distilled.backbone.training
    assert not any(p.requires_grad for p in distilled.backbone.parameters())


def test_the_backbone_loads_where_a_training_takes_it_from(tmp_path: Path) -> None:
    distilled = distil(job(tmp_path, "run"), stop_after=2)
    path = tmp_path / "resnet18.pth"
    write_backbone(path, distilled.backbone)
    loaded = make_backbone("resnet18")
    loaded.load_state_dict(imagenet.resnet_state_dict("resnet18", path))
    for name, tensor in backbone_tensors(distilled.backbone).items():
        assert torch.equal(loaded.state_dict()[name], tensor.to(loaded.state_dict()[name].dtype))
    assert loaded.state_dict()["bn1.num_batches_tracked"] == 2


def test_foreign_state_and_impossible_recipes_are_refused(tmp_path: Path) -> None:
    distil(job(tmp_path, "run"), stop_after=2)
    with pytest.raises(InputError, match="another recipe or other data"):
        distil(job(tmp_path, "run", replace(RECIPE, seed=1)))
    for mistake in ({"steps": 0}, {"batch": 1}, {"size": 40}):
        with pytest.raises(InputError, match="multiple of 32"):
            replace(RECIPE, **mistake)
    with pytest.raises(InputError, match="images"):
        open_distillation(RECIPE, tmp_path / "nowhere", tmp_path)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(20, 90), st.integers(20, 90))
def test_crops_have_one_size_and_depend_on_the_seed_alone(
    seed: int, height: int, width: int
) -> None:
    images = [np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)]
    first, again = (draw_crops(images, 2, 32, 0.3, np.random.default_rng(seed)) for _ in range(2))
    assert [crop.shape for crop in first] == [(32, 32, 3)] * 2
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    (second,) = draw_crops(images, 2, 32, 0.3, np.random.default_rng(seed), own=[1])
    assert np.array_equal(second, first[1])  # a part of a batch has the whole batch's chances


def test_rate_rises_then_falls_to_nothing() -> None:
    rates = [DistillationRecipe(steps=100).rate(step) for step in range(100)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert max(rates) == pytest.approx(2e-3)
    assert rates[-1] < 1e-5


def test_all_processes_but_the_first_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    ranks = iter((1, 0))
    monkeypatch.setattr(processes, "joined", lambda _: nullcontext(Processes(next(ranks), 2)))
    end = Distilled(RECIPE, make_backbone("resnet18"), {}, 1.0)
    monkeypatch.setattr(distillation, "distil", lambda job, report: end)
    command = ["distil", "resnet18", "--pictures", "pictures", "--out", "r.pth", "--device", "cpu"]
    for written in (False, True):
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 0, said.output
        assert Path("r.pth").exists() is written and ("r.pth" in said.stdout) is written


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="batch of 2 can't be parted among 3 processes"):
        distil(replace(job(tmp_path, "run"), processes=Processes(0, 3)))


def test_the_command_goes_on_and_says_what_came_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "pictures", 60)  # of which some are held out, by their names
    monkeypatch.chdir(tmp_path)
    command = ["distil", "resnet18", "--pictures", "pictures", "--out", "r.pth", "--steps", "2"]
    command += ["--batch", "2", "--size", "32"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert "r.pth: 2 steps" in first.output
    assert "unexplained on held-out pictures: f4" in first.output
    written = (tmp_path / "r.pth").read_bytes()
    (tmp_path / "r.pth").unlink()
    again = CliRunner().invoke(app, command)  # from the state that is kept
    assert again.exit_code == 0
    assert (tmp_path / "r.pth").read_bytes() == written
    for change, says in (
        (["resnet34", *command[2:]], "no student resnet34"),
        (["resnet18", *command[2:5], "none/r.pth"], "no folder"),
        (["resnet18", *command[2:], "--seed", "1"], "another recipe"),
        (["resnet18", *command[2:], "--device", "cuda:7"], "this machine has"),
        (["resnet18", *command[2:], "--precision", "fp16"], "bf16 and float32"),
        (["resnet18", *command[2:], "--accumulate", "2"], "can't be parted"),
    ):
        refused = CliRunner().invoke(app, ["distil", *change])
        assert isinstance(refused.exception, InputError)
        assert says in str(refused.exception)
