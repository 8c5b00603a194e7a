"""Strangers' models: found by their entry points, held to the rules, and never in the way."""

from __future__ import annotations

import json
import sys
from pathlib import Path as FilePath

import pytest
from typer.testing import CliRunner, Result

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.datasets.motion import write_motion
from vosbench.harness.store import State, Storage
from vosbench.runners.catalogue import catalogue
from vosbench.runners.registry import resolve

MODELS = """
import sys
import torch
from vosbench.runners.interface import ObjectStep, Path, RunnerSpec, Step, WeightsInfo

class Sound:
    spec = RunnerSpec("sound", "1", "keeps the first mask", takes_tau=True)
    def __init__(self, options):
        self.weights = WeightsInfo("none", "0" * 64, trained=True)
        self.tau = options.tau
    def load(self, device, precision):
        pass
    def start(self, clip):
        self.labels = torch.zeros(clip.height, clip.width, dtype=torch.uint8)
        self.known, self.new = [], []
    def add_objects(self, frame, masks):
        for i, mask in masks.items():
            self.labels[mask] = i
            self.new.append(i)
    def step(self, frame, spans):
        told = [ObjectStep(i, Path.FULL, self.p_gate()) for i in self.known]
        told += [ObjectStep(i, Path.INIT) for i in self.new]
        self.known, self.new = self.known + self.new, []
        return Step(self.change(self.labels.clone(), frame), tuple(told))
    def p_gate(self):
        return float(self.tau) / 2
    def change(self, labels, frame):
        return labels

def named(name):
    return RunnerSpec(name, "1", "faulty", takes_tau=True)

class WrongShape(Sound):
    spec = named("wrong-shape")
    def change(self, labels, frame):
        return labels[1:]

class WrongIds(Sound):
    spec = named("wrong-ids")
    def change(self, labels, frame):
        return labels + 100

class Floats(Sound):
    spec = named("floats")
    def change(self, labels, frame):
        return labels.float() * float("nan")

class NanGate(Sound):
    spec = named("nan-gate")
    def p_gate(self):
        return float("nan")

class Quits(Sound):
    spec = named("quits")
    def change(self, labels, frame):
        sys.exit(3)

class Crashes(Sound):
    spec = named("crashes")
    def change(self, labels, frame):
        return [][frame.index]

class NoLoad(Sound):
    spec = named("no-load")
    def load(self, device, precision):
        raise FileNotFoundError("weights.pth isn't here")

class NoStep:
    spec = named("no-step")
    def __init__(self, options):
        self.weights = WeightsInfo("none", "0" * 64, trained=True)
    load = start = add_objects = lambda self, *args: None

class NoWeights(Sound):
    spec = named("no-weights")
    def __init__(self, options):
        pass

class Unbuilt(Sound):
    spec = named("unbuilt")
    def __init__(self, options):
        raise KeyError("layer4")

class Misnamed(Sound):
    spec = named("another-name")

class BadPolicy(Sound):
    spec = RunnerSpec("bad-policy", "1", "", tells=frozenset({"p_gat"}))

class Unbindable(Sound):
    spec = RunnerSpec("unbindable", "1", "", argument="FILE")

class NoSpec:
    pass
"""

ENTRIES = {
    "sound": "their_models:Sound",
    "wrong-shape": "their_models:WrongShape",
    "wrong-ids": "their_models:WrongIds",
    "floats": "their_models:Floats",
    "nan-gate": "their_models:NanGate",
    "crashes": "their_models:Crashes",
    "quits": "their_models:Quits",
    "no-load": "their_models:NoLoad",
    "no-step": "their_models:NoStep",
    "no-weights": "their_models:NoWeights",
    "unbuilt": "their_models:Unbuilt",
    "misnamed": "their_models:Misnamed",
    "bad-policy": "their_models:BadPolicy",
    "unbindable": "their_models:Unbindable",
    "no-spec": "their_models:NoSpec",
    "no-module": "their_missing_module:Model",
    "bad-syntax": "their_syntax:Model",
    "exits": "their_exit:Model",
    "taken": "their_models:Sound",
    "frtm-lite": "their_models:Sound",
}


def add_package(folder: FilePath, name: str, entries: dict[str, str]) -> None:
    """What pip would leave of an installed package: its entry points."""
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{key} = {value}\n" for key, value in entries.items()]
    (info / "entry_points.txt").write_text("[vosbench.runners]\n" + "".join(lines))


@pytest.fixture
def strangers(tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch) -> FilePath:
    """Two installed packages of other people, full of mistakes."""
    folder = tmp_path / "site"
    add_package(folder, "their-models", ENTRIES)
    add_package(folder, "more-models", {"taken": "their_models:NoStep"})
    (folder / "their_models.py").write_text(MODELS)
    (folder / "their_syntax.py").write_text("class Model\n")
    (folder / "their_exit.py").write_text("import sys\nsys.exit('no licence')\n")
    monkeypatch.syspath_prepend(str(folder))
    for module in ("their_models", "their_syntax", "their_exit"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return folder


@pytest.fixture
def dataset(tmp_path: FilePath) -> str:
    """A small dataset of one clip with a late object."""
    write_motion(tmp_path / "small", {"late": 309}, (64, 96), 5)
    return f"davis-layout:{tmp_path / 'small'}"


def run(db: FilePath, dataset: str, models: str, tau: str = "0.5") -> Result:
    command = ["run", "--models", models, "--tau", tau, "--dataset", dataset]
    wide = {"COLUMNS": "500"}
    return CliRunner().invoke(app, [*command, "--db", str(db), "--study", "s"], env=wide)


@pytest.mark.usefixtures("strangers")
def test_faulty_models_fail_by_themselves(tmp_path: FilePath, dataset: str) -> None:
    expected = {
        "wrong-shape": "frame 0: labels are (63, 96), the frame is (64, 96)",
        "wrong-ids": "frame 0: label 100 is no object of the sequence",
        "floats": "frame 0: labels are torch.float32, not a uint8 tensor",
        "nan-gate": "frame 1: object 1 has p_gate nan, not 0..1",
        "crashes": "IndexError: list index out of range",
        "quits": "SystemExit: 3",
        "no-load": "FileNotFoundError: weights.pth isn't here",
    }
    invoked = run(tmp_path / "r.db", dataset, ",".join([*expected, "sound"]))
    assert invoked.exit_code == 1, invoked.output
    told = " ".join(invoked.output.split())
    for model, message in expected.items():
        assert f"failed: {model} at τ=0.5 on {dataset}: {message}" in told
    with Storage.open(str(tmp_path / "r.db")) as storage:
        states = {r.spec.model: r.state for r in storage.trials(storage.study("s"))}
    assert states == dict.fromkeys(expected, State.FAILED) | {"sound": State.COMPLETE}


@pytest.mark.usefixtures("strangers")
def test_thresholds_of_a_model_that_shares_nothing_run_one_by_one(
    tmp_path: FilePath, dataset: str
) -> None:
    invoked = run(tmp_path / "r.db", dataset, "sound", tau="0.2,0.6")
    assert invoked.exit_code == 0, invoked.output
    with Storage.open(str(tmp_path / "r.db")) as storage:
        trials = storage.trials(storage.study("s"))
        gates = {str(t.spec.tau): storage.recorded(t.id)[0].series["p_gate"][1, 0] for t in trials}
    assert gates == pytest.approx({"0.2": 0.1, "0.6": 0.3})


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("no-spec", "model 'no-spec' can't be used: it has no 'spec' of type RunnerSpec"),
        ("misnamed", "it is registered as misnamed but its spec says 'another-name'"),
        ("bad-policy", "its spec tells policies of 'p_gat'; did you mean 'p_gate'"),
        ("unbindable", "its spec takes an argument (FILE), but it has no method 'bind'"),
        ("no-module", "No module named 'their_missing_module'"),
        ("bad-syntax", "model 'bad-syntax' of package their-models can't be used: SyntaxError"),
        ("exits", "model 'exits' of package their-models can't be used: SystemExit: no licence"),
        ("taken", "the name is taken by several packages: more-models, their-models"),
        ("frtm-lite", "the name is taken by several packages: their-models, vosbench"),
        ("no-step", "no-step can't be used: what it builds has no method 'step'"),
        ("no-weights", "what it builds has no 'weights' of type WeightsInfo"),
        ("unbuilt", "unbuilt can't be built: KeyError: 'layer4'"),
    ],
)
def test_a_model_that_cant_be_used_is_one_line(
    tmp_path: FilePath, dataset: str, model: str, says: str
) -> None:
    invoked = run(tmp_path / "r.db", dataset, f"sound,{model}")
    assert isinstance(invoked.exception, InputError), invoked.exception
    assert says in str(invoked.exception)
    assert not (tmp_path / "r.db").exists(), "bad input is found before anything is stored"


@pytest.mark.usefixtures("strangers")
def test_broken_models_are_listed_and_hide_no_others() -> None:
    problems = {entry.name: entry.problem for entry in catalogue()}
    assert problems["sound"] is None
    assert problems["g-frtm-lite"] is None
    assert "their_missing_module" in str(problems["no-module"])
    assert "no licence" in str(problems["exits"])
    assert "several packages" in str(problems["frtm-lite"])
    assert resolve("g-frtm-lite").spec.takes_tau
    invoked = CliRunner().invoke(app, ["models", "--json"])
    assert {e["name"] for e in json.loads(invoked.stdout)} >= {*ENTRIES, "g-frtm-lite", "masks"}


@pytest.mark.usefixtures("strangers")
def test_check_reports_each_broken_promise() -> None:
    invoked = CliRunner().invoke(app, ["check", "wrong-ids", "--json"])
    assert invoked.exit_code == 1
    checks = {c["check"]: c for c in json.loads(invoked.stdout)["checks"]}
    assert checks["labels"]["found"] == "tiny-late, frame 0: label [100] is no object so far"
    assert checks["runs"]["status"] == "passed"
