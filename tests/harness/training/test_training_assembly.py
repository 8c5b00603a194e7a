"""Trainings put together from names and folders."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training_toys import CLIPS, make_network, write_pictures

from vosbench.baselines.errors import InputError
from vosbench.baselines.frtm.network import GatedFrtmNetwork
from vosbench.harness.datasets import registry
from vosbench.harness.training import assemble
from vosbench.harness.training.assemble import TrainingData, prepare
from vosbench.harness.training.checkpoint import save
from vosbench.harness.training.data.videos import VideoClips
from vosbench.harness.training.loop import train
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe

STAGE = StageRecipe(1, batch=2)


@pytest.fixture
def toy_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks under the real names, with a random backbone."""
    for gated in (False, True):
        network = make_network(gated)
        name = "g-frtm-lite" if gated else "frtm-lite"
        monkeypatch.setitem(assemble.CONFIGS, name, network.config)
    weights = network.feature_extractor.state_dict()
    monkeypatch.setattr(assemble, "imagenet_state_dict", lambda name, file: weights)


def test_margins_are_trained_on_a_finished_network(toy_models: None, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 8)
    data = TrainingData(((1.0, tmp_path / "pictures"),), clips=CLIPS)
    recipe = Recipe("g-frtm-lite", STAGE, ReuseRecipe(STAGE, gaps=(1,)), clips=3)
    job = prepare(recipe, data, tmp_path / "cache", tmp_path / "a")
    state = train(replace(job, validation=None))
    path = tmp_path / "first.safetensors"
    statistics = job.pool.statistics
    save(path, job.network, statistics, recipe=recipe, state=state, data_sha256="", note="")
    gate_only = ReuseRecipe(STAGE, gaps=(1,), gate_only=True)
    other = Recipe("g-frtm-lite", None, gate_only, clips=3, seed=5)
    again = prepare(other, data, tmp_path / "cache", tmp_path / "b", start=path).network
    for name, tensor in job.network.state_dict().items():
        if tensor.is_floating_point() and not name.startswith("convGS"):
            torch.testing.assert_close(tensor, again.state_dict()[name], rtol=0.02, atol=0.02)
    assert isinstance(again, GatedFrtmNetwork) and isinstance(job.network, GatedFrtmNetwork)
    assert not torch.equal(again.convGS[1].weight, job.network.convGS[1].weight)
    # Without a second stage the reuse modules are taken over, too, and rest.
    refined = Recipe("g-frtm-lite", STAGE, None, clips=3, seed=5)
    resting = prepare(refined, data, tmp_path / "cache", tmp_path / "c", start=path)
    started = {name: t.clone() for name, t in resting.network.state_dict().items()}
    train(replace(resting, validation=None))
    for name, tensor in resting.network.state_dict().items():
        saved = job.network.state_dict()[name]
        torch.testing.assert_close(started[name], saved, rtol=0.02, atol=0.02)
        reuse = name.startswith(("convGS", "Tmatching", "Convert_Diff", "refiner.Diff_process"))
        assert not reuse or torch.equal(tensor, started[name]), name
    assert not torch.equal(
        resting.network.refiner.project.conv1.weight, started["refiner.project.conv1.weight"]
    )


def test_a_second_stage_needs_a_start(toy_models: None, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 8)
    data = TrainingData(((1.0, tmp_path / "pictures"),), motion=1.0, clips=CLIPS)
    recipe = Recipe("g-frtm-lite", None, ReuseRecipe(STAGE), clips=2)
    with pytest.raises(InputError, match="checkpoint to start from"):
        prepare(recipe, data, tmp_path / "cache", tmp_path / "a")


def test_unknown_models_and_empty_data_are_refused() -> None:
    with pytest.raises(InputError, match="frtm-lite"):
        assemble.config_of("frtm-huge")
    with pytest.raises(InputError, match="nothing to train on"):
        TrainingData().sources()


def write_davis(root: Path, frames: int = 6) -> None:
    images, masks = root / "JPEGImages/480p/ball", root / "Annotations/480p/ball"
    lists = root / "ImageSets/2016"
    for folder in (images, masks, lists):
        folder.mkdir(parents=True)
    for t in range(frames):
        image = np.full((48, 80, 3), 40, np.uint8)
        mask = np.zeros((48, 80), np.uint8)
        cv2.circle(mask, (20 + 5 * t, 24), 10, 255, -1)
        image[mask > 0] = 220
        cv2.imwrite(str(images / f"{t:05d}.jpg"), image)
        cv2.imwrite(str(masks / f"{t:05d}.png"), mask)
    (lists / "train.txt").write_text("ball\n")


def test_videos_give_consecutive_or_scattered_frames(tmp_path: Path) -> None:
    write_davis(tmp_path)
    dataset = registry.open("davis16-train", tmp_path)

    def centres(source: VideoClips, seed: int) -> list[float]:
        return [float(np.nonzero(m)[1].mean()) for m in source.draw(seed).masks]

    following = VideoClips(dataset, (24, 40), 4)
    steps = np.diff(centres(following, 1))
    assert steps == pytest.approx(np.full(3, 2.5), abs=0.5)
    assert following.draw(1).images.shape == (4, 24, 40, 3)
    scattered = VideoClips(dataset, (24, 40), 4, consecutive=False)
    assert any(np.diff(centres(scattered, seed)).min() < 0 for seed in range(5))
    assert following.sha256 != scattered.sha256
    with pytest.raises(InputError, match="annotated in 10 frames"):
        VideoClips(dataset, (24, 40), 10).draw(0)
