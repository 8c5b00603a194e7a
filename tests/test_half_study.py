"""The page on FRTM-half holds its script's tables; gates are read at the gaps that are said."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch

from vosbench.harness.datasets import registry
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"<!-- (?!end -->)(.+?) -->(.*?)<!-- end -->", re.DOTALL)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "studies" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_table_of_the_page_is_filled() -> None:
    half = script("half")
    blocks = BLOCK.findall(half.PAGE.read_text(encoding="utf-8"))
    assert {name for name, _ in blocks} == set(half.TABLES)
    for name, text in blocks:
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len(rows) > 2 and re.search(r"\d\.\d", text), name


def test_a_gate_is_read_at_known_gaps() -> None:
    gate = script("gate")
    clip = registry.open("motion").clip("slow").cut(6)
    runner = resolve("g-frtm-half").build(RunnerOptions(weights="random:0"))
    runner.load(torch.device("cpu"), Precision.FLOAT32)
    found = list(gate.readings(runner, clip, 2))
    pairs = {(reading.t - reading.n, reading.n) for reading in found}
    assert pairs == {(0, 1), (0, 2), (0, 4), (2, 1), (2, 2), (4, 1)}
    assert len(found) == len(pairs)
    masks = [clip.annotation(t) > 0 for t in range(6)]
    for reading in found:
        before, now = masks[reading.t - reading.n], masks[reading.t]
        assert reading.iou == pytest.approx((before & now).sum() / (before | now).sum())
    # One frame after a full one, the gate says what it says where every frame is full.
    info = ClipInfo(clip.name, *clip.size, 6, frame_names=clip.frame_names, merged=True)
    walk = runner.walk(info, (Never(),))
    for t in range(6):
        frame = Frame(t, torch.from_numpy(clip.image(t)).permute(2, 0, 1).contiguous())
        if t == 0:
            walk.add_objects(frame, {1: torch.from_numpy(masks[0])})
        p = walk.step(frame, no_spans)[0].objects[0].p_gate
        for reading in found:
            if (reading.t, reading.n) == (t, 1):
                assert reading.p_gate == pytest.approx(p, abs=1e-5)


def test_age_and_gate_are_told_apart() -> None:
    gate = script("gate")
    n = np.array([1, 2, 4, 8] * 5)
    iou = np.linspace(0.1, 0.9, 20)
    rows = pd.DataFrame({"sequence": "a", "t": 0, "n": n, "p_gate": iou / 2, "iou": iou})
    told = gate.summary(rows)
    assert told["P_gate"] == pytest.approx(1) and told["both"] == pytest.approx(1)
    assert abs(told["age"]) < 0.3
