"""A registered model served to another environment: the same masks through the pipe."""

from __future__ import annotations

import sys
import tomllib
from decimal import Decimal
from pathlib import Path as FilePath

import pytest
import torch

from vosbench.baselines.errors import InputError
from vosbench.runners.external.config import read_config
from vosbench.runners.external.serve import ServedModel, config_text, served
from vosbench.runners.interface import ClipInfo, Frame, Precision, Runner, RunnerOptions, no_spans
from vosbench.runners.registry import resolve

CPU = torch.device("cpu")
OPTIONS = RunnerOptions(weights="random:0", tau=Decimal("0.0"))
MODEL = "g-frtm-lite+copy"
"""It is gated, and τ = 0 lets it copy, so that every path but REUSE is taken."""


def walk(runner: Runner) -> list[tuple[bytes, tuple[object, ...]]]:
    """Labels, and what is told of each object, frame by frame."""
    torch.manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 48, 64), dtype=torch.uint8)
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[10:30, 12:40] = True
    runner.load(CPU, Precision.FLOAT32)
    runner.start(ClipInfo("clip", 48, 64, len(images)))
    found = []
    for index, image in enumerate(images):
        if index == 0:
            runner.add_objects(Frame(0, image), {1: mask})
        step = runner.step(Frame(index, image), no_spans)
        told = tuple((o.id, o.path.value, o.p_gate) for o in step.objects)
        found.append((step.labels.numpy().tobytes(), told))
    return found


def test_masks_paths_and_gates_come_through(tmp_path: FilePath) -> None:
    config = tmp_path / "model.toml"
    config.write_text(config_text(served(MODEL), "random:0", ()) + "[timeouts]\nload_s = 60\n")
    through = resolve(f"subprocess:{config}").build(OPTIONS)
    try:
        assert walk(through) == walk(resolve(MODEL).steered(OPTIONS))
    finally:
        through.close()  # type: ignore[attr-defined]


def test_the_config_says_what_the_model_can(tmp_path: FilePath) -> None:
    (tmp_path / "code.py").write_text("")
    config = tmp_path / "model.toml"
    config.write_text(config_text(served(MODEL), "random:1", ("*.py",)))
    spec = read_config(config).spec()
    own = resolve(MODEL).spec
    assert (spec.takes_tau, spec.multi_object, spec.paths) == (True, own.multi_object, own.paths)
    values = tomllib.loads(config.read_text())
    assert values["command"][0] == sys.executable
    assert values["command"][-2:] == ["--weights", "random:1"]
    assert (values["files"], values["trained"]) == (["*.py"], False)
    assert values["version"] != tomllib.loads(config_text(served(MODEL), "random:2", ()))["version"]


def test_an_oracle_is_refused() -> None:
    with pytest.raises(InputError, match="annotated masks"):
        served("g-frtm-lite+g-iou")


def test_a_loaded_model_is_that_of_the_settings() -> None:
    model = ServedModel(served("g-frtm-lite"), "random:0")
    settings = {"device": "cpu", "precision": "float32", "seed": 3, "switches": {}}
    with pytest.raises(InputError, match="--tau"):
        model.load({**settings, "tau": None})
