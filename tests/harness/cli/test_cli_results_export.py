"""``vosbench results --export``: every column in every format, and the page that explains them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from cli_outcome import Vosbench

from vosbench.harness.store import results
from vosbench.harness.store.results import COLUMNS

PAGE = Path(__file__).parents[3] / "docs" / "results.md"


@pytest.fixture
def ran(vosbench: Vosbench) -> Vosbench:
    outcome = vosbench(
        "run", "--models", "g-frtm-lite+always,frtm-lite", "--weights", "random:0",
        "--sequences", "still", "--max-frames", "3", "--threads", "1", "--device", "cpu",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    return vosbench


def test_each_format_holds_every_column(ran: Vosbench, tmp_path: Path) -> None:
    frame = results(str(tmp_path / "results.db"))
    for name in ("r.csv", "r.jsonl", "r.parquet"):
        if name.endswith(".parquet"):
            pytest.importorskip("pyarrow", reason="no pyarrow: pip install pyarrow")
        outcome = ran("results", "--export", name)
        assert outcome.code == 0, outcome.err
        assert f"{len(frame)} rows, {len(frame.columns)} columns" in outcome.out
    csv = pd.read_csv(tmp_path / "r.csv")
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert list(csv) == list(lines[0]) == list(frame)
    assert json.loads(csv["sequences"][0]) == json.loads(lines[0]["sequences"]) == ["still"]
    assert [row["key"] for row in lines] == list(csv["key"]) == list(frame["key"])
    assert [row["jf_mean"] for row in lines] == pytest.approx(list(frame["jf_mean"]))
    assert ran("results", "--csv").out == (tmp_path / "r.csv").read_text()
    by = ran("results", "--by", "motion", "--export", "by.jsonl")
    assert by.code == 0, by.err
    assert "motion" in json.loads((tmp_path / "by.jsonl").read_text().splitlines()[0])


def test_another_format_is_refused(ran: Vosbench, tmp_path: Path) -> None:
    outcome = ran("results", "--export", "r.xlsx")
    assert outcome.code == 2
    assert ".csv, .parquet, .jsonl" in outcome.err
    assert not (tmp_path / "r.xlsx").exists()


def test_every_column_is_explained() -> None:
    first = PAGE.read_text(encoding="utf-8").partition("Further aggregates")[0]
    cells = [line.split("|")[1] for line in first.splitlines() if line.startswith("| `")]
    told = [name.strip().strip("`") for cell in cells for name in cell.split(",")]
    assert tuple(told) == COLUMNS
