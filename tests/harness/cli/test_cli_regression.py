"""Baseline and comparison through the command line, with a model that can be slowed."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_outcome import Outcome, Vosbench

PLUGIN = Path(__file__).resolve().parents[1] / "crash"
GRID = ("--models", "crash-dummy", "--tau", "0.5", "--max-frames", "4")


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
    equal = compared(vosbench, "same.db", "--fps-tol", "mean:60%", "--json-out", "same.json")
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
