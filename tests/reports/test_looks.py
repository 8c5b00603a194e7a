"""One model, one look: in all figures, whatever is selected, and on the site."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest
from report_samples import database, spec, study

from vosbench.harness.store import Selection
from vosbench.reports.figures import figure_data
from vosbench.reports.looks import COLUMNS, Look, looks
from vosbench.reports.site.tables import looks as site_looks
from vosbench.reports.site.tables import runs, settings

FIGURES = ("reuse-vs-jf", "fps-vs-jf", "alternatives", "gate-vs-giou", "pareto", "high-iou")
NINE = [
    ("g-frtm-lite", "learned"), ("g-frtm-lite+copy", "copy"), ("g-frtm-lite+fusion", "fusion"),
    ("g-frtm-lite+g-iou", "g-iou"), ("g-frtm-lite+random", "random:0.4"), ("frtm-lite", None),
    ("frtm-lite-r", None), ("g-ttvos-lite", "learned"), ("mine", None),
]  # fmt: skip


def test_a_curve_looks_the_same_in_all_figures_and_on_the_site(results_db: Path) -> None:
    frames = [figure_data(name, results_db) for name in FIGURES]
    alone = figure_data("reuse-vs-jf", results_db, Selection(models=["g-frtm-fast+copy"]))
    drawn = pd.concat([*frames, alone])
    assert (drawn.groupby("model")[list(COLUMNS)].nunique() == 1).all().all()
    assert (drawn.groupby("model")["curve"].nunique() == 1).all()
    other = figure_data("equal-reuse", results_db).drop_duplicates("other")
    for row in other.to_dict("records"):
        same = drawn[drawn["curve"] == row["other"]].iloc[0]
        assert [same[name] for name in COLUMNS] == [row[name] for name in COLUMNS]
    page = site_looks(settings(results_db, Selection(), runs(results_db, Selection())))
    for curve, row in drawn.drop_duplicates("curve").set_index("curve").iterrows():
        assert (page[curve]["colour"], page[curve]["marker"]) == (row["colour"], row["marker"])


def test_a_new_model_changes_no_older_ones_look(tmp_path: Path) -> None:
    old = [spec(name, "0.7") for name in ("g-frtm-lite", "g-frtm-lite+copy")]
    new = [*old, spec("g-frtm-fast", "0.7"), spec("g-frtm-fast+copy", "0.7")]
    before, after = (
        figure_data("reuse-vs-jf", database(tmp_path / f"{len(specs)}.db", specs)).set_index(
            "model"
        )
        for specs in (old, new)
    )
    for name in before.index:
        assert list(before.loc[name, list(COLUMNS)]) == list(after.loc[name, list(COLUMNS)])


def _by_model(db: Path) -> pd.DataFrame:
    return figure_data("reuse-vs-jf", db).set_index("model")


def test_series_are_told_apart_without_their_colour() -> None:
    found = looks([(model, model, policy) for model, policy in NINE])
    for one, other in combinations(found.values(), 2):
        assert one.colour != other.colour
        assert one.marker != other.marker and one.dash != other.dash


@pytest.mark.parametrize("count", [20, 300])
def test_no_two_of_many_curves_are_drawn_alike(count: int) -> None:
    found = looks((f"m{i}", f"m{i}", "learned") for i in range(count))
    assert len(set(found.values())) == count


def test_what_a_model_does_says_how_it_looks() -> None:
    found = looks([(f"{family}+copy", f"{family}+copy", "copy") for family in ("g-a", "g-b")])
    assert found["g-a+copy"] == Look("#de8f05", "s", "5 1.5") != found["g-b+copy"]
    assert found["g-a+copy"].line == (0, (5.0, 1.5)) and Look("#000000").line == "-"


def test_samples_have_more_models_than_meant_looks() -> None:
    assert len({trial.model for trial in study()}) > 9
