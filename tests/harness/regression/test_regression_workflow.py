"""The workflow that users copy, and the promises of its documentation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from vosbench.harness.regression.thresholds import METRICS, parse_tolerance
from vosbench.harness.regression.verdict import EXIT_CODES

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / "examples" / "github-actions.yml"
GUIDE = ROOT / "docs" / "regression.md"

yaml = pytest.importorskip("yaml", reason="no PyYAML: pip install 'vosbench[test]'")


def steps() -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load(WORKFLOW.read_text())["jobs"]["regression"][
        "steps"
    ]
    return found


def script(name: str) -> str:
    (step,) = (step for step in steps() if step.get("name") == name)
    return str(step["run"])


def fake_sides(folder: Path) -> None:
    """Two environments whose vosbench writes down how it was called."""
    for side in ("base", "head"):
        program = folder / f"venv-{side}" / "bin" / "vosbench"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\necho "{side} $*" >> calls\n')
        program.chmod(0o755)


def calls(folder: Path, name: str) -> list[str]:
    """What a step of the workflow calls, run as GitHub does."""
    environment = {
        key: str(value) for key, value in yaml.safe_load(WORKFLOW.read_text())["env"].items()
    }
    subprocess.run(
        ["bash", "-e", "-c", script(name)],
        cwd=folder, check=True, env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    return (folder / "calls").read_text().splitlines()


def test_workflow_is_a_workflow() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert {"name", True, "jobs", "env", "permissions"} <= set(yaml.safe_load(WORKFLOW.read_text()))
    for step in steps():
        assert ("run" in step) != ("uses" in step)


def test_every_script_is_shell() -> None:
    for step in steps():
        if "run" in step:
            subprocess.run(["bash", "-n", "-c", str(step["run"])], check=True)


def test_sides_take_turns(tmp_path: Path) -> None:
    fake_sides(tmp_path)
    found = calls(tmp_path, "Measure time by turns")
    assert "".join(call[0] for call in found) == "bhhbbhhbbh"
    assert re.findall(r"--repeats (\d+)", " ".join(found)) == list("1122334455")


def test_comparison_reads_what_was_measured(tmp_path: Path) -> None:
    fake_sides(tmp_path)
    setting, comparing = calls(tmp_path, "Compare")
    assert "baseline set pull-request --db base.db --save base.json" in setting
    assert "compare --baseline base.json --db head.db --jf-tol 0.3 --fps-tol mean:5%" in comparing
    texts = dict(re.findall(r"--(jf|fps)-tol (\S+)", comparing))
    assert parse_tolerance("jf_mean", texts["jf"]).amount == 0.3
    assert parse_tolerance("fps", texts["fps"]).amount == 5.0


def test_the_guide_names_every_code_and_metric() -> None:
    text = GUIDE.read_text()
    for verdict, code in EXIT_CODES.items():
        assert f"| {verdict} | {code} |" in text
    for name in METRICS:
        assert name in text or METRICS[name].label in text
    for name, example in re.findall(r"`(\w+)=([\d.]+%?)`", text):
        parse_tolerance(name, example)
