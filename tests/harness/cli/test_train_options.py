"""What the options of ``vosbench train`` mean, and what they refuse; nothing is trained here."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cli_outcome import Vosbench
from safetensors.torch import save_file

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.margins import gate_request
from vosbench.harness.cli.train_options import TrainOptions, completed
from vosbench.harness.sweep.grid import parse_margins
from vosbench.harness.training.frtm.losses import Variant
from vosbench.harness.training.recipe import GateRecipe, Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.request import DataRequest, Folder
from vosbench.harness.training.runs import variant_name

PICTURES = ("x:2", "a:b")
GATED = TrainOptions("g-frtm-lite", pictures=PICTURES)


def test_defaults_are_the_published_ones() -> None:
    request = completed(GATED)
    recipe = request.recipe
    assert recipe.segmentation == StageRecipe(2000)
    assert recipe.segmentation.learning_rate == 5e-4
    assert recipe.reuse is not None
    gate = recipe.reuse.gate
    assert (gate.m1, gate.m2, gate.rate) == (1.0, 0.0, None)
    assert (gate.margin, gate.hinge, gate.reference) == ("code", "code", "last-full")
    assert request.data == DataRequest((Folder("x", 2.0), Folder("a:b")))


def test_options_change_the_recipe() -> None:
    given = replace(
        GATED,
        sets=(
            "data.height=64",
            "data.width=112",
            "data.frames=5",
            "clips=8",
            "segmentation.learning_rate=1e-3",
            "recipe.reuse.stage.learning_rate=1e-3",
            "reuse.gaps=[1,3]",
        ),
        steps="30,40",
        batch=4,
        margins="0.7,0.2",
        seed=5,
        motion=0.5,
        switches={
            "margin-m1": "paper",
            "gate-loss": "paper",
            "iou-reference": "paper",
            "clip-sampling": "paper",
        },
    )
    request = completed(given)
    stage = StageRecipe(30, batch=4, learning_rate=1e-3)
    gate = GateRecipe(0.7, 0.2, margin=Variant.PAPER, hinge=Variant.PAPER, reference="adjacent")
    reuse = ReuseRecipe(replace(stage, steps=40), gate, gaps=(1, 3))
    assert request.recipe == Recipe("g-frtm-lite", stage, reuse, clips=8, seed=5)
    assert request.data == DataRequest(
        (Folder("x", 2.0), Folder("a:b")), (), (), 0.5, 64, 112, 5, consecutive=True
    )


def test_plain_networks_and_later_stages_have_one_stage(tmp_path: Path) -> None:
    plain = completed(TrainOptions("frtm-lite", motion=1.0, steps="7")).recipe
    assert plain == Recipe("frtm-lite", StageRecipe(7), None)
    started = completed(
        replace(GATED, start=tmp_path / "a", steps="7", sets=("reuse.gate_only=true",))
    )
    assert started.recipe.segmentation is None
    assert started.recipe.reuse is not None
    assert (started.recipe.reuse.stage.steps, started.recipe.reuse.gate_only) == (7, True)
    first_only = completed(replace(GATED, steps="7,0")).recipe
    assert first_only.reuse is None


def test_a_recipe_file_is_read_and_changed(vosbench: Vosbench, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    asked = ("--pictures", "p:2", "--steps", "3,4", "--set", "reuse.gate.rate=0.4", "--seed", "7")
    written = vosbench("train", "g-frtm-lite", *asked, "--write-recipe", file)
    assert (written.code, written.err) == (0, "")
    request = completed(TrainOptions("g-frtm-lite", str(file), ("clips=9",)))
    assert request.recipe.reuse is not None
    assert (request.recipe.clips, request.recipe.seed, request.recipe.reuse.gate.rate) == (
        9,
        7,
        0.4,
    )
    assert request.data.pictures == (Folder("p", 2.0),)
    # A bare recipe, as a checkpoint's header holds it.
    file.write_text(request.recipe.to_json())
    bare = TrainOptions("g-frtm-lite", str(file), motion=1.0)
    assert completed(bare).recipe == request.recipe
    held = {"recipe": request.recipe.to_json()}
    save_file({"x": torch.zeros(1)}, tmp_path / "net.safetensors", held)
    given = replace(bare, recipe=str(tmp_path / "net.safetensors"))
    assert completed(given).recipe == request.recipe


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"recipe": {"model": "g-frtm-lite", "stages": 2}}, "unknown field 'stages'"),
        ({"recipe": {"model": "g-frtm-lite", "reuse": None}}, "lacks the field 'segmentation'"),
        ({"recipe": {"model": "frtm-hug"}}, "can't be trained; did you mean"),
        ({"recipe": {"model": 3}}, "names no model"),
        ({"data": {"motion": "much"}}, "data: motion is 'much', which is no number"),
        ({"data": {"frames": True}}, "which is no whole number"),
        ({"data": {"pictures": "x"}}, "which is no list"),
        ({"data": {"pictures": [{"path": "x", "weight": -1}]}}, "its weight is -1"),
    ],
)
def test_mistakes_in_a_recipe_file_are_named(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    stage = {"steps": 2}
    plain = {"recipe": {"model": "g-frtm-lite", "segmentation": stage, "reuse": {"stage": stage}}}
    (tmp_path / "r.json").write_text(json.dumps(plain))
    file = str(tmp_path / "r.json")
    completed(TrainOptions("g-frtm-lite", file, motion=1.0))
    (tmp_path / "r.json").write_text(json.dumps(plain | change))
    with pytest.raises(InputError, match=says):
        completed(TrainOptions("g-frtm-lite", file))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("frtm-lit", "--motion", "1"), "did you mean 'frtm-lite'"),
        (("frtm-lite",), "nothing to train on"),
        (("frtm-lite", "--pictures", "nix"), "no such folder of pictures"),
        (("frtm-lite", "--davis", "nix"), "no such folder of DAVIS"),
        (("frtm-lite", "--motion", "1", "--set", "data.height=big"), "which is no whole number"),
        (("frtm-lite", "--motion", "1", "--set", "data.height=8"), "too small"),
        (("frtm-lite", "--motion", "1", "--set", "data.hight=8"), "did you mean 'height'"),
        (("frtm-lite", "--motion", "1", "--set", "clips"), "write KEY=VALUE"),
        (("frtm-lite", "--motion", "1", "--set", "clips.x=1"), "clips has no fields"),
        (("frtm-lite", "--motion", "1", "--set", "segmentation.batch=0"), "batch of 0"),
        (("frtm-lite", "--motion", "1", "--set", "segmentation.epochs=2"), "data.epoch=N"),
        (("frtm-lite", "--motion", "1", "--set", "accumulate=3"), "can't be parted"),
        (("frtm-lite", "--motion", "1", "--set", "data.epoch=x"), "which is no whole number"),
        (("frtm-lite", "--motion", "1", "--device", "cuda:9"), "this machine has"),
        (("frtm-lite", "--motion", "1", "--device", "tpu"), "write auto, cpu, cuda or cuda:N"),
        (("frtm-lite", "--motion", "1", "--steps", "4,5"), "one stage only"),
        (
            ("frtm-lite", "--motion", "1", "--margins", "1,0"),
            "there is no recipe.reuse in this training",
        ),
        (("frtm-lite", "--motion", "1", "--switch", "comparison=code"), "acts when testing"),
        (("frtm-lite", "--motion", "1", "--precision", "fp16"), "bf16 and float32"),
        (("g-frtm-lite", "--motion", "1", "--steps", "4"), "write S1,S2"),
        (("g-frtm-lite", "--motion", "1", "--margins", "1.2,0"), "between 0 and 1"),
        (("g-frtm-lite", "--motion", "1", "--margins", "1"), "write m1,m2"),
        (("g-frtm-lite", "--motion", "1", "--set", "reuse.gate.rate=1"), "between 0 and 1"),
        (("g-frtm-lite", "--motion", "1", "--set", "reuse.gate_only=true"), "with --start"),
        (("g-frtm-lite", "--motion", "1", "--set", "reuse.gaps=[0]"), "from 1 on"),
        (("g-frtm-lite", "--motion", "1", "--start", "nix"), "no checkpoint at nix"),
        (("g-frtm-lite", "--motion", "1", "--start", "b.safetensors"), "another network"),
        (("g-frtm-lite", "--motion", "1", "--recipe", "nix"), "paper-davis, paper-ytvos"),
        (("g-frtm-lite", "--motion", "1", "--out", "a.pth"), "ends in .safetensors"),
        (("g-frtm-lite", "--motion", "1", "--out", "x/a.safetensors"), "make it first"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    vosbench: Vosbench, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    save_file({"refiner.x": torch.zeros(1)}, tmp_path / "b.safetensors")
    out = () if "--out" in options else ("--out", "a.safetensors")
    outcome = vosbench("train", *options, *out)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert outcome.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["b.safetensors"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--margins", "1,0"), "belong together"),
        (("--train", "default"), "belong together"),
        (("--margins", "1,0;x", "--train", "default"), "write m1,m2"),
        (("--margins", "1,0", "--train", "default", "--weights", "a"), "not both"),
        (("--margins", "1,0", "--train", "default", "--train-seeds", "a"), "whole numbers"),
        (("--margins", "1,0", "--train", "nix.json"), "nix.json: no such file"),
        (("--margins", "1,0", "--train", "n-gate.json", "--tau", "1"), "rate of reuse"),
        (("--margins", "1,0", "--train", "default"), "needs a threshold"),
    ],
)
def test_the_margins_stage_refuses_bad_input(
    vosbench: Vosbench, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    n_gate = ("--set", "reuse.gate.rate=0.5", "--write-recipe", "n-gate.json")
    assert vosbench("train", "g-frtm-lite", "--motion", "1", *n_gate).code == 0
    outcome = vosbench("run", "--models", "g-frtm-lite", *options)
    assert outcome.code == 2
    assert says in outcome.err
    assert not (tmp_path / "results.db").exists()


def write_davis(root: Path, names: str) -> None:
    (root / "ImageSets/2016").mkdir(parents=True)
    (root / "ImageSets/2016/train.txt").write_text(names)
    for name in names.split():
        for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
            folder = root / kind / "480p" / name
            folder.mkdir(parents=True)
            cv2.imwrite(str(folder / f"00000.{suffix}"), np.full((48, 80, 3), 255, np.uint8))


def test_validation_sequences_are_not_trained_on(tmp_path: Path) -> None:
    write_davis(tmp_path / "good", "ball\n")
    data = DataRequest(davis=(Folder(str(tmp_path / "good"), 2.0),)).open()
    assert [weight for weight, _ in data.videos] == [2.0]
    write_davis(tmp_path / "bad", "ball\ncamel\n")
    with pytest.raises(InputError, match=r"validation set .camel., on which"):
        DataRequest(davis=(Folder(str(tmp_path / "bad")),)).open()
    (tmp_path / "val").mkdir()
    with pytest.raises(InputError, match="no train list"):
        DataRequest(davis=(Folder(str(tmp_path / "val")),)).open()


def test_margins_are_pairs() -> None:
    pairs = parse_margins("1.0,0; 0.7,0.2;0.35,0.4;1,0.0")
    assert pairs == ((1, 0), (Decimal("0.7"), Decimal("0.2")), (Decimal("0.35"), Decimal("0.4")))


@pytest.mark.parametrize(
    ("gate", "name"),
    [
        (GateRecipe(1.0, 0.0), "m1.0-0.0"),
        (GateRecipe(0.7, 0.2), "m0.7-0.2"),
        (GateRecipe(0.35, 0.4), "m0.35-0.4"),
        (GateRecipe(rate=0.4), "ngate"),
    ],
)
def test_variants_are_named_as_shipped_ones_are(gate: GateRecipe, name: str) -> None:
    assert variant_name(gate) == name


def test_the_default_stage_trains_gates_of_the_shipped_network() -> None:
    request = gate_request("g-frtm-lite")
    assert request.start is not None and request.start.endswith("g-frtm-lite.safetensors")
    assert request.recipe.reuse is not None and request.recipe.reuse.gate_only
    assert request.data == DataRequest(motion=1.0)
