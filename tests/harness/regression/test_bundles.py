"""Bundles: what survives the way to another database, and what strangers' files are refused for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.regression.regression_samples import accuracy, spec
from vosbench.baselines.errors import InputError
from vosbench.harness.regression.bundles import import_bundle, load_bundle, write_bundle
from vosbench.harness.regression.importing import import_run
from vosbench.harness.regression.portable import content_sha256
from vosbench.harness.store import Command, Selection, Storage, Worker, results
from vosbench.harness.store.measured import MeasuredTrial, Run, read_run
from vosbench.harness.trials import TrialSpec

HASH = "ab" * 32


def trial(of: TrialSpec | None = None) -> MeasuredTrial:
    """A complete trial whose hashes have the form of hashes."""
    found = accuracy(of or spec())
    clips = tuple(replace(clip, mask_sha256=HASH) for clip in found.clips)
    whole = replace(found.spec, weights_sha256=HASH, manifest_sha256=HASH)
    return replace(found, spec=whole, clips=clips)


def filled(path: Path, *trials: MeasuredTrial) -> Path:
    with Storage.open(str(path)) as storage:
        import_run(storage, Run("here", trials), "own")
    return path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(str(filled(tmp_path / "a.db", trial())), Selection(), tmp_path / "b.json", "Lab X")
    return tmp_path / "b.json"


def altered(bundle: Path, change: Callable[[dict[str, Any]], object], *, seal: bool = True) -> Path:
    values = json.loads(bundle.read_text())
    change(values)
    if seal:
        values["sha256"] = content_sha256(values)
    bundle.write_text(json.dumps(values))
    return bundle


def test_a_thousand_trials_make_the_round_trip(tmp_path: Path) -> None:
    trials = [trial(spec(seed=seed, sequences=("dog",))) for seed in range(1000)]
    source = filled(tmp_path / "a.db", *trials)
    assert write_bundle(str(source), Selection(), tmp_path / "b.json", "Lab X") == 1000
    with Storage.open(str(tmp_path / "other.db")) as storage:
        done = import_bundle(storage, tmp_path / "b.json", "theirs")
        assert (done.stored, done.present, done.busy) == (1000, 0, 0)
        assert storage.integrity_check() == ()
        asked = storage.add_plan("own", Command("run"), [each.spec for each in trials[:3]])
        assert storage.claim(asked, Worker.here("cpu")) is None
        again = import_bundle(storage, tmp_path / "b.json", "theirs")
        assert (again.stored, again.present) == (0, 1000)
        frame = results(storage)
    assert set(frame["remarks"]) == {"imported from Lab X: measured elsewhere, not run here"}
    ours, theirs = (read_run(str(tmp_path / name)) for name in ("a.db", "other.db"))
    assert [repr(t.aggregates) for t in ours.trials] == [repr(t.aggregates) for t in theirs.trials]
    assert [t.measurement for t in ours.trials] == [t.measurement for t in theirs.trials]


def test_other_masks_of_one_setting_are_refused_whole(tmp_path: Path, bundle: Path) -> None:
    other = trial()
    clips = tuple(replace(clip, mask_sha256="cd" * 32) for clip in other.clips)
    with Storage.open(str(filled(tmp_path / "c.db", replace(other, clips=clips)))) as storage:
        with pytest.raises(InputError, match="has other masks than here"):
            import_bundle(storage, bundle, "theirs")
        assert len(results(storage)) == 1


def _first(values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = values["trials"][0]
    return found


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v.update(schema=99), "schema 99"),
        (lambda v: v.update(format="zip"), "its format"),
        (lambda v: v.update(by=["x"]), "by is to be the name"),
        (lambda v: v.update(by="a\nb"), "unprintable"),
        (lambda v: v["trials"].append(_first(v)), "comes twice"),
        (lambda v: _first(v)["spec"].update(seed=7), "settings has another hash"),
        (lambda v: _first(v).pop("key"), "settings has another hash"),
        (lambda v: _first(v)["clips"][0].update(frames=2**70), "above"),
        (lambda v: _first(v)["clips"][0].update(mask_sha256="../x"), "is no SHA-256"),
        (lambda v: _first(v)["clips"][0]["objects"][0].update(id=300), "object ids are"),
        (lambda v: _first(v).update(started_at="now"), "which is no"),
    ],
)
def test_what_is_wrong_is_said(bundle: Path, change: Callable[..., object], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        load_bundle(altered(bundle, change))
    assert "\n" not in str(caught.value)


def test_a_changed_number_shows_in_the_hash(bundle: Path) -> None:
    def better(values: dict[str, Any]) -> None:
        _first(values)["aggregates"]["jf_mean"] = 0.99

    with pytest.raises(InputError, match="its content has another hash"):
        load_bundle(altered(bundle, better, seal=False))


def test_sequences_are_names_not_paths(tmp_path: Path) -> None:
    found = trial()
    name = "../../etc"
    clips = (replace(found.clips[0], sequence=name),)
    evil = replace(found, spec=replace(found.spec, sequences=(name,)), clips=clips)
    source = filled(tmp_path / "a.db", evil)
    write_bundle(str(source), Selection(), tmp_path / "b.json", "Lab X")
    with pytest.raises(InputError, match="is a path, not a name"):
        load_bundle(tmp_path / "b.json")


@pytest.mark.parametrize(
    "text",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"by":', '"by":"","by":'),
        lambda text: text.replace('"started_at":', '"x":NaN,"started_at":'),
        lambda text: "[" * 100_000,
        lambda text: text.replace('"schema":1', '"schema":' + "9" * 5000),
        lambda text: "PK\x03\x04",
        lambda text: "",
        lambda text: "[]",
    ],
)
def test_what_is_no_bundle_is_refused_in_a_line(bundle: Path, text: Callable[[str], str]) -> None:
    bundle.write_text(text(bundle.read_text()))
    with pytest.raises(InputError) as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
