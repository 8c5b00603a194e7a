"""``vosbench eval`` on real predictions, against the official numbers."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_outcome import Vosbench

Shared = Callable[[str], Path]


def test_davis16(vosbench: Vosbench, shared: Shared, tmp_path: Path) -> None:
    results, root = shared("metrics/davis16_osvos"), shared("davis16")
    asked = ("eval", results, "--dataset", "davis16", "--data-root", root)
    outcome = vosbench(*asked, "--json", "--csv-dir", tmp_path)
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    official = json.loads((results / "expected.json").read_text())
    assert told["global"]["JF_mean"] == pytest.approx(0.80876, abs=5e-6)
    assert set(told["objects"]) == set(official["objects"])
    for name, expected in official["objects"].items():
        for key, values in expected.items():
            assert told["objects"][name][key] == pytest.approx(values, abs=1e-9), (name, key)
    rows = list(csv.DictReader((tmp_path / "global_results-val.csv").open()))
    assert rows[0]["J&F-Mean"] == "0.809"


def test_davis17_with_several_objects(vosbench: Vosbench, shared: Shared, tmp_path: Path) -> None:
    source = shared("metrics/davis17_lagged")
    for name in ("Annotations", "ImageSets"):
        shutil.copytree(source / name, tmp_path / "davis17" / name)
    make_images(tmp_path / "davis17")
    outcome = vosbench(
        "eval", source / "results", "--dataset", "davis17",
        "--data-root", tmp_path / "davis17", "--json", "--csv-dir", tmp_path,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    official = json.loads((source / "expected.json").read_text())
    assert told["global"] == pytest.approx(official["global"], abs=1e-9)
    rows = list(csv.DictReader((tmp_path / "per-sequence_results-val.csv").open()))
    assert {row["Sequence"] for row in rows} == set(official["objects"])
    for row in rows:
        assert float(row["J-Mean"]) == pytest.approx(
            official["objects"][row["Sequence"]]["J_mean"], abs=5.1e-4
        )


def make_images(root: Path) -> None:
    """Grey frames beside the annotations, which come without their photographs."""
    import cv2
    import numpy as np

    for clip in (root / "Annotations" / "480p").iterdir():
        folder = root / "JPEGImages" / "480p" / clip.name
        folder.mkdir(parents=True)
        for mask in clip.glob("*.png"):
            height, width = cv2.imread(str(mask)).shape[:2]
            grey = np.full((height, width, 3), 127, np.uint8)
            cv2.imwrite(str(folder / f"{mask.stem}.jpg"), grey)


def test_a_missing_prediction_is_named(vosbench: Vosbench, shared: Shared, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(shared("metrics/davis16_osvos") / "dog", results / "dog")
    (results / "dog" / "00007.png").unlink()
    outcome = vosbench(
        "eval", results, "--dataset", "davis16", "--data-root", shared("davis16"),
        "--sequences", "dog",
    )  # fmt: skip
    assert outcome.code == 2
    assert "00007.png" in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
