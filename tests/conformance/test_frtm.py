"""FRTM-fast and its gated form against the published implementation, with weights by recipe.

Tolerances are those of the vectors' README: largest difference relative to the array's largest
magnitude. The online optimiser is chaotic in float32, so its vectors run in float64.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path as FilePath

import numpy as np
import pytest
import torch
from recipe import recipe_tensors, salt_of
from torch import Tensor

from vosbench.baselines.frtm.network import (
    FRTM,
    FRTM_FAST,
    G_FRTM,
    G_FRTM_FAST,
    FrtmConfig,
    GatedFrtmNetwork,
    make_frtm,
)
from vosbench.baselines.frtm.reuse import p_gate
from vosbench.baselines.frtm.target import FRTM_FAST_TARGET, fit
from vosbench.runners.frtm import FrtmState, FrtmTracker
from vosbench.runners.interface import ClipInfo, Frame, Path, no_spans
from vosbench.runners.policies import Learned
from vosbench.runners.tracking import SharedWalk

Folder = Callable[[str], FilePath]
Seen = Callable[[str, float], float]
TARGET_KEYS = {
    "target_model.project.weight": (96, 256, 1, 1),
    "target_model.filter.weight": (1, 96, 3, 3),
}


def difference(ours: Tensor, theirs: np.ndarray) -> float:
    """Largest difference relative to the largest magnitude."""
    expected = torch.from_numpy(np.asarray(theirs)).to(torch.float64)
    gap = (ours.to(torch.float64).reshape(expected.shape) - expected).abs().max()
    return float(gap / expected.abs().max())


def recipe_network(folder: FilePath) -> GatedFrtmNetwork:
    network = make_frtm(G_FRTM_FAST)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(recipe_tensors(shapes, salt_of(folder)))
    assert isinstance(network, GatedFrtmNetwork)
    return network


def recipe_target(folder: FilePath) -> tuple[Tensor, Tensor]:
    tensors = recipe_tensors(TARGET_KEYS, salt_of(folder))
    project, kernel = (tensors[key].double() for key in TARGET_KEYS)
    return project.flatten(1), kernel[0].flatten(1)


@pytest.mark.parametrize(
    ("file", "config"),
    [
        ("frtm_resnet18", FRTM_FAST),
        ("frtm_resnet101", FRTM),
        ("g_frtm_resnet18", G_FRTM_FAST),
        ("g_frtm_resnet101", G_FRTM),
    ],
)
def test_state_dicts_have_the_published_keys(
    vectors: Folder, file: str, config: FrtmConfig
) -> None:
    published = json.loads(vectors(f"{file}_state_dict.json").read_text())
    with torch.device("meta"):
        own = make_frtm(config).state_dict()
    assert published == {
        key: list(value.shape)
        for key, value in own.items()
        if not key.startswith("feature_extractor.")
    }


@torch.inference_mode()
def test_modules(vectors: Folder, seen: Seen) -> None:
    folder = vectors("g_frtm_fast")
    network, stored = recipe_network(folder), np.load(folder / "modules.npz")
    given = {name: torch.from_numpy(stored[name]) for name in stored}
    f4, f8 = network.feature_extractor.first(given["image"])
    f16, f32 = network.feature_extractor.second(f8)
    template = network.Tmatching.Tgenerate(f8, given["mask8"])
    d = network.Tmatching.Tmatching(f8, given["score8"], template)
    delta = network.Convert_Diff(d)
    size = (96, 160)
    full = network.refiner((f4, f8, f16, f32), given["score16"], size)
    reused_r8 = network.refiner.translate(full.r8, delta)
    r4 = network.refiner.shallow(reused_r8, f8, f4, given["score16"] + delta)
    ours = {
        "f4": f4,
        "f8": f8,
        "f16": f16,
        "f32": f32,
        "template": template,
        "D": d,
        "gate_logits": network.convGS(d),
        "p_gate": p_gate(network.convGS(d)),
        "delta": delta,
        "logits_full": full.logits,
        "R8": full.r8,
        "logits_reuse": network.refiner.project(r4, size),
    }
    differences = {k: seen(k, difference(value, stored[k])) for k, value in ours.items()}
    assert max(differences.values()) <= 1e-4, differences


def test_target_model_in_float64(vectors: Folder, seen: Seen) -> None:
    folder = vectors("g_frtm_fast")
    stored = np.load(folder / "target_model.npz")
    features = torch.from_numpy(stored["features"]).double()
    masks = torch.from_numpy(stored["masks"])[:, 0].double()
    model = fit(FRTM_FAST_TARGET, recipe_target(folder), features, masks)
    gaps = {
        "project_init": [difference(model.project, stored["project_init"])],
        "filter_init": [difference(model.kernel, stored["filter_init"])],
        "scores": [],
        "filters": [],
    }
    for t, label in enumerate(stored["update_labels"]):
        query = torch.from_numpy(stored["query"][t]).double()
        score, model = model.score(query), model.scored()
        model = model.updated(query, torch.from_numpy(label[0, 0]).double())
        gaps["scores"].append(difference(score, stored["scores"][t]))
        gaps["filters"].append(difference(model.kernel, stored["filters"][t]))
    gaps["memory_weights"] = [difference(model.memory.weights, stored["memory_weights"])]
    worst = {name: seen(name, max(found)) for name, found in gaps.items()}
    assert max(worst.values()) <= 1e-5, worst


def published_augmentation(image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    def five(x: Tensor) -> Tensor:
        rolled = [x.roll((24, 40), (-2, -1)), x.roll((-24, -40), (-2, -1))]
        return torch.stack([x, x.flip(-1), *rolled, x.flip(-2)])

    return five(image), five(mask)


@pytest.mark.slow
def test_tracking_in_float64_with_a_late_object(vectors: Folder, seen: Seen) -> None:
    folder = vectors("g_frtm_fast")
    stored = np.load(folder / "tracking64.npz")
    project, kernel = recipe_target(folder)
    tracker = FrtmTracker(
        recipe_network(folder).double(),
        published_augmentation,
        lambda like: (project.to(like), kernel.to(like)),
    )
    frames = torch.from_numpy(stored["frames"])
    height, width = frames.shape[-2:]
    tau = Decimal(str(float(stored["tau"])))
    walk = SharedWalk(tracker, ClipInfo("vectors", height, width, len(frames)), (Learned(tau),))
    given = {0: {1: stored["labels_0"]}, 3: {2: stored["labels_3"]}}
    for t, image in enumerate(frames):
        frame = Frame(t, image)
        if t in given:
            masks = {i: torch.from_numpy(m[0]) > 0 for i, m in given[t].items()}
            walk.add_objects(frame, masks)
        (step,) = walk.step(frame, no_spans)
        differing = float(np.mean(step.labels.numpy() != stored["labels"][t]))
        assert seen(f"labels of frame {t} (pixels)", differing) <= 1e-5
        for o in step.objects:
            expected = stored["gate"][t, o.id - 1]
            assert (o.path is Path.REUSE) == (expected == 1), (t, o.id)
            if o.p_gate is not None:
                gap = abs(o.p_gate - float(stored["p_gate"][t, o.id - 1]))
                assert seen(f"p_gate of frame {t}, object {o.id}", gap) <= 1e-5
    for index, held in walk.states(0).items():
        assert isinstance(held, FrtmState)
        gap = difference(held.target.kernel, stored[f"filter_{index}"])
        assert seen(f"filter_{index}", gap) <= 1e-5
        assert held.target.classified == stored["classified"][index - 1]
