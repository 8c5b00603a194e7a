"""Tables hold cells that compare; figures choose what shows something."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from report_samples import TAUS, database, spec

from vosbench.harness.store import Selection
from vosbench.reports.figures import FigureOptions, draw_figure, figure_data
from vosbench.reports.figures.gate_data import decisions, gated_trials
from vosbench.reports.panels import MixedTableError, of_one_panel


def test_a_table_of_several_panels_is_refused(tmp_path: Path) -> None:
    short = [spec("g-frtm-fast", tau, max_frames=12) for tau in TAUS]
    data = figure_data(
        "reuse-vs-jf", database(tmp_path / "r.db", [spec("g-frtm-fast", "0.7"), *short])
    )
    with pytest.raises(
        MixedTableError, match=r"'margins' mixes .* panel: motion, 3 sequences \(1 rows\);"
    ):
        of_one_panel(data, "margins")
    one = data[data["panel"] == "motion, 3 sequences"]
    assert of_one_panel(one, "margins") is one
    seeds = pd.DataFrame({"panel": ["a", "a"], "seeds": [2, 3]})
    with pytest.raises(MixedTableError, match="different seeds: 2"):
        of_one_panel(seeds, "margins", ("panel", "seeds"))


def test_a_timeline_is_of_a_sequence_in_which_something_is_decided(results_db: Path) -> None:
    data = figure_data("gate-timeline", results_db, Selection(models=["g-frtm-fast"]))
    paths = {
        name: set(
            figure_data(
                "gate-timeline", results_db, Selection(models=["g-frtm-fast"]),
                FigureOptions(sequence=name),
            )["path"]
        )
        for name in ("still", "slow", "fast")
    }  # fmt: skip
    assert {"full", "reuse"} <= set(data["path"])
    assert any({"full", "reuse"} - found for found in paths.values())


def test_a_timeline_finds_what_another_trial_measured(tmp_path: Path) -> None:
    specs = [
        spec("g-frtm-fast", "0.7", sequences=("still",)),
        spec("g-frtm-fast", "0.4", sequences=("slow",)),
    ]
    db = database(tmp_path / "r.db", specs)
    data = figure_data("gate-timeline", db, Selection(), FigureOptions(sequence="slow"))
    assert set(data["sequence"]) == {"slow"}


def test_the_papers_share_stands_beside_ours(results_db: Path) -> None:
    asked = FigureOptions(published=True)
    data = figure_data("iou-histogram", results_db, Selection(), asked)
    assert data[data["dataset"] == "DAVIS17 (paper)"]["share_similar"].item() == 0.733
    figure = draw_figure("iou-histogram", data)
    (legend,) = figure.legends
    assert "DAVIS17 (paper): 73.3 % above 0.7" in [text.get_text() for text in legend.get_texts()]


def test_no_trial_has_no_decisions(results_db: Path) -> None:
    none = gated_trials(str(results_db), Selection(), None).iloc[:0]
    assert decisions(str(results_db), none, None).empty
