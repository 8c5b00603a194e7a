"""The workflow that users copy, and the promises of its documentation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from vosbench.harness.regression.thresholds import METRICS, parse_tolerance
from vosbench.harness.regression.verdict import EXIT_CODES, Verdict
from vosbench.harness.store import Selection, results
from vosbench.harness.trials import Kind

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW = ROOT / "examples" / "github-actions.yml"
CRASH = ROOT / "tests" / "harness" / "crash"
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


def values(**changed: str) -> dict[str, str]:
    """The workflow's `env`, with some of it changed as a user would."""
    found = yaml.safe_load(WORKFLOW.read_text())["env"]
    assert set(changed) <= set(found)
    return {name: str(value) for name, value in found.items()} | changed


def fake_head(folder: Path) -> None:
    """An environment whose vosbench writes down how it was called."""
    program = folder / "venv-head" / "bin" / "vosbench"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$*" >> calls\n')
    program.chmod(0o755)


def call(folder: Path, name: str) -> str:
    """What a step of the workflow calls, run as GitHub does."""
    fake_head(folder)
    environment = {"PATH": "/usr/bin:/bin", **values()}
    subprocess.run(["bash", "-e", "-c", script(name)], cwd=folder, check=True, env=environment)
    return (folder / "calls").read_text()


def install_side(folder: Path, side: str, frame_s: str) -> None:
    """In place of the step that installs: an environment with this vosbench, and with a model
    of the repository whose frames take so long."""
    checkout = folder / side
    checkout.mkdir()
    code = (CRASH / "crash_plugin.py").read_text()
    assert '"0.002"' in code
    (checkout / "crash_plugin.py").write_text(code.replace('"0.002"', f'"{frame_s}"'))
    info = checkout / "crash_dummy-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crash-dummy\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[vosbench.runners]\ncrash-dummy = crash_plugin:CrashDummy\n"
    )
    venv = folder / f"venv-{side}"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    shared = sysconfig.get_path("purelib")
    (packages / "sides.pth").write_text(f"{checkout}\nimport site; site.addsitedir({shared!r})\n")
    program = venv / "bin" / "vosbench"
    program.write_text(f"#!{venv}/bin/python\nfrom vosbench.harness.cli import main\n\nmain()\n")
    program.chmod(0o755)


def run_steps(folder: Path, **changed: str) -> list[int]:
    """Run all scripts of the job in order, but for the one that installs; their exit statuses.

    As on GitHub, steps after a failure are left out unless they are to run always.
    """
    paths = {"GITHUB_STEP_SUMMARY": "summary.md", "VOSBENCH_LOCK_DIR": str(folder / "locks")}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **paths, **values(**changed)}
    statuses: list[int] = []
    for step in steps():
        if "run" not in step or step.get("name") == "Install both sides":
            continue
        if any(statuses) and "if" not in step:
            continue
        ran = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", str(step["run"])],
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        print(ran.stdout, ran.stderr)
        statuses.append(ran.returncode)
    return statuses


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
    measuring = call(tmp_path, "Measure by turns")
    assert "--models subprocess:base.toml,subprocess:head.toml" in measuring
    assert "--kind both --repeats 5 --interleave --save-masks" in measuring


def test_comparison_reads_what_was_measured(tmp_path: Path) -> None:
    comparing = call(tmp_path, "Compare")
    assert "--base subprocess:base.toml --head subprocess:head.toml --db vosbench.db" in comparing
    texts = dict(re.findall(r"--(jf|fps)-tol (\S+)", comparing))
    assert parse_tolerance("jf_mean", texts["jf"]).amount == 0.3
    assert parse_tolerance("fps", texts["fps"]).amount == 5.0


@pytest.mark.slow
def test_the_workflow_finds_a_slower_head(tmp_path: Path) -> None:
    """All its scripts, in order, with two environments of one code base on this machine.

    Replaced are the checkouts and the installation; the model, grid and repeats are small.
    """
    for side, frame_s in (("base", "0.005"), ("head", "0.15")):
        install_side(tmp_path, side, frame_s)
    grid = "--tau 0.5 --dataset motion --sequences still,fast --max-frames 4 --allow-busy"
    statuses = run_steps(tmp_path, MODEL="crash-dummy", GRID=grid, REPEATS="3")
    assert statuses == [0, 0, EXIT_CODES[Verdict.REGRESSED], 0]
    found = json.loads((tmp_path / "vosbench.json").read_text())
    (point,) = found["points"]
    jf, fps = point["findings"]
    assert (jf["reason"], fps["verdict"]) == ("equal masks", "regressed")
    assert fps["measured"]["repeats"] == [3, 3]
    assert "regressed" in (tmp_path / "summary.md").read_text()
    trials = results(tmp_path / "vosbench.db", Selection(kinds=(Kind.TIMING,)))
    assert [Path(name).name[0] for name in trials["model"]] == list("bhhbbh")


def test_the_guide_names_every_code_and_metric() -> None:
    text = GUIDE.read_text()
    for verdict, code in EXIT_CODES.items():
        assert f"| {verdict} | {code} |" in text
    for name in METRICS:
        assert name in text or METRICS[name].label in text
    for name, example in re.findall(r"`(\w+)=([\d.]+%?)`", text):
        parse_tolerance(name, example)
