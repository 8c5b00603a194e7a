"""Two commands under one study's name: neither runs, fails or drops what the other asked for."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from crash_plugin import FRAME_S
from crash_sweep import write_clips
from sqlalchemy import select
from typer.testing import CliRunner, Result

from vosbench.baselines.errors import InputError
from vosbench.harness.cli.app import app
from vosbench.harness.measure.occupancy import Occupancy
from vosbench.harness.regression.portable import save_run
from vosbench.harness.store import State, Storage, TrialRecord, series
from vosbench.harness.store.measured import read_run
from vosbench.harness.store.models import Attempt
from vosbench.harness.sweep import timing_trials
from vosbench.harness.sweep.scheduler import LocalExecutor

SERVER = """
import numpy as np
from vosbench_child import serve

class Model:
    def load(self, settings): pass
    def start(self, clip): self.labels = np.zeros((clip["height"], clip["width"]), np.uint8)
    def add_objects(self, index, image, masks):
        for i, mask in masks.items(): self.labels[mask] = i
    def step(self, index, image): return self.labels.copy()

serve(Model())
"""


@dataclass(frozen=True)
class Place:
    """A folder with clips, and a database; commands are typed in sub-folders of it."""

    root: Path
    patch: pytest.MonkeyPatch

    @property
    def db(self) -> str:
        return str(self.root / "results.db")

    def run(self, *arguments: str, folder: str = "here") -> Result:
        (self.root / folder).mkdir(exist_ok=True)
        self.patch.chdir(self.root / folder)
        command = ["run", "--device", "cpu", "--db", self.db, "--study", "s", *arguments]
        self.patch.setattr(sys, "argv", ["vosbench", *command])
        return CliRunner().invoke(app, command)

    def stop(self, *arguments: str, folder: str = "here") -> None:
        """Begin a command, and end it before it has done anything."""

        def interrupted(_: LocalExecutor) -> None:
            raise KeyboardInterrupt

        with self.patch.context() as patch:
            patch.setattr(LocalExecutor, "run", interrupted)
            assert self.run(*arguments, folder=folder).exit_code == 130

    def trials(self) -> tuple[TrialRecord, ...]:
        with Storage.open(self.db) as storage:
            return storage.trials(storage.study("s"))

    def edit_frame(self) -> None:
        frame = self.root / "clips" / "JPEGImages" / "a" / "00001.png"
        shutil.copy(frame.with_name("00003.png"), frame)


@pytest.fixture
def place(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("VOSBENCH_LOCK_DIR", str(tmp_path / "locks"))
    for name in ("clips", "others", "here", "there"):
        (tmp_path / name).mkdir(exist_ok=True)
    write_clips(tmp_path / "clips")
    write_clips(tmp_path / "others")
    for number, folder in enumerate(("here", "there")):
        (tmp_path / folder / "w.bin").write_bytes(bytes([number]))
        shutil.copytree(tmp_path / "clips" / "Annotations", tmp_path / folder / "predicted")
        (tmp_path / folder / "serve.py").write_text(SERVER)
        (tmp_path / folder / "model.toml").write_text(
            f'command = ["{sys.executable}", "serve.py"]\nnote = "{folder}"\n'
        )
    frame = tmp_path / "others" / "JPEGImages" / "a" / "00001.png"
    shutil.copy(frame.with_name("00003.png"), frame)
    labels = tmp_path / "there" / "predicted" / "a" / "00002.png"
    shutil.copy(labels.with_name("00003.png"), labels)
    return Place(tmp_path, monkeypatch)


DUMMY = ("--models", "crash-dummy", "--tau", "0.1,0.2")
HERE = ("--dataset", "davis-layout:../clips")
FIRST = (*DUMMY, *HERE)
Between = Callable[[Place], None]


@pytest.mark.parametrize(
    ("first", "second", "folder", "between"),
    [
        pytest.param((*FIRST, "--sequences", "a"), (*FIRST, "--sequences", "b"), "here", None,
                     id="other-clips"),
        pytest.param((*FIRST, "--max-frames", "3"), (*FIRST, "--max-frames", "4"), "here", None,
                     id="max-frames"),
        pytest.param(FIRST, (*DUMMY, "--dataset", "davis-layout:../others"), "here", None,
                     id="dataset"),
        pytest.param(FIRST, FIRST, "here", Place.edit_frame, id="changed-frames"),
        pytest.param((*FIRST, "--weights", "w.bin"), (*FIRST, "--weights", "../there/w.bin"),
                     "here", None, id="other-weights"),
        pytest.param((*FIRST, "--weights", "w.bin"), (*FIRST, "--weights", "w.bin"), "there", None,
                     id="weights-of-the-same-name"),
        pytest.param(("--models", "masks:predicted", *HERE), ("--models", "masks:predicted", *HERE),
                     "there", None, id="relative-masks"),
        pytest.param(("--models", "subprocess:model.toml", *HERE),
                     ("--models", "subprocess:model.toml", *HERE), "there", None,
                     id="relative-subprocess"),
    ],
)  # fmt: skip
def test_a_command_leaves_the_other_s_trials_alone(
    place: Place,
    first: tuple[str, ...],
    second: tuple[str, ...],
    folder: str,
    between: Between | None,
) -> None:
    place.stop(*first)
    mine = {trial.spec.key for trial in place.trials()}
    if between is not None:
        between(place)

    done = place.run(*second, folder=folder)

    assert done.exit_code == 0, done.output
    found = {trial.spec.key: trial for trial in place.trials()}
    assert all((found[key].state, found[key].attempts) == (State.WAITING, 0) for key in mine)
    others = [trial for key, trial in found.items() if key not in mine]
    assert others
    assert {trial.state for trial in others} == {State.COMPLETE}
    if between is None:
        resumed = place.run(*first)
        assert resumed.exit_code == 0, resumed.output
        assert {trial.state for trial in place.trials()} == {State.COMPLETE}


def test_the_same_folder_s_data_root_moved_is_another_s_plan(place: Place) -> None:
    """The same name of a dataset with another root: here, a relative folder."""
    shutil.move(place.root / "clips", place.root / "here" / "clips")
    shutil.move(place.root / "others", place.root / "there" / "clips")
    asked = (*DUMMY, "--dataset", "davis-layout:clips")
    place.stop(*asked)
    mine = {trial.spec.key for trial in place.trials()}
    assert place.run(*asked, folder="there").exit_code == 0
    states = {trial.spec.key: trial.state for trial in place.trials()}
    assert {states[key] for key in mine} == {State.WAITING}
    assert place.run(*asked).exit_code == 0


def test_a_busy_device_fails_nobody_s_timings(place: Place) -> None:
    timing = (*FIRST[:2], "--tau", "0.1", *HERE, "--kind", "timing", "--sequences", "a")
    place.patch.setenv(FRAME_S, "0")
    place.patch.setattr(timing_trials, "occupancy", lambda _: Occupancy("cpu", (7,)))
    place.stop(*timing, "--allow-busy")

    for precise in ((*timing, "--repeats", "2"), timing):  # more than the first, and the same
        refused = place.run(*precise)
        assert isinstance(refused.exception, InputError)
        assert "pass --allow-busy" in str(refused.exception)
        assert {trial.state for trial in place.trials()} == {State.WAITING}

    timed = place.run(*timing, "--allow-busy")
    assert timed.exit_code == 0, timed.output
    assert [trial.state for trial in place.trials()] == [State.COMPLETE, State.WAITING]


def test_what_one_wants_kept_another_keeps(place: Place) -> None:
    place.stop(*FIRST, "--save-masks")
    assert place.run(*FIRST).exit_code == 0
    masks = series(place.db, "labels")
    assert len(masks) == 2 * 3
    again = place.run(*FIRST, "--save-masks")
    assert (again.exit_code, again.stderr) == (0, "")
    with Storage.open(place.db) as storage:
        attempts = storage.database.read(lambda c: c.scalars(select(Attempt.state)).all())
    assert list(attempts) == [State.COMPLETE] * 2


def test_masks_are_added_to_complete_trials_and_change_nothing(place: Place) -> None:
    first = place.run(*FIRST)
    assert first.exit_code == 0, first.output
    shown = ("results", "--json", "--db", place.db)
    before = json.loads(CliRunner().invoke(app, shown).stdout)
    assert not series(place.db, "labels")

    added = place.run(*FIRST, "--save-masks", "--trace", "1:2")

    assert added.exit_code == 0, added.output
    assert json.loads(CliRunner().invoke(app, shown).stdout) == before
    assert {array.shape for array in series(place.db, "labels").values()} == {(5, 24, 32)}
    assert place.run(*FIRST, "--save-masks", "--trace", "1:2").stderr == ""
    assert "crash-dummy" in place.run(*FIRST, "--trace", "3:3").stderr  # another frame
    assert len(series(place.db, "labels")) == 6
    with Storage.open(place.db) as storage:
        assert storage.integrity_check() == ()
        attempts = storage.database.read(
            lambda c: c.execute(select(Attempt.number, Attempt.state).order_by(Attempt.id)).all()
        )
        plans = storage.plans(storage.study("s"))
    assert [number for number, _ in attempts] == [1, 1, 2, 2, 3, 3]
    assert {state for _, state in attempts} == {State.COMPLETE}
    assert [plan.command.options["masks"] for plan in plans] == [False, True, False]


def test_masks_that_differ_from_the_stored_numbers_are_refused(place: Place) -> None:
    assert place.run(*FIRST, "--max-frames", "3").exit_code == 0
    with Storage.open(place.db) as storage:
        storage.database.write(
            lambda c: c.exec_driver_sql("UPDATE sequence_result SET mask_sha256 = 'x'")
        )
    refused = place.run(*FIRST, "--max-frames", "3", "--save-masks")
    assert refused.exit_code == 1
    assert "not added to: crash-dummy at τ=0.1" in refused.stderr
    assert "has other masks for 'a' already" in refused.stderr
    assert "vosbench retry --failed --study s" in refused.stderr
    assert {trial.state for trial in place.trials()} == {State.COMPLETE}
    assert not series(place.db, "labels")


def test_an_imported_study_leaves_nothing_to_execute(place: Place) -> None:
    """A hostile file names a command of its own; the study's next command doesn't run it."""
    trap = place.root / "here" / "serve.py"
    trap.write_text("open('executed', 'w')\n")
    assert place.run(*FIRST, "--max-frames", "3").exit_code == 0
    save_run(read_run(place.db), place.root / "good.json")
    values = json.loads((place.root / "good.json").read_text())
    evil = f"subprocess:{place.root / 'here' / 'model.toml'}"
    for trial, state in zip(values["trials"], ("complete", "skipped"), strict=True):
        trial["state"], trial["spec"]["model"] = state, evil
    (place.root / "evil.json").write_text(json.dumps(values))
    Path(place.db).unlink()

    loaded = CliRunner().invoke(
        app, ["baseline", "load", str(place.root / "evil.json"), "--db", place.db, "--study", "s"]
    )
    assert loaded.exit_code == 0, loaded.output
    done = place.run(*FIRST, "--max-frames", "3", "--save-masks")
    assert done.exit_code == 0, done.output
    assert not (place.root / "here" / "executed").exists()
    found = {trial.spec.model: trial for trial in place.trials()}
    assert found[evil].origin == str(place.root / "evil.json")
    with Storage.open(place.db) as storage:
        assert storage.integrity_check() == ()


def test_who_asks_for_an_imported_trial_is_told_whose_it_is(place: Place) -> None:
    assert place.run(*FIRST, "--max-frames", "3").exit_code == 0
    save_run(read_run(place.db), place.root / "base.json")
    Path(place.db).unlink()
    load = ["baseline", "load", str(place.root / "base.json"), "--db", place.db, "--study", "s"]
    assert CliRunner().invoke(app, load).exit_code == 0

    same = place.run(*FIRST, "--max-frames", "3")
    assert same.exit_code == 0
    assert "2 trials are imported from" in same.stderr
    more = place.run(*FIRST, "--max-frames", "3", "--save-masks")
    assert more.exit_code == 1
    assert "without the masks or traces asked for" in more.stderr
    assert {trial.attempts for trial in place.trials()} == {1}


def test_status_tells_both_commands(place: Place) -> None:
    place.stop(*FIRST, "--max-frames", "3")
    assert place.run(*FIRST, "--max-frames", "4", folder="there").exit_code == 0
    shown = CliRunner().invoke(app, ["status", "--db", place.db, "--json"])
    (study,) = json.loads(shown.stdout)
    assert [c["options"]["data"][0]["max_frames"] for c in study["commands"]] == [3, 4]
    assert [Path(c["folder"]).name for c in study["commands"]] == ["here", "there"]
    text = "".join(CliRunner().invoke(app, ["status", "--db", place.db]).stdout.split())
    assert "--max-frames3" in text
    assert "--max-frames4" in text
