"""Every number of the official evaluation, for each frame and object of the shared results."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vosbench.harness.cli import main
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.datasets.registry import open as open_dataset
from vosbench.harness.metrics import (
    SequenceScores,
    evaluate_folder,
    scores_json,
    write_official_csv,
)

pytestmark = pytest.mark.shared
SETS = ("davis16_osvos", "davis17_lagged")
MEANS = ("J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay")


def _clips(dataset: str, root: Path) -> list[tuple[Clip, ScoringPlan]]:
    """The clips of a dataset, each with what is scored of it."""
    opened = open_dataset(dataset, root)
    return [(clip, opened.plan(clip)) for clip in opened.clips]


@pytest.fixture(scope="module")
def scored(shared: Callable[[str], Path]) -> dict[str, tuple[SequenceScores, ...]]:
    """Scores of both sets: one in this process, one in two workers."""
    single, multiple = shared("metrics/davis16_osvos"), shared("metrics/davis17_lagged")
    merged, apart = _clips("davis16", shared("davis16")), _clips("davis17", multiple)
    return {
        "davis16_osvos": evaluate_folder(single, merged, workers=2),
        "davis17_lagged": evaluate_folder(multiple / "results", apart, workers=1),
    }


@pytest.mark.parametrize("name", SETS)
def test_every_frame_and_object(
    name: str, scored: dict[str, tuple[SequenceScores, ...]], shared: Callable[[str], Path]
) -> None:
    expected = json.loads((shared("metrics") / name / "expected.json").read_text())
    got = json.loads(json.dumps(scores_json(scored[name])))
    assert got["objects"].keys() == expected["objects"].keys()
    for key, numbers in expected["objects"].items():
        assert got["objects"][key].keys() == numbers.keys()
        for series in ("J_frames", "F_frames"):
            np.testing.assert_allclose(
                got["objects"][key][series], numbers[series], rtol=0, atol=1e-9, err_msg=key
            )
        for mean in MEANS:
            assert got["objects"][key][mean] == pytest.approx(numbers[mean], abs=1e-9), key


@pytest.mark.parametrize("name", SETS)
def test_means_over_all_objects(
    name: str, scored: dict[str, tuple[SequenceScores, ...]], shared: Callable[[str], Path]
) -> None:
    expected = json.loads((shared("metrics") / name / "expected.json").read_text())
    assert scores_json(scored[name])["global"] == pytest.approx(expected["global"], abs=1e-9)


@pytest.mark.parametrize("name", SETS)
def test_official_csv_files(
    name: str,
    scored: dict[str, tuple[SequenceScores, ...]],
    shared: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    expected = json.loads((shared("metrics") / name / "expected.json").read_text())
    paths = write_official_csv(scored[name], tmp_path / "new")
    assert [path.name for path in paths] == [
        "global_results-val.csv",
        "per-sequence_results-val.csv",
    ]
    with paths[0].open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "J&F-Mean",
        *(mean.replace("_m", "-M").replace("_r", "-R").replace("_d", "-D") for mean in MEANS),
    ]
    assert rows == [[f"{expected['global'][mean]:.3f}" for mean in ("JF_mean", *MEANS)]]
    with paths[1].open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["Sequence", "J-Mean", "F-Mean"]
    assert sorted(rows) == sorted(
        [key, f"{numbers['J_mean']:.3f}", f"{numbers['F_mean']:.3f}"]
        for key, numbers in expected["objects"].items()
    )
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )


def test_the_command_needs_annotations_alone(
    shared: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``vosbench eval`` on DAVIS 2017 as it is shared: annotations and lists, no photographs."""
    root = shared("metrics/davis17_lagged")
    command = ("eval", root / "results", "--dataset", "davis17", "--data-root", root)
    options = ("--json", "--csv-dir", tmp_path)
    monkeypatch.setattr(sys, "argv", ["vosbench", *map(str, (*command, *options))])
    main()
    told = json.loads(capsys.readouterr().out)
    expected = json.loads((root / "expected.json").read_text())
    assert told["global"] == pytest.approx(expected["global"], abs=1e-9)
    assert told["objects"].keys() == expected["objects"].keys()
