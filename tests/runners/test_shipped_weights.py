"""Weights that come along: stand-ins for published ones say so wherever they are named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from safetensors.torch import save_file

from vosbench.baselines import imagenet
from vosbench.baselines.checkpoints import random_tensors
from vosbench.baselines.frtm.network import G_FRTM_FAST, make_frtm
from vosbench.runners import shipped
from vosbench.runners.interface import RunnerOptions
from vosbench.runners.registry import resolve


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path)
    return tmp_path


def write(path: Path, note: str) -> None:
    tensors = {k: v.contiguous() for k, v in random_tensors(make_frtm(G_FRTM_FAST), 3).items()}
    save_file(tensors, path, {"note": note, "trained": "true"})


def test_a_stand_in_says_so_in_its_name_and_in_the_listing(folder: Path) -> None:
    note = "demonstration weights: trained on made-up pictures; not the paper's"
    write(folder / "g-frtm-fast.safetensors", note)
    plain = resolve("frtm-fast").build(RunnerOptions())
    gated = resolve("g-frtm-fast").build(RunnerOptions(tau=Decimal(1)))
    for runner in (plain, gated):
        assert runner.weights.name == "shipped:g-frtm-fast (demonstration)"
        assert runner.weights.note == note
    assert shipped.shipped_variants("g-frtm-fast") == ("default (demonstration)",)
    assert shipped.shipped_variants("frtm-fast") == ("default (demonstration)",)
    assert shipped.shipped_variants("frtm-fastr") == ()


def test_the_file_brings_the_backbone(folder: Path) -> None:
    write(folder / "g-frtm-fast.safetensors", "trained")
    gated = resolve("g-frtm-fast").build(RunnerOptions(tau=Decimal(1)))
    expected = random_tensors(make_frtm(G_FRTM_FAST), 3)
    own = gated.network.state_dict()  # type: ignore[attr-defined]
    key = "feature_extractor.layer4.1.conv2.weight"
    assert own[key].equal(expected[key])
    assert gated.weights.name == "shipped:g-frtm-fast"
    assert shipped.shipped_variants("g-frtm-fast") == ("default",)


@pytest.mark.parametrize("model", ["frtm-fast", "g-frtm-fast"])
def test_what_ships_for_the_papers_models_is_marked(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(imagenet, "_cached", lambda name: tmp_path / name)  # a bare machine
    runner = resolve(model).build(RunnerOptions(tau=Decimal(1)))
    assert runner.weights.name == "shipped:g-frtm-fast (demonstration)"
    assert runner.weights.trained
    note = runner.weights.note
    assert "not the paper's" in note and "about 4,000 pictures" in note
    path = shipped.shipped_path(model, None)
    assert path is not None and path.stat().st_size <= 25 * 2**20
