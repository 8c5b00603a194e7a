"""Baseline and comparison through the command line, with a model that can be slowed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_outcome import Outcome, Vosbench

from vosbench.harness.store import Selection, results
from vosbench.harness.trials import Kind

PLUGIN = Path(__file__).resolve().parents[1] / "crash"
GRID = ("--models", "crash-dummy", "--tau", "0.5", "--sequences", "still,fast", "--max-frames", "4")


@pytest.fixture
def measured(vosbench: Vosbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with base.db, same.db (equal) and slow.db (ten times slower), and base.json."""
    info = tmp_path / "crash_dummy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crash-dummy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[vosbench.runners]\ncrash-dummy = crash_plugin:CrashDummy\n"
    )
    for folder in (tmp_path, PLUGIN):
        monkeypatch.syspath_prepend(str(folder))
    for name, seconds in (("base", 0.01), ("same", 0.01), ("slow", 0.1)):
        monkeypatch.setenv("VOSBENCH_CRASH_FRAME_S", str(seconds))
        ran = vosbench(
            "run", *GRID, "--db", f"{name}.db", "--kind", "both", "--repeats", "3",
            "--allow-busy", "--no-breakdown",
        )  # fmt: skip
        assert ran.code == 0, ran.err
    assert vosbench("baseline", "set", "main", "--db", "base.db", "--save", "base.json").code == 0
    return tmp_path


def compared(vosbench: Vosbench, head: str, *more: str) -> Outcome:
    return vosbench("compare", "--baseline", "base.json", "--db", head, *more)


@pytest.mark.slow
def test_verdicts_have_their_exit_codes(vosbench: Vosbench, measured: Path) -> None:
    # The machine is shared: what is held equal is accuracy, and time within a wide tolerance.
    equal = compared(vosbench, "same.db", "--fps-tol", "mean:95%", "--json-out", "same.json")
    assert equal.code == 0, equal.out
    findings = json.loads((measured / "same.json").read_text())
    assert findings["verdict"] == "pass"

    slowed = compared(vosbench, "slow.db", "--junit", "slow.xml", "--markdown", "slow.md")
    assert slowed.code == 10, slowed.out
    assert "regressed" in slowed.out
    assert ET.parse(measured / "slow.xml").getroot().iter("failure")
    assert "regressed" in (measured / "slow.md").read_text()
    assert compared(vosbench, "slow.db", "--allow", "regressed").code == 0

    elsewhere = (measured / "base.json").read_text()
    (measured / "base.json").write_text(_other_machine(elsewhere))
    assert compared(vosbench, "same.db").code == 13

    lost = vosbench("compare", "--baseline", "none.json", "--db", "same.db")
    assert (lost.code, "none.json" in lost.err) == (2, True)

    itself = vosbench("compare", "--baseline", "main", "--db", "base.db")
    assert itself.code == 14, itself.out  # nothing new was measured


def _other_machine(text: str) -> str:
    """The same results, measured under another comparability key."""
    content = json.loads(text)

    def change(value: object) -> object:
        if isinstance(value, dict):
            return {
                k: "f" * 64 if k == "environment_key" and v else change(v) for k, v in value.items()
            }
        return [change(item) for item in value] if isinstance(value, list) else value

    return json.dumps(change(content))


def test_bad_requests_are_one_line(vosbench: Vosbench, tmp_path: Path) -> None:
    for arguments, says in (
        (("compare", "--baseline", "main", "--db", "none.db"), "run `vosbench run` first"),
        (("compare", "--baseline", "main", "--allow", "error"), "choose from"),
        (("baseline", "set", "main", "--db", "none.db"), "run `vosbench run` first"),
        (("baseline", "show", "main", "--db", "none.db"), "run `vosbench run` first"),
    ):
        outcome = vosbench(*arguments)
        assert outcome.code == 2, (arguments, outcome)
        assert says in outcome.err
        assert len(outcome.err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("*.db"))


WALK = ("--dataset", "motion", "--sequences", "still,fast", "--max-frames", "4",
        "--allow-busy", "--no-breakdown")  # fmt: skip


@pytest.fixture
def two_sides(vosbench: Vosbench, tmp_path: Path) -> Path:
    """A folder with r.db: always and never reuse, with label maps and two interleaved repeats."""
    ran = vosbench(
        "run", "--models", "g-frtm-lite+never,g-frtm-lite+always", *WALK, "--kind", "both",
        "--repeats", "2", "--interleave", "--save-masks", "--db", "r.db",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    return tmp_path


@pytest.mark.slow
def test_two_models_of_one_database(vosbench: Vosbench, two_sides: Path) -> None:
    timed = results(two_sides / "r.db", Selection(kinds=(Kind.TIMING,)))
    policies = [name.partition("+")[2] for name in timed["model"]]
    assert policies == ["never", "always", "always", "never"]  # rows are made in the plan's order
    sides = ("--base", "g-frtm-lite+never", "--head", "g-frtm-lite+always", "--db", "r.db")
    compared = vosbench("compare", *sides, "--strips", "out", "--json-out", "c.json")
    assert compared.code in (10, 11, 12), compared.err
    assert "g-frtm-lite+never → g-frtm-lite+always" in compared.out
    pictures = list((two_sides / "out").glob("*.png"))
    assert len(pictures) == compared.out.count("wrote ")
    assert len(pictures) >= 1
    point = json.loads((two_sides / "c.json").read_text())["points"][0]
    assert [finding["metric"] for finding in point["findings"]] == ["jf_mean", "fps"]

    itself = vosbench("compare", *sides[:3], "g-frtm-lite+never", "--db", "r.db")
    assert (itself.code, "same measurements" in itself.out) == (14, True)
    few = vosbench("compare", "--a-a", "--db", "r.db")
    assert (few.code, "--repeats 10 --interleave" in few.err) == (2, True)


@pytest.mark.slow
def test_repeats_against_each_other(vosbench: Vosbench, tmp_path: Path) -> None:
    ran = vosbench(
        "run", "--models", "g-ttvos-lite+always", "--weights", "random:0", *WALK,
        "--kind", "timing", "--repeats", "4", "--interleave", "--db", "aa.db",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    compared = vosbench("compare", "--a-a", "--db", "aa.db", "--fps-tol", "mean:90%")
    assert compared.code in (0, 12), compared.out
    assert "A/A noise of FPS" in compared.out
    assert vosbench("baseline", "set", "main", "--db", "aa.db").code == 0
    shown = vosbench("baseline", "show", "main", "--db", "aa.db").out
    assert "A/A noise" in shown
    assert len(shown.split("g-ttvos-lite+always")) == 2


def test_sides_that_make_no_sense_are_one_line(vosbench: Vosbench) -> None:
    for arguments, says in (
        ((), "--baseline NAME, or --base A --head B, or --a-a"),
        (("--baseline", "main", "--a-a"), "--baseline NAME, or"),
        (("--a-a", "--head", "x"), "--baseline NAME, or"),
        (("--base", "x"), "name the other side with --head"),
    ):
        outcome = vosbench("compare", *arguments)
        assert (outcome.code, says in outcome.err) == (2, True), outcome
    refused = vosbench("run", "--models", "frtm", "--interleave")
    assert (refused.code, "--kind timing" in refused.err) == (2, True)
