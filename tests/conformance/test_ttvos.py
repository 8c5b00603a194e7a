"""TTVOS against the published code's outputs; tolerances are those of the vectors' README."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from recipe import recipe_tensors, salt_of
from torch import Tensor

from vosbench.baselines.ttvos.aggregate import aggregate
from vosbench.baselines.ttvos.models import TTVOS, make_ttvos
from vosbench.baselines.ttvos.network import Ttvos

Seen = Callable[[str, float], float]


@pytest.fixture(scope="module")
def folder(vectors: Callable[[str], Path]) -> Path:
    return vectors("ttvos")


@pytest.fixture(scope="module")
def shapes(folder: Path) -> dict[str, list[int]]:
    loaded: dict[str, list[int]] = json.loads((folder / "state_dict.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def network(folder: Path, shapes: Mapping[str, list[int]]) -> Ttvos:
    network = make_ttvos(TTVOS)
    network.load_state_dict(recipe_tensors(shapes, salt_of(folder)), strict=True)
    return network


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Tensor]:
    with np.load(folder / "tracking.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


@dataclass(frozen=True)
class Tracked:
    labels: Tensor
    probabilities: Tensor
    template: Tensor
    update_weight: Tensor


@pytest.fixture(scope="module")
def tracked(network: Ttvos, expected: Mapping[str, Tensor]) -> Tracked:
    """Track all objects from frame 0 on; results of frames 1 and later."""
    frames, labels0 = expected["frames"], expected["labels0"]
    ids = torch.from_numpy(np.unique(labels0.numpy()))  # ascending, 0 for background first
    labels, probabilities = [], []
    with torch.inference_mode():
        features = network.features(frames[0])
        states = [network.begin_object(features, labels0 == i) for i in ids[1:]]
        for image in frames[1:]:
            features = network.features(image)
            segments = [
                network.segment_full(features, state, network.match(features, state))
                for state in states
            ]
            p = torch.cat([segment.probability for segment in segments])
            competed = aggregate(p)
            states = [
                network.advance(features, *of_object)
                for of_object in zip(states, segments, competed.masks.split(1), strict=True)
            ]
            labels.append(ids[features.padding.crop(competed.winner)])
            probabilities.append(features.padding.crop(p).clamp(1e-7, 1 - 1e-7))
    return Tracked(
        torch.stack(labels),
        torch.stack(probabilities, dim=1),
        states[0].template,
        segments[0].update_weight,
    )


def relative(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference relative to the array's largest magnitude."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def test_layout_is_the_published_one(shapes: Mapping[str, list[int]]) -> None:
    ours = {key: list(value.shape) for key, value in make_ttvos(TTVOS).state_dict().items()}
    assert ours == shapes


def test_probabilities(tracked: Tracked, expected: Mapping[str, Tensor], seen: Seen) -> None:
    gap = relative(tracked.probabilities, expected["probs"][:, 1:])
    assert seen("probs", gap) <= 1e-3


def test_template_after_the_last_frame(
    tracked: Tracked, expected: Mapping[str, Tensor], seen: Seen
) -> None:
    gap = relative(tracked.template, expected["template_1"])
    assert seen("template_1", gap) <= 3e-4


def test_update_weight_of_the_last_frame(
    tracked: Tracked, expected: Mapping[str, Tensor], seen: Seen
) -> None:
    gap = relative(tracked.update_weight, expected["update_weight_1"])
    assert seen("update_weight_1", gap) <= 1e-4


def test_labels(tracked: Tracked, expected: Mapping[str, Tensor], seen: Seen) -> None:
    differing = float((tracked.labels != expected["segs"][1:]).double().mean())
    assert seen("segs (pixels)", differing) <= 1e-3
