"""Tables of any results: marks, intervals, rows of the user's own, and LaTeX that compiles."""

from __future__ import annotations

import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from report_samples import CLIPS, TAUS, World, database, spec

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Selection
from vosbench.reports.frames import measured
from vosbench.reports.intervals import interval, with_intervals
from vosbench.reports.results_table import results_latex, results_markdown, results_table
from vosbench.reports.table_render import to_text, write_table
from vosbench.reports.tables import check_claims, make_table, table_names

EVERYTHING = Selection()
PAGE = r"""\documentclass[10pt]{article}
\usepackage[paperwidth=8.5in,textwidth=%s,textheight=8in]{geometry}
\usepackage[T1]{fontenc}\usepackage{booktabs,siunitx,tabularx}
\begin{document}\noindent
%s
\end{document}
"""


@pytest.fixture(scope="module")
def own_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of ours on DAVIS 2016, timed three times."""
    davis16 = {"dataset": "davis16", "protocol": "davis16-val@1", "sequences": CLIPS}
    specs = [spec("g-frtm-lite", tau, **davis16) for tau in TAUS]
    specs += [spec("my_net&co", None, **davis16), spec("g-frtm-fast", "0.7", **davis16)]
    return database(tmp_path_factory.mktemp("own") / "results.db", specs, World(repeats=3))


def test_best_and_second_are_marked_within_a_part(own_db: Path) -> None:
    table = results_table(str(own_db), EVERYTHING)
    (section,) = table.sections
    place = [quantity.name for quantity in table.columns].index("jf_mean")
    ranks = {values[place].text: values[place].rank for _, values in section.lines}
    ordered = sorted(ranks, key=float, reverse=True)
    assert [ranks[text] for text in ordered[:3]] == [1, 2, 0]
    reuse = [quantity.name for quantity in table.columns].index("reuse_rate")
    assert {values[reuse].rank for _, values in section.lines} == {0}
    told = results_markdown(table)
    assert f"**{ordered[0]}**" in told and f"<u>{ordered[1]}</u>" in told
    fps = [values[-1] for _, values in section.lines]
    assert all("–" in value.limits for value in fps)
    assert any("2 threads, float32, 3 repeats" in note for note in table.notes)


def test_rows_choose_order_and_name(own_db: Path) -> None:
    rows = {"my_net&co": "theirs", "g-frtm-lite": "ours"}
    table = results_table(str(own_db), EVERYTHING, rows, [Decimal("0.7")])
    assert [labels for labels, _ in table.sections[0].lines] == [("theirs", ""), ("ours", "0.7")]
    with pytest.raises(InputError, match="nothing was measured of 'g-frtm-lte'; did you mean"):
        results_table(str(own_db), EVERYTHING, {"g-frtm-lte": ""})


def test_the_papers_tables_end_with_models_of_ours(own_db: Path) -> None:
    table = make_table("1", str(own_db))
    own = table.frame[table.frame["method"].str.contains("measured here")]
    assert set(own["model"].dropna()) == {"g-frtm-lite", "my_net&co"}
    assert own["row"].nunique() == len(TAUS) + 1
    assert own["published"].isna().all()
    named = make_table("1", str(own_db), rows={"g-frtm-lite": "ours"})
    own = named.frame[named.frame["method"].str.contains("measured here")]
    assert set(own["method"]) == {"ours (measured here)"}
    assert not make_table("3", str(own_db)).frame["method"].str.contains("measured here").any()


def test_intervals_are_of_the_stored_mean(own_db: Path) -> None:
    found = with_intervals(str(own_db), measured(str(own_db), EVERYTHING))
    known = found[found["reuse_low"].notna()]
    assert (known["reuse_low"] <= known["reuse_rate"]).all()
    assert (known["reuse_rate"] <= known["reuse_high"]).all()
    # The samples' J&F is no mean over objects: nothing is claimed of it.
    assert found["jf_low"].isna().all()
    low, high = interval(np.array([[0.2, 0.4, 0.9, 0.9]]), ["a", "b", "c", "c"])
    assert low == pytest.approx(0.2) and high == pytest.approx(0.9)


def test_busy_timings_are_marked(own_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = measured(str(own_db), EVERYTHING)
    busy = plain.assign(busy=plain["model"] == "my_net&co")
    monkeypatch.setattr("vosbench.reports.results_table.measured", lambda *_: busy)
    table = results_table(str(own_db), EVERYTHING)
    marks = {labels[0]: values[-1].mark for labels, values in table.sections[0].lines}
    assert [name for name, mark in marks.items() if mark] == ["my_net&co (untrained)"]
    assert "busy: others used the device while these were timed: my_net&co" in to_text(table, 200)


def test_the_papers_tables_say_what_times_belong_to(
    own_db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = to_text(make_table("1", str(own_db)), 200)
    assert "CPU machine-a, 2 threads, float32, 3 repeats" in told
    assert "busy" not in told
    busy = measured(str(own_db), EVERYTHING).assign(busy=True)
    monkeypatch.setattr("vosbench.reports.tables.measured", lambda *_: busy)
    told = to_text(make_table("1", str(own_db)), 200)
    assert "3 repeats, busy" in told
    assert "busy: others used the device meanwhile" in told


@pytest.mark.parametrize("name", [*table_names(), "claims", "results"])
def test_latex_compiles_within_its_width(name: str, own_db: Path, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex: apt install texlive-latex-recommended texlive-science")
    if name == "results":
        text = results_latex(results_table(str(own_db), EVERYTHING))
    else:
        table = check_claims(str(own_db)) if name == "claims" else make_table(name, str(own_db))
        text = write_table(table, tmp_path / "t.tex").read_text()
    width = "3.25in" if name == "results" else "6.875in"
    (tmp_path / "page.tex").write_text(PAGE % (width, text))
    ran = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:]
    assert "Overfull" not in ran.stdout, ran.stdout[-3000:]
