"""What only some protocols measure: by name where it is there, absent elsewhere, never 0."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_outcome import Vosbench
from PIL import Image

from vosbench.harness.metric import OF_FAMILIES, metric
from vosbench.harness.metrics.measures import MEASURES
from vosbench.reports.site.script import read_script

FRAMES = 10
SIZE = (24, 32)


def truth(t: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[4:16, 4 + t : 16 + t] = 1
    return mask


def late(t: int) -> np.ndarray:
    """Right in the first half; in the second, half of the object."""
    mask = truth(t)
    if t >= FRAMES // 2:
        mask[10:] = 0
    return mask


def write(folder: Path, draw: Callable[[int], np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for t in range(FRAMES):
        Image.fromarray(draw(t)).save(folder / f"{t:05d}.png")


@pytest.fixture
def measured(vosbench: Vosbench, tmp_path: Path) -> Path:
    """A database with two VOST trials, one worse, and one of the same clip as an own clip."""
    root = tmp_path / "VOST"
    (root / "JPEGImages" / "peel").mkdir(parents=True)
    for t in range(FRAMES):
        Image.new("RGB", SIZE[::-1]).save(root / "JPEGImages" / "peel" / f"{t:05d}.jpg")
    write(root / "Annotations" / "peel", truth)
    (root / "ImageSets").mkdir()
    (root / "ImageSets" / "val.txt").write_text("peel\n")
    write(tmp_path / "good" / "peel", truth)
    write(tmp_path / "bad" / "peel", late)
    for model, dataset in (
        ("good", "vost"),
        ("bad", "vost"),
        ("bad", f"davis-layout:{root}"),
    ):
        asked = ("run", "--models", f"masks:{tmp_path / model}", "--dataset", dataset)
        outcome = vosbench(*asked, "--data-root", root, "--db", "r.db", "--study", "s")
        assert outcome.code == 0, outcome.err
    return tmp_path / "r.db"


def test_known_by_name_where_they_exist_and_absent_elsewhere(
    vosbench: Vosbench, measured: Path, tmp_path: Path
) -> None:
    rows = json.loads(vosbench("results", "--db", measured, "--json").out)
    values = [row["j_tr_mean"] for row in rows]
    assert values == [pytest.approx(1.0), pytest.approx(0.5), None]
    assert [row["f_mean"] is None for row in rows] == [True, True, False]
    assert [row["jf_mean"] is None for row in rows] == [True, True, False]
    table = [
        line.split() for line in vosbench("results", "--db", measured, "--each").out.split("\n")
    ]
    head = next(line for line in table if "J_tr" in line)
    cells = {line[0]: line[head.index("J_tr")] for line in table if line and line[0].isdigit()}
    assert cells == {"1": "100.0", "2": "50.0", "3": "–"}
    assert "V" not in head
    csv = pd.read_csv(
        written(vosbench, "results", "--db", measured, "--export", tmp_path / "r.csv")
    )
    assert csv["j_tr_mean"].isna().tolist() == [False, False, True]


def written(vosbench: Vosbench, *asked: object) -> Path:
    outcome = vosbench(*asked)
    assert outcome.code == 0, outcome.err
    return Path(str(asked[-1]))


def test_compared_by_name(vosbench: Vosbench, measured: Path, tmp_path: Path) -> None:
    sides = ("--base", f"masks:{tmp_path / 'good'}", "--head", f"masks:{tmp_path / 'bad'}")
    told = tmp_path / "c.json"
    asked = ("compare", "--db", measured, *sides, "--dataset", "vost", "--json-out", told)
    vosbench(*asked, "--metric", "j_tr_mean")
    (point,) = json.loads(told.read_text())["points"]
    found = {each["metric"]: each for each in point["findings"]}
    assert found["j_tr_mean"]["measured"]["base"] == pytest.approx(1.0)
    assert found["j_tr_mean"]["measured"]["head"] == pytest.approx(0.5)
    vosbench(*asked, "--metric", "v_mean")  # VOST has none: said, never a change of 0
    (point,) = json.loads(told.read_text())["points"]
    found = {each["metric"]: each for each in point["findings"]}
    assert found["v_mean"]["verdict"] == "error"
    assert found["v_mean"]["measured"] is None


def test_curves_show_them(vosbench: Vosbench, measured: Path, tmp_path: Path) -> None:
    asked = ("report", "--fig", "reuse-vs-jf", "--db", measured, "--out", tmp_path / "f.svg")
    outcome = vosbench(*asked, "--metric", "j_tr_mean")
    assert outcome.code == 0, outcome.err
    points = pd.read_csv(tmp_path / "f.csv")
    assert sorted(points["value"]) == pytest.approx([0.5, 1.0])  # and no point of the own clip
    assert "J_tr (%)" in (tmp_path / "f.svg").read_text()
    outcome = vosbench(*asked, "--metric", "v_mean")
    assert (outcome.code, len(outcome.err.strip().splitlines())) == (2, 1)
    assert "with v_mean" in outcome.err


def test_the_site_shows_them(vosbench: Vosbench, measured: Path, tmp_path: Path) -> None:
    outcome = vosbench("site", "--db", measured, "--out", tmp_path / "site")
    assert outcome.code == 0, outcome.err
    data = read_script(tmp_path / "site/data/site.js")
    assert [each["name"] for each in data["metrics"]] == ["j_tr_mean"]
    assert data["metrics"][0]["label"] == "J_tr (%)"
    runs = read_script(tmp_path / "site/data/runs.js")
    values = runs["columns"]["j_tr_mean"]["values"]
    assert values == [pytest.approx(1.0), pytest.approx(0.5), None]


def test_every_figure_of_a_protocol_has_a_record() -> None:
    for name, measures in MEASURES.items():
        for figure in {*measures.figure_names, *measures.official}:
            assert metric(figure).name == figure, name
    assert all(each.text(math.nan) == "–" for each in OF_FAMILIES)
