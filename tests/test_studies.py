"""The studies' pages hold the tables that their scripts write; gates are read at the gaps said."""

from __future__ import annotations

import re
from pathlib import Path

import gate
import half
import lite
import lite_tables
import numpy as np
import page
import pandas as pd
import pytest
import torch

from vosbench.harness.datasets import registry
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve

BLOCK = re.compile(r"<!-- (?!end -->)(.+?) -->(.*?)<!-- end -->", re.DOTALL)
STUDIES = pytest.mark.parametrize(
    ("pages", "tables"),
    [(lite.PAGES, lite_tables.TABLES), ((half.PAGE,), half.TABLES)],
    ids=["lite", "half"],
)


@STUDIES
def test_every_table_has_its_place_and_numbers(
    pages: tuple[Path, ...], tables: page.Tables
) -> None:
    blocks = [block for path in pages for block in BLOCK.findall(path.read_text(encoding="utf-8"))]
    assert {name for name, _ in blocks} == set(tables)
    for name, text in blocks:
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len(rows) > 2 and re.search(r"\d\.\d", text), name


@STUDIES
def test_pictures_and_results_are_where_the_page_says(
    pages: tuple[Path, ...], tables: page.Tables
) -> None:
    del tables
    for link in re.findall(r"\]\((study/[^)]+)\)", pages[0].read_text(encoding="utf-8")):
        assert (pages[0].parent / link).stat().st_size > 0, link


def test_blocks_are_written_anew_and_prose_is_kept() -> None:
    tables = {"gate": lambda source: f"table of {source}"}
    text = "before\n<!-- gate -->\nold\n<!-- end -->\nafter\n<!-- other -->\n"
    once = page.filled(text, tables, "a.db")
    assert "old" not in once and "table of a.db" in once
    assert once.startswith("before\n") and once.endswith("after\n<!-- other -->\n")
    assert page.filled(once, tables, "a.db") == once


def test_the_card_of_every_shipped_file_is_there() -> None:
    text = (page.WEIGHTS / "README.md").read_text(encoding="utf-8")
    files = list(page.WEIGHTS.glob("*.safetensors"))
    assert files
    for path in files:
        assert f"| `{path.stem}` |" in text, path.stem


def test_every_recipe_is_placed_where_the_data_lie(tmp_path: Path) -> None:
    recipes = sorted(page.RECIPES.glob("*.json"))
    assert recipes
    for recipe in recipes:
        out = page.placed(recipe.stem, Path("/elsewhere"), tmp_path / "recipe.json")
        text = out.read_text(encoding="utf-8")
        assert '"/data' not in text and '"/elsewhere/' in text, recipe.name


def test_a_gate_is_read_at_known_gaps() -> None:
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
    n = np.array([1, 2, 4, 8] * 5)
    iou = np.linspace(0.1, 0.9, 20)
    rows = pd.DataFrame({"sequence": "a", "t": 0, "n": n, "p_gate": iou / 2, "iou": iou})
    told = gate.summary(rows)
    assert told["P_gate"] == pytest.approx(1) and told["both"] == pytest.approx(1)
    assert abs(told["age"]) < 0.3
