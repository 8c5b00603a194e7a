"""Tables and claims: printed numbers as printed, measured ones beside them, honest flags."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from report_samples import CLIPS, World, database, spec

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Selection, results
from vosbench.reports import everything, export
from vosbench.reports.figures import figure_names
from vosbench.reports.published import claims, published_table
from vosbench.reports.table_render import to_latex, to_markdown, to_text, write_table
from vosbench.reports.tables import check_claims, make_table, table_names

SHORT = ("still", "slow")


@pytest.fixture(scope="module")
def paper_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained and published weights on DAVIS names, some of them cut short."""
    davis16 = {"dataset": "davis16", "protocol": "davis16-val@1"}
    davis17 = {"dataset": "davis17", "protocol": "davis17-val@1"}
    whole = {"sequences": CLIPS}
    published = {"trained": True, "weights": "published.pth", "weights_sha256": "ee" * 32}
    specs = [
        spec("g-frtm-fast", "0.7", **davis16, **whole),
        spec("g-frtm-fast", "0.7", **davis17, **published),
        spec("g-frtm-fast", "1.0", **davis16, max_frames=12),
        spec("g-frtm-fast+copy", "0.7", **davis16),
        spec("frtm-fast", None, **davis16, sequences=SHORT),
    ]
    return database(tmp_path_factory.mktemp("tables") / "results.db", specs)


def test_published_numbers_are_the_shared_ones(shared) -> None:  # type: ignore[no-untyped-def]
    folder = shared("reference")
    names = {
        1: "table1_davis",
        2: "table2_ablation",
        3: "table3_ytvos",
        4: "table4_ytvos_pretrained",
    }
    for number, name in names.items():
        printed = pd.read_csv(folder / f"{name}.csv")
        for value in published_table(number):
            cell = printed.loc[value.row, value.column]
            assert (value.value is None and pd.isna(cell)) or value.value == cell
            assert printed.loc[value.row, "method"] == value.method
    assert len(claims()) == len(pd.read_csv(folder / "text_claims.csv"))


def test_percent_meets_fraction_at_the_edge(paper_db: Path) -> None:
    frame = make_table("1", paper_db).frame
    row = frame[
        (frame["method"] == "G-FRTM-fast") & (frame["tau"] == Decimal("0.7"))
        & (frame["quantity"] == "DAVIS16 J&F")
    ]  # fmt: skip
    stored = results(paper_db, Selection(datasets=["davis16"], models=["g-frtm-fast"]))
    jf = stored[stored["tau"] == Decimal("0.7")]["jf_mean"].dropna().item()
    assert row["published"].item() == 80.5
    assert row["measured"].item() == pytest.approx(100 * jf)
    assert row["difference"].item() == pytest.approx(100 * jf - 80.5)


def test_contradicting_tables_show_both(paper_db: Path) -> None:
    assert "69.9 (table 2: 69.6)" in to_markdown(make_table("1", paper_db))
    assert "69.6 (table 1: 69.9)" in to_markdown(make_table("2", paper_db))
    # Another training is no contradiction: tables 3 and 4 differ on purpose.
    assert "table" not in to_markdown(make_table("4", paper_db)).partition("| method")[2]


def test_other_weights_and_parts_of_a_set_are_flagged(paper_db: Path) -> None:
    frame = make_table("1", paper_db).frame
    measured = frame[frame["measured"].notna()]
    remarks = {
        (row["dataset"], str(row["tau"])): row["remark"]
        for row in measured[measured["unit"] == "%"].to_dict("records")
    }
    assert remarks["davis16", "0.7"] == "not the paper's weights: untrained; 3 of 20 sequences"
    assert remarks["davis17", "0.7"] == "3 of 30 sequences"
    assert remarks["davis16", "1.0"].endswith("first 12 frames")
    assert not measured["comparable"].any()


def test_whole_sets_with_published_weights_compare(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("vosbench.reports.table_rows.WHOLE_SETS", {"davis16": 3})
    trial = spec("g-frtm-fast", "0.7", dataset="davis16", trained=True, weights_sha256="ee" * 32)
    frame = make_table("2", database(tmp_path / "results.db", [trial], World(repeats=1))).frame
    measured = frame[frame["measured"].notna()].set_index("quantity")
    assert measured.loc["DAVIS16 J&F", "comparable"]
    assert not measured.loc["DAVIS16 FPS", "comparable"]
    assert "another machine" in measured.loc["DAVIS16 FPS", "remark"]


def test_what_was_not_measured_is_a_dash(paper_db: Path) -> None:
    frame = make_table("1", paper_db).frame
    others = frame[frame["method"] == "STM"]
    assert others["measured"].isna().all()
    assert "81.8 / —" in to_text(make_table("1", paper_db))


@pytest.mark.parametrize("name", table_names())
@pytest.mark.parametrize("width", [80, 120])
def test_text_fits_the_terminal(name: str, width: int, paper_db: Path) -> None:
    text = to_text(make_table(name, paper_db), width)
    assert max(map(len, text.splitlines())) <= width
    assert "G-FRTM-fast" in text or "fusion" in text


@pytest.mark.parametrize("name", [*table_names(), "claims"])
def test_latex_rows_have_the_columns_that_they_say(name: str, paper_db: Path) -> None:
    table = check_claims(paper_db) if name == "claims" else make_table(name, paper_db)
    latex = to_latex(table)
    columns = len(re.search(r"\\begin\{tabular\}\{(\w+)\}", latex)[1])  # type: ignore[index]
    body = latex.partition(r"\midrule")[2].partition(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == len(table.layout.lines)
    for row in body:
        assert len(re.findall(r"(?<!\\)&", row)) == columns - 1
    for command in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert latex.count(command) == 1
    assert not re.search(r"[τ−—≥]|(?<!\\)_|(?<!\\)%(?! )", latex.partition("\n")[2])


def test_all_formats_are_written(paper_db: Path, tmp_path: Path) -> None:
    table = make_table("2", paper_db)
    for extension in (".csv", ".md", ".tex", ".txt"):
        assert write_table(table, tmp_path / f"t{extension}").stat().st_size > 500
    read = pd.read_csv(tmp_path / "t.csv")
    assert list(read) == list(table.frame)
    with pytest.raises(InputError, match=r"\.csv, \.md, \.tex or \.txt"):
        write_table(table, tmp_path / "t.html")
    with pytest.raises(InputError, match="unknown table '7'"):
        make_table("7", paper_db)


def test_claims_are_checked(paper_db: Path) -> None:
    frame = check_claims(paper_db).frame
    alike = frame[frame["claim"].str.startswith("adjacent-mask")]
    assert alike["published"].item() == 73.3 and 0 < alike["measured"].item() <= 100
    assert alike["remark"].item() == "3 of 30 sequences"
    reuse = frame[(frame["claim"] == "reuse rate") & (frame["printed_dataset"] == "DAVIS16")]
    at = reuse[reuse["tau"] == Decimal("0.7")]
    stored = results(paper_db, Selection(datasets=["davis16"], models=["g-frtm-fast"]))
    published = stored[stored["tau"] == Decimal("0.7")]["reuse_rate_published"].dropna().item()
    assert at["measured"].item() == published
    assert reuse[reuse["tau"] == Decimal("0.1")]["measured"].isna().all()
    assert list(frame[frame["claim"].str.contains("of object")]["published"]) == [
        0.152,
        0.439,
        0.864,
    ]
    assert "0.475" in to_text(check_claims(paper_db))


def test_object_claims_find_their_clip(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    import report_samples as samples

    monkeypatch.setitem(samples.OBJECTS, "dogs-jump", (1, 2, 3))
    monkeypatch.setitem(samples.MOTION, "dogs-jump", 0.1)
    trial = spec("g-frtm-fast", "0.7", dataset="davis17", sequences=("dogs-jump",))
    frame = check_claims(database(tmp_path / "results.db", [trial], World(repeats=1))).frame
    rows = frame[frame["claim"].str.contains("of object")]
    assert len(rows) == 3 and rows["measured"].notna().all()
    assert rows["remark"].str.contains("no τ").all()


def test_report_all_makes_what_it_can_and_says_what_it_cannot(
    paper_db: Path, tmp_path: Path
) -> None:
    report = everything.report_all(paper_db, tmp_path / "out", formats=("svg",))
    index = report.index.read_text()
    for item in report.made:
        assert all(path.stat().st_size > 0 for path in item.files)
        assert f"**{item.name}**" in index
    assert {item.name for item in report.missing} == {"margins"}
    assert "vosbench run" in index.partition("## Not made")[2]
    asked_for = len(figure_names()) + len(table_names()) + 2  # and claims, results
    assert len(report.made) + len(report.missing) == asked_for


def test_exports_keep_names_and_values(paper_db: Path, tmp_path: Path) -> None:
    frame = results(paper_db)
    lines = export.export_frame(frame, tmp_path / "r.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == len(frame) and list(rows[0]) == list(frame)
    assert {row["tau"] for row in rows} == {0.7, 1.0, None}
    assert [row["jf_mean"] for row in rows] == [
        None if pd.isna(value) else pytest.approx(value, abs=1e-14) for value in frame["jf_mean"]
    ]
    read = pd.read_csv(export.export_frame(frame, tmp_path / "r.csv"))
    assert list(read) == list(frame) and json.loads(read["sequences"].iloc[0]) == [
        "still",
        "slow",
        "fast",
    ]
    with pytest.raises(InputError, match="ends in"):
        export.export_frame(frame, tmp_path / "r.xlsx")


def test_parquet_needs_pyarrow_and_says_so(paper_db: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        export.export_frame(results(paper_db), tmp_path / "r.parquet")


def test_parquet_round_trip(paper_db: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="no pyarrow: pip install pyarrow")
    frame = results(paper_db)
    read = pd.read_parquet(export.export_frame(frame, tmp_path / "r.parquet"))
    assert list(read) == list(frame)
    assert list(read["key"]) == list(frame["key"])
    assert read["tau"].dropna().isin([0.7, 1.0]).all()
