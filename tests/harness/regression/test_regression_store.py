"""Baselines in a database, portable files, and what becomes of runs on their way."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from regression_samples import LAPTOP, SERVER, TAUS, accuracy, later, run, spec, timing
from sqlalchemy import select

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.baselines import (
    list_baselines,
    read_base,
    read_baseline,
    record_verdicts,
    set_baseline,
)
from vosbench.harness.regression.compare import compare
from vosbench.harness.regression.importing import import_run
from vosbench.harness.regression.portable import load_run, save_run
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.store import Command, Selection, State, Storage, Worker, models, results
from vosbench.harness.store.baselines import parse_selection, remove_baseline, selection_text
from vosbench.harness.store.measured import Run, read_run
from vosbench.harness.trials import Kind

BASE = run([accuracy(spec(tau)) for tau in TAUS], timing(), timing(machine=SERVER, seed=4))


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    with Storage.open(tmp_path / "results.db") as opened:
        yield opened


def numbers(of: Run) -> list[tuple[object, ...]]:
    """What a run says, in an order of its own and with NaN that equals itself."""
    said = []
    for trial in of.trials:
        clips = [
            (clip.sequence, clip.mask_sha256, clip.object_ids, repr(clip.metrics),
             repr({n: dict(sorted(v.items())) for n, v in clip.object_metrics.items()}))
            for clip in trial.clips
        ]  # fmt: skip
        said.append(
            (*trial.measurement, trial.version, trial.machine, sorted(trial.aggregates), clips)
        )
    return sorted(said, key=repr)


def test_a_run_survives_a_file(tmp_path: Path) -> None:
    save_run(BASE, tmp_path / "base.json")
    loaded = load_run(tmp_path / "base.json")
    assert numbers(loaded) == numbers(BASE)
    assert [trial.spec for trial in loaded.trials] == [trial.spec for trial in BASE.trials]
    assert math.isnan(loaded.trials[0].clips[0].object_metrics[1]["j_decay"])
    assert not list(tmp_path.glob(".*"))


def test_a_run_survives_a_database(storage: Storage, tmp_path: Path) -> None:
    save_run(BASE, tmp_path / "base.json")
    done = import_run(storage, load_run(tmp_path / "base.json"), "import")
    assert (done.stored, done.present, done.busy, done.left_out) == (12, 0, 0, 0)
    stored = read_run(storage.database)
    assert numbers(stored) == numbers(BASE)
    assert storage.integrity_check() == ()
    again = import_run(storage, BASE, "import")
    assert (again.stored, again.present) == (0, 12)
    assert compare(BASE, stored).verdict is Verdict.ERROR  # one measurement, whichever way it went


def test_an_import_leaves_alone_what_is_begun(storage: Storage) -> None:
    failed = replace(accuracy(spec("0.9")), state=State.FAILED, error="lost", clips=())
    storage.add_plan("own", Command("run"), [accuracy().spec, accuracy(spec("0.1")).spec])
    done = import_run(storage, run(accuracy(), failed), "import")
    assert (done.stored, done.left_out) == (1, 1)
    states = dict(zip(results(storage)["tau"].astype(str), results(storage)["state"], strict=True))
    assert states == {"0.7": "complete", "0.1": "waiting"}


def test_failures_reach_the_comparison(storage: Storage) -> None:
    import_run(storage, run(accuracy()), "import")
    study = storage.add_plan("head", Command("run"), [spec(weights_sha256="99" * 32)])
    claim = storage.claim(study, Worker.here("cpu"))
    assert claim is not None
    storage.fail(claim.trials[0], "no such file", None, deterministic=True)
    head = read_run(storage.database)
    comparison = compare(run(accuracy()), head)
    assert comparison.verdict is Verdict.ERROR
    assert "no such file" in comparison.points[0].findings[0].reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format is 'other'"),
        ({"schema": 2}, "schema 2, this program reads 1"),
        ({"schema": True}, "schema is True, which is no whole number"),
        ({"trials": {}}, "trials is {}, which is no list"),
        ({"trials": [1]}, r"trials\[0\] must be an object"),
        ({"machines": []}, "names machine"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "base.json"
    save_run(BASE, path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message) as caught:
        load_run(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("tau", "high", "tau is .*, which is no decimal"),
        ("tau", 0.7, "tau is 0.7, which is no decimal"),
        ("seed", -1, "seed is -1, below 0"),
        ("kind", "speed", "kind is 'speed'; it must be one of accuracy, timing"),
        ("switches", {"a": 1}, "switches: a is 1, which is no text"),
        ("sequences", ["dog"], "its results aren't of its spec's sequences"),
        ("model", None, "model is None, which is no text"),
    ],
)
def test_a_bad_spec_is_refused(tmp_path: Path, field: str, value: object, message: str) -> None:
    path = tmp_path / "base.json"
    save_run(BASE, path)
    values = json.loads(path.read_text())
    values["trials"][0]["spec"][field] = value
    path.write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        load_run(path)


def test_missing_fields_files_and_numbers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "base.json"
    with pytest.raises(InputError, match="no such file"):
        load_run(path)
    path.write_text("{")
    with pytest.raises(InputError, match="no valid JSON"):
        load_run(path)
    save_run(BASE, path)
    text = path.read_text()
    path.write_text(text.replace('"fps":', '"fps":NaN,"was":', 1))
    with pytest.raises(InputError, match="fps is nan, which is no number"):
        load_run(path)
    path.write_text(text.replace('"runner_version"', '"runner"', 1))
    with pytest.raises(InputError, match="lacks the field 'runner_version'"):
        load_run(path)
    with pytest.raises(InputError, match="nothing to save"):
        save_run(run(), path)


def test_baseline_is_set_listed_read_and_removed(storage: Storage) -> None:
    import_run(storage, BASE, "import")
    database = storage.database
    where = Selection(models=("g-frtm-fast",), kinds=(Kind.ACCURACY,))
    record = set_baseline(database, "main", where)
    assert (record.trials, record.points, record.version) == (2, 2, "0.1+aaaaaaa")
    assert record.where == where
    assert [item.name for item in list_baselines(database)] == ["main"]
    assert numbers(read_baseline(database, "main")) == numbers(run(BASE.trials[:2]))
    set_baseline(database, "main")
    assert list_baselines(database)[0].trials == len(BASE.trials)
    remove_baseline(database, "main")
    assert list_baselines(database) == ()
    assert len(read_run(database).trials) == len(BASE.trials)


def test_a_base_is_a_file_or_a_name(storage: Storage, tmp_path: Path) -> None:
    import_run(storage, BASE, "import")
    set_baseline(storage.database, "main")
    save_run(BASE, tmp_path / "base.json")
    of_file = read_base(str(tmp_path / "base.json"), tmp_path / "nowhere.db")
    of_name = read_base("main", tmp_path / "results.db")
    assert numbers(of_file) == numbers(of_name) == numbers(read_base("main", storage.database))


def test_baseline_names_and_filters_are_checked(storage: Storage) -> None:
    database = storage.database
    with pytest.raises(InputError, match="no complete trial"):
        set_baseline(database, "main")
    import_run(storage, BASE, "import")
    with pytest.raises(InputError, match="baseline name"):
        set_baseline(database, "no spaces")
    with pytest.raises(InputError, match="no results of 'bbbb'"):
        set_baseline(database, "main", commit="bbbb")
    with pytest.raises(InputError, match="set one with"):
        read_baseline(database, "main")
    set_baseline(database, "main", commit="aaaaaaa")
    with pytest.raises(InputError, match="there are main"):
        remove_baseline(database, "old")


def test_selection_survives_the_store() -> None:
    where = Selection(
        models=("a", "b"), kinds=(Kind.TIMING,), states=(State.COMPLETE,), studies=("x",)
    )
    assert parse_selection(selection_text(where)) == where
    assert selection_text(Selection()) == "{}"


def test_new_weights_are_compared_within_one_database(storage: Storage) -> None:
    import_run(storage, run(accuracy(), timing()), "import")
    database = storage.database
    set_baseline(database, "main")
    base = read_baseline(database, "main")
    assert compare(base, read_run(database)).verdict is Verdict.ERROR  # nothing new yet
    new = spec(weights_sha256="99" * 32, weights="new.pt")
    import_run(storage, later(run(accuracy(new), timing(new, slower=0.2, seed=5))), "import")
    comparison = compare(base, read_run(database))
    assert comparison.verdict is Verdict.REGRESSED
    for _ in range(2):
        assert record_verdicts(database, "main", comparison) == 2
    rows = database.read(
        lambda connection: connection.execute(select(models.StoredVerdict.__table__)).all()
    )
    assert {(row.metric, row.verdict) for row in rows} == {
        ("jf_mean", "pass"),
        ("fps", "regressed"),
    }
    assert len(rows) == 2
    slow = next(row for row in rows if row.metric == "fps")
    assert slow.change_low < slow.change < slow.change_high < -0.05
    remove_baseline(database, "main")


def test_repeats_stay_with_their_machine(storage: Storage) -> None:
    import_run(storage, BASE, "import")
    frame = results(storage, Selection(kinds=(Kind.TIMING,)))
    assert sorted(frame["device"].value_counts().items()) == [
        (LAPTOP.device, 5),
        (SERVER.device, 5),
    ]
