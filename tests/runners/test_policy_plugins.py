"""Strangers' policies: one class, at work with every gated model, or named as broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.store import Selection, results
from vosbench.harness.sweep import scheduler
from vosbench.reports.figures import figure_data
from vosbench.reports.figures.curves import draw_oracles
from vosbench.reports.policies import policy_spec
from vosbench.reports.site.tables import looks, runs, settings
from vosbench.runners.policy_registry import fitting, make_policy
from vosbench.runners.registry import resolve

POLICIES = '''
from vosbench.runners.policy import Decision, Need, Path, PolicySpec

class Calm:
    """Reuses while no more than a share of the object's pixels came or went; rests in between."""
    spec = PolicySpec("calm", "reuse while the area is steady", frozenset({Need.AREA}),
                      argument="SHARE", examples=("0.3",), label="steady area", colour="#aa3377")
    def __init__(self, settings):
        self.share = float(settings.number())
    def decide(self, seen):
        before = seen.area if seen.memory is None else seen.memory
        steady = abs(seen.area - before) <= self.share * max(before, 1)
        return Decision(seen.cheap_if(steady and seen.age < 3), seen.area)

class Misnamed(Calm):
    spec = PolicySpec("another", "")

class Greenish(Calm):
    spec = PolicySpec("greenish", "", colour="green")

class Unbuilt(Calm):
    spec = PolicySpec("unbuilt", "")
    def __init__(self, settings):
        raise KeyError("rate")

class NoPath(Calm):
    spec = PolicySpec("no-path", "")
    def __init__(self, settings):
        pass
    def decide(self, seen):
        return "maybe"
'''
ENTRIES = {
    "calm": "their_policies:Calm",
    "misnamed": "their_policies:Misnamed",
    "greenish": "their_policies:Greenish",
    "unbuilt": "their_policies:Unbuilt",
    "no-path": "their_policies:NoPath",
    "absent": "their_missing_policies:Calm",
}
SMALL = (
    *("--dataset", "motion", "--sequences", "late,trio", "--max-frames", "6"),
    *("--weights", "random:0"),
)


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    info = folder / "their_policies-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-policies\nVersion: 1.0\n")
    lines = [f"{key} = {value}\n" for key, value in ENTRIES.items()]
    (info / "entry_points.txt").write_text("[vosbench.policies]\n" + "".join(lines))
    (folder / "their_policies.py").write_text(POLICIES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "their_policies", raising=False)
    policy_spec.cache_clear()
    return tmp_path / "r.db"


def run(db: Path, models: str, *more: str) -> None:
    told = CliRunner().invoke(app, ["run", "--models", models, *SMALL, "--db", str(db), *more])
    assert told.exit_code == 0, told.output


def test_a_strangers_policy_is_run_and_shown(
    strangers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = "g-ttvos-lite+calm:0,g-ttvos-lite+calm:0.9,g-ttvos-lite+every:2,g-ttvos-lite"
    run(strangers, models, "--tau", "0.5")
    rows = results(str(strangers)).set_index("model")
    assert (rows["state"] == "complete").all()
    assert rows.loc["g-ttvos-lite+calm:0.9", "policy"] == "calm:0.9"
    assert 0 < rows.loc["g-ttvos-lite+calm:0.9", "reuse_rate"] < 1

    # Parts of one trial, as of clips of many objects, are walked under their own policy.
    monkeypatch.setattr(scheduler, "WALK_OBJECTS", 1)
    apart = strangers.with_name("apart.db")
    run(apart, models, "--tau", "0.5")
    masks = results(str(apart)).set_index("model")["mask_sha256"]
    assert masks.to_dict() == rows["mask_sha256"].to_dict()
    assert masks.nunique() > 1

    data = figure_data("gate-vs-giou", str(strangers))
    mine = data[data["policy"].str.startswith("calm")]
    assert list(mine["curve"]) == ["g-ttvos-lite, steady area (untrained)"] * 2
    assert sorted(mine["point"]) == ["0", "0.9"]
    assert set(mine["colour"]) == {"#aa3377"}
    drawn = {line.get_color() for axes in draw_oracles(data).axes for line in axes.get_lines()}
    assert "#aa3377" in drawn
    shown = looks(settings(str(strangers), Selection(), runs(str(strangers), Selection())))
    assert shown["g-ttvos-lite, steady area (untrained)"]["colour"] == "#aa3377"


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("misnamed:1", "it is registered as misnamed but its spec says 'another'"),
        ("greenish:1", "its spec's colour is 'green': write #rrggbb"),
        ("unbuilt", "policy unbuilt can't be built: KeyError: 'rate'"),
        ("absent", "No module named 'their_missing_policies'"),
        ("calm", "write calm:SHARE, e.g. calm:0.3"),
        ("calm:2", "write a number from 0 to 1"),
        ("clam:1", "did you mean 'calm'"),
    ],
)
def test_a_policy_that_cant_be_used_is_one_line(written: str, says: str) -> None:
    with pytest.raises(InputError) as told:
        make_policy(written)
    assert says in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.usefixtures("strangers")
def test_broken_policies_are_no_models_fault() -> None:
    fits = fitting(resolve("g-frtm-lite").spec)
    assert {"calm:0.3", "every:3", "budget:0.4:pixels", "learned"} <= set(fits)
    assert not {"misnamed", "greenish", "unbuilt", "absent"} & set(fits)


def test_a_fault_of_a_policy_fails_its_trial_alone(strangers: Path) -> None:
    models = "g-ttvos-lite+no-path,ttvos-lite"
    told = CliRunner().invoke(app, ["run", "--models", models, *SMALL, "--db", str(strangers)])
    assert told.exit_code == 1
    rows = results(str(strangers)).set_index("model")
    assert rows["state"].to_dict() == {"g-ttvos-lite+no-path": "failed", "ttvos-lite": "complete"}
    assert "the policy no-path decided 'maybe'" in " ".join(told.output.split())
