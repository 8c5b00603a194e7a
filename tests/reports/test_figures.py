"""Figures, by the data that they plot and by what stands in their files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import report_samples
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_samples import CLIPS, TAUS, World, database, spec

from vosbench.baselines.errors import InputError
from vosbench.harness.measure.spans import Stage
from vosbench.harness.store import Command, Selection, Storage, objects, results, sequences, series
from vosbench.harness.trials import PATH_CODES, ClipResult, Kind
from vosbench.reports.export import scalars
from vosbench.reports.figures import (
    FigureOptions,
    draw_figure,
    figure_data,
    figure_names,
    make_figure,
    make_figures,
)
from vosbench.reports.figures.canvas import MOST_ENTRIES
from vosbench.reports.figures.gate_calibration import roc
from vosbench.reports.figures.object_scores import _published
from vosbench.reports.figures.object_scores import draw as draw_object_scores
from vosbench.reports.figures.pareto import draw as draw_pareto
from vosbench.reports.figures.pareto import pareto_front
from vosbench.reports.figures.path_cost import STAGES, frame_paths
from vosbench.reports.style import STAGE_COLOURS, Sheet, styled

EVERYTHING = Selection()


@pytest.mark.parametrize("name", figure_names())
def test_every_figure_is_written_with_its_data(name: str, results_db: Path, tmp_path: Path) -> None:
    # Drawing takes long: what a format does is the same for all figures.
    extensions = ("png", "svg", "pdf") if name == "gate-timeline" else ("png",)
    outs = [tmp_path / f"{name}.{extension}" for extension in extensions]
    files = make_figures(name, results_db, EVERYTHING, outs)
    heads = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    for path in files[:-1]:
        content = path.read_bytes()
        assert content.startswith(heads[path.suffix]) and len(content) > 2000
    assert files[-1] == tmp_path / f"{name}.csv"
    plotted = scalars(figure_data(name, results_db))
    read = pd.read_csv(files[-1])
    assert list(read) == list(plotted) and len(read) == len(plotted)
    for column in plotted.select_dtypes("number"):
        np.testing.assert_allclose(read[column], plotted[column].astype(float), rtol=1e-12)


def test_files_repeat_byte_for_byte_and_keep_text(results_db: Path, tmp_path: Path) -> None:
    for extension in ("png", "svg", "pdf"):
        pair = [tmp_path / side / f"f.{extension}" for side in ("a", "b")]
        for out in pair:
            make_figure("reuse-vs-jf", results_db, out=out)
        assert pair[0].read_bytes() == pair[1].read_bytes()
    svg = (tmp_path / "a" / "f.svg").read_text()
    assert ">reuse rate (%)<" in svg
    assert "g-frtm-lite (untrained)" in svg
    assert "demonstration weights, trained on made-up clips" in svg


@pytest.fixture(scope="module")
def untrained_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    taus = [spec("g-frtm-fast", tau, margins="1,0") for tau in TAUS]
    path = tmp_path_factory.mktemp("untrained") / "results.db"
    copied = [spec("g-frtm-fast+copy", tau) for tau in TAUS]
    return database(path, [*taus, *copied, spec("frtm-fast", None)])


@pytest.mark.parametrize("name", [n for n in figure_names() if n != "iou-histogram"])
def test_untrained_runs_are_named_in_words(name: str, untrained_db: Path, tmp_path: Path) -> None:
    figure = make_figure(name, untrained_db, out=tmp_path / "f.svg")[0]
    assert "untrained" in figure.read_text()


def test_reuse_vs_jf_plots_what_was_stored(results_db: Path) -> None:
    data = figure_data("reuse-vs-jf", results_db)
    stored = results(results_db, Selection(kinds=(Kind.ACCURACY,))).set_index("key")
    assert set(data["key"]) == set(stored.index)
    for row in data.to_dict("records"):
        assert row["jf_mean"] == stored.loc[row["key"], "jf_mean"]
        assert row["reuse_rate"] == stored.loc[row["key"], "reuse_rate"]
    ours = data[data["curve"].str.startswith("g-frtm-fast (")]
    assert list(ours["point"]) == ["1", "0.7", "0.4", "0.1"]
    random = data[data["curve"].str.startswith("g-frtm-fast+random")]
    assert list(random["point"]) == ["0.6", "0.3"] and random["curve"].nunique() == 1


def test_published_counting_is_a_choice(results_db: Path) -> None:
    ours = figure_data("reuse-vs-jf", results_db)
    published = figure_data(
        "reuse-vs-jf", results_db, EVERYTHING, FigureOptions(published_counting=True)
    )
    gated = ours["policy"].notna()
    assert (published["reuse_rate"][gated] > ours["reuse_rate"][gated]).all()


def test_repeats_become_their_median_and_machines_stay_apart(tmp_path: Path) -> None:
    world = World(machines={"slow": 1.0, "quick": 3.0}, repeats=3)
    db = database(tmp_path / "results.db", [spec("g-frtm-fast", tau) for tau in TAUS], world)
    data = figure_data("fps-vs-jf", db)
    timed = results(db, Selection(kinds=(Kind.TIMING,)))
    assert len(data) == 2 * len(TAUS) and (data["repeats"] == 3).all()
    for (tau, machine), runs in timed.groupby(["tau", "environment_key"]):
        row = data[(data["tau"] == tau) & (data["environment_key"] == machine)]
        assert row["fps"].item() == runs["fps"].median()
    assert set(data["panel"]) == {
        "motion, 3 sequences, on CPU slow",
        "motion, 3 sequences, on CPU quick",
    }
    svg = make_figure("fps-vs-jf", db, out=tmp_path / "f.svg")[0].read_text()
    assert "timed in 2 environments" in svg


def test_other_clips_get_a_panel_of_their_own(tmp_path: Path) -> None:
    short = [spec("g-frtm-fast", tau, max_frames=12) for tau in TAUS]
    db = database(tmp_path / "results.db", [spec("g-frtm-fast", "0.7"), *short])
    data = figure_data("reuse-vs-jf", db)
    assert list(data["panel"].value_counts(sort=False).index) == [
        "motion, 3 sequences",
        "motion, 3 sequences, first 12 frames",
    ]


def test_weights_of_one_model_are_told_apart(tmp_path: Path) -> None:
    seeds = [
        spec("g-frtm-fast", "0.7", weights=f"random:{i}", weights_sha256=f"{i}" * 64) for i in "12"
    ]
    data = figure_data("reuse-vs-jf", database(tmp_path / "results.db", seeds))
    assert set(data["curve"]) == {
        "g-frtm-fast · random:1 (untrained)",
        "g-frtm-fast · random:2 (untrained)",
    }


def test_a_legend_of_many_curves_ends_and_says_so(tmp_path: Path) -> None:
    many = [
        spec("g-frtm-fast", "0.7", weights=f"random:{i}", weights_sha256=f"{i:064}")
        for i in range(MOST_ENTRIES + 3)
    ]
    db = database(tmp_path / "results.db", many)
    svg = make_figure("reuse-vs-jf", db, out=tmp_path / "f.svg")[0].read_text()
    assert f"names {MOST_ENTRIES} of {MOST_ENTRIES + 3}" in svg
    assert svg.count("g-frtm-fast · random:") == MOST_ENTRIES


def test_iou_histogram_counts_every_pair_once(results_db: Path) -> None:
    data = figure_data("iou-histogram", results_db)
    first = results(results_db)["key"].iloc[0]
    values = np.concatenate(
        [a.ravel() for a in series(results_db, "adjacent_iou", Selection(keys=[first])).values()]
    )
    values = values[np.isfinite(values)]
    assert data["count"].sum() == len(values)
    assert data["share"].sum() == pytest.approx(1)
    assert data["share_similar"].iloc[0] == (values > 0.7).mean()


def test_high_iou_takes_still_clips_only(results_db: Path) -> None:
    data = figure_data("high-iou", results_db, EVERYTHING, FigureOptions(iou_from=0.9))
    assert set(data["clips"]) == {1}
    assert set(data["policy"].fillna("none")) == {"learned", "none"}
    still = objects(results_db, Selection(models=["frtm-fast"]))
    jf = still[still["sequence"] == "still"]["j_mean"].iloc[0]
    assert data[data["model"] == "frtm-fast"]["jf_mean"].item() == pytest.approx(jf)


def test_alternatives_and_oracles_choose_their_runs(results_db: Path) -> None:
    alternatives = figure_data("alternatives", results_db)
    assert {"frtm-fastr", "frtm-fast", "g-frtm-fast+copy"} <= set(alternatives["model"])
    assert not alternatives["model"].str.contains("g-iou|random|@m").any()
    oracles = figure_data("gate-vs-giou", results_db)
    assert set(oracles["policy"]) == {"learned", "g-iou", "random:0.3", "random:0.6"}


def test_ways_of_deciding_are_read_at_the_same_reuse(results_db: Path) -> None:
    data = figure_data("equal-reuse", results_db)
    data = data[(data["model"] == "g-frtm-fast") & (data["way"] == "random")]
    runs = results(results_db, Selection(kinds=[Kind.ACCURACY])).set_index("key")["model"]
    each = objects(results_db, Selection(kinds=[Kind.ACCURACY]))
    means = each.groupby("key")[["reuse_rate", "j_mean", "f_mean"]].mean().sort_values("reuse_rate")
    means["jf"] = (means["j_mean"] + means["f_mean"]) / 2
    names = runs[means.index]
    ours, control = means[(names == "g-frtm-fast").array], means[names.str.contains("random").array]
    start = ours[ours["reuse_rate"] == 0]  # what reuses nothing begins every curve
    for column, curve in (("ours", ours), ("jf_mean", pd.concat([start, control]))):
        expected = np.interp(data["rate"], curve["reuse_rate"], curve["jf"])
        np.testing.assert_allclose(data[column], expected, atol=1e-12)
    np.testing.assert_allclose(data["ahead"], data["ours"] - data["jf_mean"], atol=1e-12)
    known = data[data["low"].notna()]
    assert len(known) and (known["low"] <= known["high"]).all()


def test_margins_are_curves(results_db: Path) -> None:
    data = figure_data("margins", results_db)
    assert list(dict.fromkeys(data["curve"])) == ["M(1, 0)", "M(0.7, 0.2)", "M(0.35, 0.4)"]


def test_printed_points_join_only_when_asked_and_only_davis16(tmp_path: Path) -> None:
    db = database(
        tmp_path / "results.db", [spec("g-frtm-fast", tau, dataset="davis16") for tau in TAUS]
    )
    assert not figure_data("fps-vs-jf", db)["curve"].str.contains("paper").any()
    data = figure_data("fps-vs-jf", db, EVERYTHING, FigureOptions(published=True))
    printed = data[data["curve"] == "G-FRTM-fast (paper)"]
    assert (0.805, 58.0) in set(zip(printed["jf_mean"], printed["fps"], strict=True))
    draw_figure("fps-vs-jf", data)


def test_timeline_is_one_clip_of_one_run(results_db: Path) -> None:
    options = FigureOptions(sequence="slow", tau=Decimal("0.4"))
    data = figure_data("gate-timeline", results_db, Selection(models=["g-frtm-fast"]), options)
    assert set(data["sequence"]) == {"slow"} and set(data["tau"]) == {Decimal("0.4")}
    assert len(data) == 2 * 16 and data["key"].nunique() == 1
    key = data["key"].iloc[0]
    stored = series(results_db, "p_gate", Selection(keys=[key]), sequences=["slow"])[key, "slow"]
    second = data[data["object"] == 1].sort_values("frame")
    np.testing.assert_array_equal(second["p_gate"], stored[:, 1].astype(float))
    with pytest.raises(InputError, match="unknown sequence 'slwo'; did you mean 'slow'"):
        figure_data("gate-timeline", results_db, EVERYTHING, replace(options, sequence="slwo"))


def test_calibration_keeps_equal_evidence_once(results_db: Path) -> None:
    data = figure_data("gate-calibration", results_db, Selection(models=["g-frtm-fast"]))
    assert not data.duplicated(["sequence", "frame", "object", "p_gate", "full_iou"]).any()
    at_one = FigureOptions(tau=Decimal(1))
    alone = figure_data("gate-calibration", results_db, Selection(models=["g-frtm-fast"]), at_one)
    assert len(alone) == 4 * 15
    np.testing.assert_array_equal(alone["adjacent_iou"], alone["full_iou"])


def test_path_cost_is_the_mean_of_its_frames(tmp_path: Path) -> None:
    db = database(tmp_path / "results.db", [spec("g-frtm-fast", "0.7")], World(repeats=1))
    data = figure_data("path-cost", db).set_index(["path", "stage"])["value"]
    key = results(db, Selection(kinds=(Kind.TIMING,)))["key"].item()
    paths = series(db, "path", Selection(keys=[key]))
    times = series(db, "stage/f16+f32", Selection(keys=[key]))
    full = [times[clip][(codes == PATH_CODES["full"]).all(axis=1)] for clip, codes in paths.items()]
    assert data["full", "f16+f32"] == pytest.approx(np.concatenate(full).mean())
    assert data["reuse", "f16+f32"] == 0
    assert ("full", "whole frame") in data.index


def test_path_cost_shows_flops_where_they_were_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = report_samples.aggregates

    def with_flops(clips: Sequence[ClipResult]) -> dict[str, float]:
        return plain(clips) | {"gflop/full/f16+f32": 13.6, "gflop/reuse/f16+f32": 0.0}

    monkeypatch.setattr(report_samples, "aggregates", with_flops)
    db = database(tmp_path / "results.db", [spec("g-frtm-fast", tau) for tau in TAUS])
    data = figure_data("path-cost", db)
    flops = data[data["unit"] == "gflop"].set_index("path")["value"]
    assert dict(flops) == {"full": 13.6, "reuse": 0.0}
    svg = make_figure("path-cost", db, out=tmp_path / "f.svg")[0].read_text()
    assert "GFLOP per frame" in svg and "FLOPs weren't stored" not in svg


def test_objects_scaling_is_the_median_over_sequences_and_repeats(tmp_path: Path) -> None:
    db = database(tmp_path / "results.db", [spec("g-frtm-fast", "0.7")], World(repeats=2))
    data = figure_data("objects-scaling", db)
    each = sequences(db, Selection(kinds=(Kind.TIMING,)))
    assert sorted(set(each["objects"])) == [1, 2]
    for count, point in data.set_index("objects").iterrows():
        alike = each[each["objects"] == count]["ms_per_frame"]
        assert point["ms_per_frame"] == pytest.approx(alike.median())
        assert point["sequences"] == len(alike)
    svg = make_figure("objects-scaling", db, out=tmp_path / "f.svg")[0].read_text()
    assert "as if each object cost" in svg


def test_one_number_of_objects_is_no_scaling(tmp_path: Path) -> None:
    one = spec("g-frtm-fast", "0.7", sequences=("still", "fast"))
    db = database(tmp_path / "results.db", [one], World(repeats=1))
    with pytest.raises(InputError, match="sequences of different numbers of objects"):
        figure_data("objects-scaling", db)


def test_every_stage_of_a_breakdown_has_a_colour_of_its_own() -> None:
    assert tuple(Stage) == STAGES
    assert len(set(STAGE_COLOURS[: len(STAGES)])) == len(STAGES)


def test_frame_paths_know_mixed_and_first_frames() -> None:
    codes = np.array([[1, 0], [2, 1], [3, 3], [2, 3], [4, 0], [0, 0]], dtype=np.uint8)
    assert frame_paths(codes) == ["init", "init", "reuse", "mixed", "copy", "absent"]


def test_object_scores_have_a_column_for_each_object(results_db: Path) -> None:
    data = figure_data("object-scores", results_db, EVERYTHING, FigureOptions())
    assert set(data["sequence"]) == {"slow"}  # the first with several objects
    assert sorted(data["object_id"].unique()) == [1, 2]
    each = objects(results_db, Selection(keys=[data["key"].iloc[0]]))
    each = each[each["sequence"] == "slow"].set_index("object_id")["reuse_rate"]
    assert data.drop_duplicates("object_id").set_index("object_id")["reuse_rate"].to_dict() == (
        each.to_dict()
    )
    assert data["published"].isna().all()
    with styled():
        figure = draw_object_scores(data)
    titles = [found for axes in figure.axes if (found := axes.get_title("left"))]
    assert [title.partition("\n")[0] for title in titles] == [
        "truth", "result", "S, Ŝ of 1", "S, Ŝ of 2",
    ]  # fmt: skip
    with pytest.raises(InputError, match="no traced trial of a sequence with several objects"):
        figure_data("object-scores", results_db, EVERYTHING, FigureOptions(sequence="still"))


def test_the_papers_reuse_rates_stand_below_its_own_sequence(
    tmp_path: Path, results_db: Path
) -> None:
    data = figure_data("object-scores", results_db, EVERYTHING, FigureOptions())
    dogs = data.assign(sequence="dogs-jump", published=data["object"].map(_published("dogs-jump")))
    with styled(Sheet(3.25)) as told:
        draw_object_scores(dogs)
    assert "reuse in the paper (figure 11): 15.2, 43.9 %" in " ".join(told.notes)


@pytest.mark.shared
def test_the_papers_rates_are_of_as_many_objects_as_its_sequence_has() -> None:
    shared = Path(os.environ.get("VOSBENCH_SHARED", Path(__file__).parents[3] / "shared"))
    files = sorted((shared / "dogs-jump/Annotations/480p/dogs-jump").glob("*.png"))
    if not files:
        pytest.skip(f"no dogs-jump in {shared}: set VOSBENCH_SHARED")
    with Image.open(files[0]) as picture:
        ids = set(map(int, np.unique(picture))) - {0, 255}
    assert ids == {number + 1 for number in _published("dogs-jump")}


def test_qualitative_shows_the_traced_frames(results_db: Path) -> None:
    data = figure_data("qualitative", results_db, EVERYTHING, FigureOptions(sequence="slow"))
    assert list(data["frame"]) == [4, 4, 5, 5, 6, 6, 7, 7]
    assert data["image"].iloc[0].shape == (54, 96, 3)
    reused = (data["path"] == "reuse").to_numpy()
    assert list(data["delta_abs_mean"].notna()) == list(reused)
    assert "image" not in scalars(data) and "p_gate" in scalars(data)


def test_unknown_names_and_missing_data_say_what_to_do(results_db: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'fps-vs-jf'"):
        make_figure("fps-vs-jff", results_db)
    with pytest.raises(InputError, match=r"no .* for figure margins: run e\.g\. `vosbench run"):
        figure_data("margins", results_db, Selection(models=["frtm-fast"]))
    with pytest.raises(InputError, match=r"\.png, \.svg or \.pdf"):
        make_figure("pareto", results_db, out=tmp_path / "f.jpg")
    with pytest.raises(InputError):
        make_figure("pareto", tmp_path / "none.db", out=tmp_path / "f.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", figure_names())
def test_every_figure_takes_an_empty_database(name: str, tmp_path: Path) -> None:
    with Storage.open(tmp_path / "results.db") as storage:
        storage.add_plan("nothing ran", Command(""), [spec()])
        with pytest.raises(InputError, match=f"for figure {name}: run"):
            figure_data(name, storage)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_front_is_what_nothing_beats(pairs: list[tuple[int, int]]) -> None:
    cost, accuracy = np.array(pairs, dtype=float).T
    front = pareto_front(cost, accuracy)
    for index in range(len(cost)):
        better = (cost <= cost[index]) & (accuracy > accuracy[index])
        cheaper = (cost < cost[index]) & (accuracy >= accuracy[index])
        if front[index]:
            assert not better.any() and not cheaper.any()
        else:
            equal = front & (cost == cost[index]) & (accuracy == accuracy[index])
            assert better.any() or cheaper.any() or equal.any()


def test_the_front_of_speed_is_of_each_machine_and_of_the_fastest(tmp_path: Path) -> None:
    world = World(machines={"key-a": 1.0, "key-b": 3.0})
    specs = [spec(tau=tau) for tau in ("0.4", "0.7", "0.9")]
    points = figure_data("pareto", database(tmp_path / "two.db", specs, world))
    assert points["panel"].nunique() == points["environment_key"].nunique() == 2
    for _, row in points.iterrows():
        rivals = points[points["environment_key"] == row["environment_key"]]
        faster = (rivals["fps"] >= row["fps"]) & (rivals["jf_mean"] > row["jf_mean"])
        better = (rivals["fps"] > row["fps"]) & (rivals["jf_mean"] >= row["jf_mean"])
        assert row["on_speed_front"] == (not (faster | better).any())
    labels = [axes.get_xlabel() for axes in draw_pareto(points).axes if axes.get_xlabel()]
    assert set(labels) >= {"frames per second"}
    measured_energy = points["energy_net_j_per_frame"].notna().any()
    assert ("net joules per frame" in labels) == measured_energy
    points["energy_net_j_per_frame"] = 2.0
    both = [axes.get_xlabel() for axes in draw_pareto(points).axes if axes.get_xlabel()]
    assert both[:2] == ["frames per second", "net joules per frame"]


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_roc_area_is_the_chance_to_rank_right(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([value for value, _ in pairs], dtype=float)
    positive = np.array([is_positive for _, is_positive in pairs])
    result = roc(score, positive)
    if positive.all() or not positive.any():
        assert result is None
        return
    assert result is not None
    gaps = score[positive][:, None] - score[~positive][None]
    assert result.area == pytest.approx(((gaps > 0) + 0.5 * (gaps == 0)).mean())


def test_reports_never_import_torch() -> None:
    code = (
        "import sys, vosbench.reports.figures, vosbench.reports.tables, "
        "vosbench.reports.everything\n"
        "print([m for m in ('torch', 'timm') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_samples_have_every_clip(results_db: Path) -> None:
    assert set(results(results_db)["sequences"]) == {CLIPS}
