"""Toy data for the tests of training: small pictures, clips, networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.frtm.network import FRTM_LITE, G_FRTM_LITE, FrtmNetwork, make_frtm
from vosbench.baselines.frtm.target import TargetConfig
from vosbench.harness.store import SPEED
from vosbench.harness.training.data.encoding import Encoder
from vosbench.harness.training.data.pictures import PictureFolder, open_pictures
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.data.synthetic import SyntheticClips, SyntheticConfig
from vosbench.harness.training.moment import Moment, Part
from vosbench.harness.training.recipe import StageRecipe
from vosbench.harness.training.state import CurvePoint

TARGET = TargetConfig(joint_steps=(3, 3), filter_iterations=2, channels=8, capacity=8)
CONFIG = replace(FRTM_LITE, width=8, match_width=8, target=TARGET)
GATED = replace(G_FRTM_LITE, width=8, match_width=8, target=TARGET)
CLIPS = SyntheticConfig(height=64, width=96, frames=5)


def write_pictures(root: Path, count: int = 6) -> PictureFolder:
    """Noisy pictures of a bright disk each."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for index in range(count):
        rng = np.random.default_rng(index)
        image = rng.integers(0, 90, (60, 80, 3)).astype(np.uint8)
        mask = np.zeros((60, 80), np.uint8)
        centre = tuple(int(v) for v in rng.integers((30, 22), (50, 38)))
        cv2.circle(mask, centre, int(rng.integers(10, 20)), 255, -1)
        image[mask > 0] = rng.integers(120, 255, 3)
        cv2.imwrite(str(root / "images" / f"{index:03d}.jpg"), image)
        cv2.imwrite(str(root / "masks" / f"{index:03d}.png"), mask)
    return open_pictures(root)


def make_encoder() -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Encoder(make_backbone("tf_efficientnet_lite0"), TARGET)


def untrained_teacher(name: str = "tf_efficientnet_lite0") -> dict[str, torch.Tensor]:
    """Weights of a teacher that needs none of ImageNet's."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return make_backbone(name).state_dict()


def make_pool(root: Path, size: int = 4) -> ClipPool:
    pictures = write_pictures(root / "pictures")
    return ClipPool(SyntheticClips(pictures, CLIPS), make_encoder(), root / "cache", size)


def make_network(gated: bool) -> FrtmNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = make_frtm(GATED if gated else CONFIG)
    network.feature_extractor.load_state_dict(make_encoder().backbone.state_dict())
    return network


def moment(batch: int, seed: int, progress: float = 0.0, part: Part = Part()) -> Moment:  # noqa: B008
    """A step of a stage with so many samples, at some progress of it."""
    stage = StageRecipe(100, batch=batch)
    return Moment(stage, round(progress * 100), np.random.default_rng(seed), part)


def learnt(curve: list[CurvePoint]) -> list[CurvePoint]:
    """A curve without its speeds, which no two runs have in common."""
    return [point for point in curve if not point.name.startswith(SPEED)]
