"""Compiled layers learn what eager ones do, and a compiled training resumes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import test_half_training
import test_ttvos_training
import together
from training_toys import CLIPS, make_encoder, make_network, make_pool

from vosbench.harness.training import device, loop
from vosbench.harness.training.data.pictures import open_pictures
from vosbench.harness.training.data.pool import HalvedPool
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.frtm.gate_only import GateJob
from vosbench.harness.training.frtm.job import FrtmJob
from vosbench.harness.training.loop import TrainingJob, train
from vosbench.harness.training.recipe import Recipe, ReuseRecipe, StageRecipe
from vosbench.harness.training.state import CurvePoint

Make = Callable[[Path], TrainingJob]
STAGE = StageRecipe(4, batch=4, learning_rate=2e-3)
GATE = Recipe("g-frtm-lite", None, ReuseRecipe(STAGE, gaps=(1, 2), gate_only=True), clips=2)


def gate(root: Path) -> Make:
    pool = make_pool(root, 2)
    return lambda folder: GateJob(GATE, make_network(True), pool, None, folder, 99, 99, 1)


def frtm(recipe: str, root: Path) -> Make:
    pool = make_pool(root)
    chosen = together.RECIPES[recipe]
    return lambda folder: FrtmJob(chosen, make_network(True), pool, None, folder, 99, 99, 1)


def half(root: Path) -> Make:
    make_pool(root)
    source = SyntheticClips(open_pictures(root / "pictures"), CLIPS)
    pool = HalvedPool(source, make_encoder(), root / "cache", 4)
    return lambda folder: test_half_training.job(pool, folder)


def ttvos(root: Path) -> Make:
    pool = make_pool(root)
    return lambda folder: replace(test_ttvos_training.job(pool, folder), validation=None)


def terms(curve: Sequence[CurvePoint]) -> list[tuple[int, str, float]]:
    return [(p.step, p.name, p.value) for p in curve if not p.name.startswith("speed/")]


def check(make: Make, root: Path, stop_after: int | None) -> None:
    """Losses to 1e-4; one that was stopped goes on as the whole one, bit for bit."""
    eager = terms(train(make(root / "eager")).curve)
    whole = terms(train(replace(make(root / "whole"), compiled=True)).curve)
    assert [point[:2] for point in whole] == [point[:2] for point in eager]
    for (step, name, value), (_, _, other) in zip(whole, eager, strict=True):
        assert value == pytest.approx(other, abs=1e-4), (step, name)
    if stop_after is not None:
        train(replace(make(root / "broken"), compiled=True), stop_after=stop_after)
        assert terms(train(replace(make(root / "broken"), compiled=True)).curve) == whole


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_the_gate_by_inductor(tmp_path: Path) -> None:
    """In a process of its own, as inductor needs: it must be first to import distutils."""
    here = Path(__file__)
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(here.parent)!r})
import {here.stem} as tests
root = Path({str(tmp_path)!r})
tests.check(tests.gate(root), root, stop_after=2)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "family",
    [partial(frtm, "pairs"), partial(frtm, "sequences"), half, ttvos],
    ids=["g-frtm-lite", "sequences", "g-frtm-half", "g-ttvos-lite"],
)
def test_each_family(
    family: Callable[[Path], Make], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Captured and differentiated as for inductor, whose C++ would take minutes."""
    made = partial(device.compile_layers, backend="aot_eager")
    monkeypatch.setattr(loop, "compile_layers", made)
    for name, config in (("g-ttvos-lite", test_ttvos_training.G_TTVOS_LITE),):
        narrow = replace(config, short_term=8, width=8)
        monkeypatch.setitem(test_ttvos_training.ttvos.CONFIGS, name, narrow)
    check(family(tmp_path), tmp_path, stop_after=None)
