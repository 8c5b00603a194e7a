"""The example package: installed into an environment of its own, run, and seen everywhere."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from vosbench.harness.datasets.motion import write_motion
from vosbench.harness.store import Selection, objects, results, series
from vosbench.reports.site.script import read_script

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "vosbench-example-runner"
MODULES = EXAMPLE / "src"
MODELS = (
    "example-histogram,example-gated,example-gated+every:3,"
    "example-gated+example-steady:0,example-gated+example-steady:0.5"
)
STEADY = [f"example-gated+example-steady:{share}" for share in ("0", "0.5")]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the example in it, beside its sources and a small dataset."""
    if find_spec("pip") is None or find_spec("setuptools") is None:
        pytest.skip("installing the example offline needs pip and setuptools here")
    folder = tmp_path_factory.mktemp("example")
    venv.create(folder / "env", system_site_packages=True)
    (own,) = (folder / "env" / "lib").glob("python*/site-packages")
    # VOSBench itself comes from the environment of these tests, editable or not.
    ours = [path for path in sys.path if path.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})\n" for path in ours]
    (own / "ours.pth").write_text("".join(lines))
    shutil.copytree(EXAMPLE, folder / "source")  # building leaves files beside the sources
    python = str(folder / "env" / "bin" / "python")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "--python", python, "install", *offline]
    asked = [*command, str(folder / "source")]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    write_motion(folder / "small", {"slow": 301, "late": 309}, (120, 216), 6)
    return folder


@pytest.fixture(scope="module")
def vosbench(place: Path) -> Command:
    """``vosbench`` of that environment."""
    program = "from vosbench.harness.cli import main; main()"

    def run(*arguments: str, fails: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(place / "env" / "bin" / "python"), "-c", program, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=place,
            env={**os.environ, "COLUMNS": "200"},
        )
        assert done.returncode == fails, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(scope="module")
def db(place: Path, vosbench: Command) -> str:
    """Results of everything that the example brings."""
    data = f"davis-layout:{place / 'small'}"
    vosbench("run", "--models", MODELS, "--tau", "0.6,1", "--dataset", data, "--save-masks")
    return str(place / "results.db")


def test_models_policy_and_metric_are_run_and_stored(db: str, vosbench: Command) -> None:
    found = results(db)
    assert (found["state"] == "complete").all()
    assert list(found["model"].unique()) == MODELS.split(",")
    assert (found.loc[found["model"] == "example-histogram", "jf_mean"] > 0.6).all()
    never = found[(found["model"] == "example-gated") & (found["tau"] == 1)].iloc[0]
    assert (never["reuse_rate"], never["policy"]) == (0, "learned")
    steady = found[found["model"].isin(STEADY)]["reuse_rate"]
    assert 0 < steady.iloc[0] < steady.iloc[1] < 1
    each = objects(db, Selection(models=["example-histogram"]))["example_centre_px"]
    whole = found.loc[found["model"] == "example-histogram", "example_centre_px"].iloc[0]
    assert 0 < whole < 20
    assert whole == pytest.approx(each.mean())
    assert "centre" in vosbench("results").stdout


def test_eval_scores_a_folder_by_the_metric_too(db: str, place: Path, vosbench: Command) -> None:
    key = results(db)["key"].iloc[0]
    for (_, sequence), labels in series(db, "labels", Selection(keys=[key])).items():
        for t, plane in enumerate(labels):
            file = place / "masks" / sequence / f"{t:05}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(plane.astype("uint8")).save(file)
    data = ("--dataset", f"davis-layout:{place / 'small'}")
    told = json.loads(vosbench("eval", "masks", *data, "--json").stdout)
    stored = results(db)["example_centre_px"].iloc[0]
    assert told["metrics"]["example_centre_px"] == pytest.approx(stored)
    assert "centre (px): " in vosbench("eval", "masks", *data).stdout


def test_they_are_seen_in_figures(db: str, place: Path, vosbench: Command) -> None:
    assert "example-spread" in vosbench("report", "--list").stdout
    vosbench("report", "--fig", "example-spread", "--out", "spread.svg")
    assert "example-gated+example-steady:0.5" in (place / "spread.svg").read_text()
    vosbench("report", "--fig", "gate-vs-giou", "--out", "eight.svg")
    drawn = (place / "eight.svg").read_text()
    assert "example-gated, steady area" in drawn
    assert "#aa3377" in drawn
    metric = ("--metric", "example_centre_px")
    vosbench("report", "--fig", "reuse-vs-jf", *metric, "--out", "centre.svg")
    assert "centre (px)" in (place / "centre.svg").read_text()
    with (place / "centre.csv").open() as file:
        values = {row["model"]: float(row["value"]) for row in csv.DictReader(file)}
    assert values["example-histogram"] == pytest.approx(results(db)["example_centre_px"].iloc[0])
    told = vosbench("report", "--fig", "path-cost", *metric, fails=2)
    assert "has no axis for --metric" in told.stderr


def test_the_metric_is_compared(db: str, place: Path, vosbench: Command) -> None:
    base, head = STEADY
    sides = ("--base", base, "--head", head, "--metric", "example_centre_px")
    verdicts = "regressed,improved,inconclusive"
    vosbench("compare", *sides, "--json-out", "compared.json", "--allow", verdicts)
    (point,) = json.loads((place / "compared.json").read_text())["points"]
    finding = {f["metric"]: f for f in point["findings"]}["example_centre_px"]
    values = results(db).set_index("model")["example_centre_px"]
    assert finding["measured"]["change"] == pytest.approx(values[head] - values[base])


def test_they_are_seen_on_the_site(db: str, place: Path, vosbench: Command) -> None:
    vosbench("site", "--out", "site")
    data = read_script(place / "site" / "data" / "site.js")
    assert [(one["name"], one["label"]) for one in data["metrics"]] == [
        ("example_centre_px", "centre (px)")
    ]
    assert data["looks"]["example-gated, steady area"]["colour"] == "#aa3377"


def test_they_keep_the_contracts(place: Path, vosbench: Command) -> None:
    done = subprocess.run(
        [str(place / "env" / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        check=False,
        capture_output=True,
        text=True,
        cwd=place / "source",
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "begins", "most"),
    [
        ("vosbench_example_runner", "class HistogramRunner", 45),
        ("vosbench_example_gated", "@dataclass(frozen=True)\nclass State", 75),
        ("vosbench_example_policy", "class Steady", 15),
        ("vosbench_example_metric", "def centre_distance", 12),
        ("vosbench_example_figure", "def rows", 18),
    ],
)
def test_each_is_short(module: str, begins: str, most: int) -> None:
    """As docs/extend.md says."""
    code = (MODULES / f"{module}.py").read_text()
    assert begins in code
    body = begins + code.partition(begins)[2]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) <= most, len(lines)
    counted = f"| `{module}.py` | {len(lines)} |"
    assert counted in (EXAMPLE.parents[1] / "docs" / "extend.md").read_text(), counted
