"""The main job through the command line, on the built-in clips with untrained weights."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli_outcome import Vosbench

SMALL = ("--weights", "random:0", "--sequences", "late,trio", "--max-frames", "5")
GRID = ("--models", "g-frtm-lite,frtm-lite,g-frtm-lite+copy", "--tau", "0.1:1.0:0.3")


def stored(vosbench: Vosbench, *filters: str) -> list[dict[str, Any]]:
    outcome = vosbench("results", "--json", *filters)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--kind", "timing", "--repeats", "1000000000"), "'--repeats'"),
        (("--kind", "timing", "--repeats", "10000", "--tau", "0:1:0.001"), "10,010,000 trials"),
        (
            ("--models", "g-frtm-lite+fusion", "--tau", "0:1:0.001", "--tau2", "0:1:0.001"),
            "1,003,002",
        ),
        (("--kind", "both", "--repeats", "100", "--tau", "0.001:1:0.001"), "101,000 trials"),
    ],
)
def test_a_grid_without_measure_is_refused(
    vosbench: Vosbench, arguments: tuple[str, ...], says: str
) -> None:
    outcome = vosbench("run", "--models", "g-frtm-lite", *SMALL, *arguments)
    assert outcome.code == 2
    assert says in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("results.db").exists()


def test_a_grid_runs_once_and_is_shown(vosbench: Vosbench) -> None:
    first = vosbench("run", *GRID, *SMALL)
    assert first.code == 0, first.err
    assert "untrained" in first.out
    assert "8 settings of g-frtm-lite on late" in first.err
    rows = stored(vosbench)
    assert [(r["model"], r["tau"]) for r in rows] == [
        *[("g-frtm-lite", tau) for tau in (0.1, 0.4, 0.7, 1.0)],
        ("frtm-lite", None),
        *[("g-frtm-lite+copy", tau) for tau in (0.1, 0.4, 0.7, 1.0)],
    ]
    for row in rows:
        assert row["state"] == "complete"
        assert row["kind"] == "accuracy"
        assert row["trained"] is False
        assert row["weights"] == "random:0"
        assert 0 <= row["jf_mean"] <= 1
        assert row["fps"] is None
        assert len(row["mask_sha256"]) == 64
        assert row["protocol"].startswith("motion@")
    assert rows[3]["reuse_rate"] == 0

    again = vosbench("run", *GRID, *SMALL)
    assert again.code == 0
    assert again.err == ""  # nothing was walked
    assert stored(vosbench) == rows


def test_lockstep_changes_no_mask(vosbench: Vosbench) -> None:
    taus = ("--models", "g-ttvos-lite", "--tau", "0.1,0.12,0.13,1")
    assert vosbench("run", *taus, *SMALL, "--db", "together.db").code == 0
    assert vosbench("run", *taus, *SMALL, "--db", "apart.db", "--no-lockstep").code == 0
    together, apart = (stored(vosbench, "--db", f"{n}.db") for n in ("together", "apart"))
    assert [r["mask_sha256"] for r in together] == [r["mask_sha256"] for r in apart]
    assert [r["reuse_rate"] for r in together] == [r["reuse_rate"] for r in apart]
    assert together[0]["passes_saved"] > 0
    assert apart[0].get("passes_saved") is None


def test_timing_and_accuracy_share_a_row_of_the_table(vosbench: Vosbench) -> None:
    asked = ("--models", "g-ttvos-lite", "--tau", "1", "--kind", "both", "--allow-busy")
    small = (*SMALL[:2], "--sequences", "late", "--max-frames", "4", "--repeats", "2")
    assert vosbench("run", *asked, *small).code == 0
    rows = stored(vosbench)
    assert [r["kind"] for r in rows] == ["accuracy", "timing", "timing"]
    assert len({r["mask_sha256"] for r in rows}) == 1
    assert all(r["fps"] > 0 and r["init_ms"] > 0 for r in rows[1:])
    assert all(r["energy_gross_j_per_frame"] != 0 for r in rows)
    for row in rows[1:]:  # GFLOP by path and stage, of the second repeat too
        assert row["gflop/full/f8"] == row["gflop/reuse/f8"] == row["gflop/copy/f8"] > 0
        assert row["gflop/full/f16+f32"] > 0
        assert "gflop/reuse/f16+f32" not in row or row["gflop/reuse/f16+f32"] is None
    table = vosbench("results").out
    assert table.count("g-ttvos-lite") == 1
    assert "FPS" in table
    assert max(map(len, table.splitlines())) <= 80


def test_a_killed_trial_goes_on_where_it_was(vosbench: Vosbench, tmp_path: Path) -> None:
    asked = ("--models", "g-ttvos-lite", "--tau", "0.1,1", *SMALL)
    assert vosbench("run", *asked).code == 0
    whole = stored(vosbench)
    with sqlite3.connect(tmp_path / "results.db") as connection:
        # As a kill -9 after the first clip leaves it: one clip stored, the trial running.
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM sequence_result WHERE trial_id = 1 AND sequence = 'trio'")
        connection.execute("DELETE FROM trial_metric WHERE trial_id = 1")
        connection.execute(
            "UPDATE trial SET state = 'running', lease_until = 0, mask_sha256 = NULL WHERE id = 1"
        )
        connection.execute(
            "UPDATE attempt SET state = 'running', pid = 1, ended_at = NULL WHERE trial_id = 1"
        )
    resumed = vosbench("run", *asked)
    assert resumed.code == 0, resumed.err
    assert "on trio" in resumed.err
    assert "on late" not in resumed.err
    # The second attempt walked for one setting, so it shared nothing.
    differ = ("attempt", "passes_computed", "passes_saved")
    finished = stored(vosbench)
    assert [{k: v for k, v in r.items() if k not in differ} for r in finished] == [
        {k: v for k, v in r.items() if k not in differ} for r in whole
    ]
    assert [r["attempt"] for r in finished] == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--models", "frtm-fats"), "did you mean 'frtm-fast'"),
        (("--models", "g-frtm-lite", "--weights", "random:0"), "--tau"),
        (("--models", "g-frtm-lite", "--tau", "0.1:0.5"), "a range 0.1:1.0:0.1"),
        (
            ("--models", "ttvos-lite,g-ttvos-lite,g-ttvos-lite+random:2", "--tau", "1", *SMALL),
            "0 to 1",
        ),
        (("--models", "g-ttvos-lite+copy:3", "--tau", "1", *SMALL), "takes no argument"),
        (("--models", "g-ttvos-lite+fusion", "--tau", "0.9", "--tau2", "0.5", *SMALL), "--tau2 ≥"),
        (("--models", "frtm-lite", "--weights", "none.pth"), "no checkpoint at none.pth"),
        (("--models", "frtm-lite", "--weights", "random"), "random:SEED"),
        (("--models", "frtm-lite", "--dataset", "davis16", *SMALL[:2]), "--data-root"),
        (("--models", "frtm-lite", "--dataset", "moton"), "motion"),
        (("--models", "frtm-lite", "--sequences", "lat", *SMALL[:2]), "late"),
        (("--models", "frtm-lite", "--device", "tpu", *SMALL[:2]), "--device tpu"),
        (("--models", "frtm-lite", "--switch", "x=paper", *SMALL[:2]), "unknown switch"),
        (("--models", "frtm-lite", "--max-frames", "0", *SMALL[:2]), "at least one frame"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    vosbench: Vosbench, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    outcome = vosbench("run", *arguments)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert outcome.out == ""
    assert not (tmp_path / "results.db").exists()


def test_a_checkpoint_of_another_architecture_names_its_keys(
    vosbench: Vosbench, tmp_path: Path
) -> None:
    import torch

    torch.save({"model": {"refiner.x": torch.zeros(1)}}, tmp_path / "other.pth")
    outcome = vosbench("run", "--models", "ttvos-lite", "--weights", "other.pth")
    assert outcome.code == 2
    assert "another architecture" in outcome.err
    assert "1 unexpected (refiner.x)" in outcome.err


def test_results_of_nothing_say_so(vosbench: Vosbench, tmp_path: Path) -> None:
    outcome = vosbench("results")
    assert (outcome.code, outcome.out) == (2, "")
    assert "run `vosbench run` first" in outcome.err
    assert not (tmp_path / "results.db").exists()
    (tmp_path / "notes.db").write_text("not a database, but long enough to look like one" * 20)
    assert vosbench("results", "--db", "notes.db").code == 2


@pytest.mark.parametrize("command", ["models", "datasets", "env", "doctor", "models --switches"])
def test_listings_fit_80_columns(vosbench: Vosbench, command: str) -> None:
    outcome = vosbench(*command.split())
    assert outcome.code == 0, outcome.err
    if command != "env":  # whose values may be long
        assert max(map(len, outcome.out.splitlines())) <= 80


def test_profile_tells_ms_and_gflop_of_each_path(vosbench: Vosbench) -> None:
    asked = ("--weights", "random:0", "--frames", "3", "--allow-busy", "--json")
    outcome = vosbench("profile", "g-frtm-lite", *asked)
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    assert set(told["paths"]) == {"init", "full", "reuse", "copy"}
    gflop = {path: cost["gflop"] for path, cost in told["paths"].items()}
    assert gflop["copy"] < gflop["reuse"] < gflop["full"] < gflop["init"]
    stages = told["stages"]
    assert sum(s["gflop"] for s in stages["full"].values()) == pytest.approx(gflop["full"])
    assert "f16+f32" in stages["full"]
    executed = {name: stage["gflop_executed"] for name, stage in stages["full"].items()}
    assert executed["f8"] == pytest.approx(stages["full"]["f8"]["gflop"])  # no shortcut there
    assert "f16+f32" not in stages["reuse"]
