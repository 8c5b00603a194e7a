"""Workers that are really killed, and sequences of events in any order."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import text
from store_samples import AGGREGATES, CLIPS, clip, grid, take, worker

from vosbench.harness.store import (
    ClaimedTrial,
    Command,
    FiledPlan,
    LostLease,
    State,
    Storage,
    results,
)

WORKER = """
import sys, time
sys.path.insert(0, {samples!r})
from store_samples import AGGREGATES, clip, worker
from vosbench.harness.store import Command, FiledPlan, LostLease, Storage, StudyRecord

with Storage.open({url!r}, max_attempts=1000) as storage:
    storage.release_stale()
    while (claimed := storage.claim({study}, worker(), limit=2)) is not None:
        for trial in claimed.trials:
            for name in trial.spec.sequences:
                if name not in set(storage.kept(trial)):
                    storage.record(trial, clip(name, salt=str(trial.spec.seed)))
                    print("recorded", flush=True)
                    {pause}
            storage.complete(trial, AGGREGATES)
"""


def start_worker(url: str, study: FiledPlan, pause: str = "") -> subprocess.Popen[str]:
    program = WORKER.format(
        samples=str(Path(__file__).parent), url=url, study=study, pause=pause or "pass"
    )
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


def test_what_was_recorded_before_a_kill_is_found_again(store_url: str) -> None:
    with Storage.open(store_url) as storage:
        study = storage.add_plan("s", Command("c"), grid(1))
        process = start_worker(
            store_url, study, "if name == trial.spec.sequences[1]: time.sleep(60)"
        )
        with process:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["recorded\n"] * 2
            process.kill()
            process.wait()

        assert len(storage.release_stale()) == 1  # at once: its process is gone
        again = take(storage, study)
        assert set(storage.kept(again)) == set(CLIPS[:2])
        assert [item.sequence for item in storage.recorded(again.id)] == list(CLIPS[:2])
        storage.record(again, clip(CLIPS[2], salt="0"))
        storage.complete(again, AGGREGATES)
        assert storage.integrity_check() == ()


def test_a_sweep_that_is_killed_again_and_again_ends_as_an_undisturbed_one(
    store_url: str, tmp_path: Path
) -> None:
    chance = random.Random(0)
    with Storage.open(store_url, max_attempts=1000) as storage:
        study = storage.add_plan("s", Command("c"), grid(12))
        for _ in range(6):
            with start_worker(store_url, study, "time.sleep(0.01)") as process:
                assert process.stdout is not None
                for _ in range(chance.randint(1, 5)):
                    process.stdout.readline()
                time.sleep(chance.random() * 0.02)
                process.kill()
        with start_worker(store_url, study) as process:
            process.communicate(timeout=60)
        assert storage.integrity_check() == ()

    undisturbed = tmp_path / "undisturbed.db"
    with Storage.open(undisturbed) as storage:
        study = storage.add_plan("s", Command("c"), grid(12))
    with start_worker(str(undisturbed), study) as process:
        process.communicate(timeout=60)
    columns = ["key", "state", "mask_sha256", "jf_mean"]
    assert results(store_url)[columns].equals(results(undisturbed)[columns])
    assert set(results(store_url).state) == {"complete"}


class StoreMachine(RuleBasedStateMachine):
    """Workers that claim, write, die and come back late, in any order."""

    trials = 3

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.storage = Storage.open(Path(self.folder.name) / "results.db", max_attempts=2)
        self.study = self.storage.add_plan("s", Command("c"), grid(self.trials), lambda _: "g")
        self.held: dict[int, ClaimedTrial] = {}
        self.lost: list[ClaimedTrial] = []
        self.complete: dict[int, str] = {}

    def teardown(self) -> None:
        self.storage.close()
        self.folder.cleanup()

    def drop(self, trial_id: int) -> None:
        self.lost.append(self.held.pop(trial_id))

    @rule(limit=st.sampled_from([1, 2, None]))
    def claim(self, limit: int | None) -> None:
        claimed = self.storage.claim(self.study, worker(), limit=limit)
        for trial in claimed.trials if claimed else ():
            assert trial.id not in self.held
            assert trial.id not in self.complete
            self.held[trial.id] = trial

    @precondition(lambda self: self.held)
    @rule(data=st.data(), name=st.sampled_from(CLIPS))
    def record(self, data: st.DataObject, name: str) -> None:
        self.storage.record(self.held[data.draw(st.sampled_from(sorted(self.held)))], clip(name))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        trial = self.held[data.draw(st.sampled_from(sorted(self.held)))]
        for name in CLIPS:
            self.storage.record(trial, clip(name))
        self.storage.complete(trial, AGGREGATES)
        self.drop(trial.id)
        self.lost.pop()
        self.complete[trial.id] = results(self.storage).set_index("trial_id").mask_sha256[trial.id]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["again", "never", "skip", "back"]))
    def end(self, data: st.DataObject, how: str) -> None:
        trial = self.held[data.draw(st.sampled_from(sorted(self.held)))]
        if how == "skip":
            self.storage.skip(trial, "no")
        elif how == "back":
            self.storage.hand_back(trial)
        else:
            self.storage.fail(trial, "x", None, deterministic=how == "never")
        self.drop(trial.id)

    @rule()
    def all_leases_run_out(self) -> None:
        self.storage.database.write(
            lambda connection: connection.execute(
                text("UPDATE trial SET lease_until = lease_until - 61")
            )
        )
        assert len(self.storage.release_stale()) == len(self.held)
        for trial_id in list(self.held):
            self.drop(trial_id)

    @rule()
    def cancel(self) -> None:
        self.storage.cancel(self.study.study)
        for trial_id in list(self.held):
            self.drop(trial_id)

    @rule()
    def ask_again(self) -> None:
        self.storage.retry_failed(self.study.study)
        self.storage.add_plan("s", Command("c"), grid(self.trials), lambda _: "g")

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def write_too_late(self, data: st.DataObject) -> None:
        trial = data.draw(st.sampled_from(self.lost))
        write: Callable[[], object] = data.draw(
            st.sampled_from(
                [
                    lambda: self.storage.record(trial, clip("dog", salt="late")),
                    lambda: self.storage.complete(trial, {"jf_mean": 0.0}),
                    lambda: self.storage.fail(trial, "late", None, deterministic=True),
                ]
            )
        )
        with pytest.raises(LostLease):
            write()

    @invariant()
    def holds_together(self) -> None:
        assert self.storage.integrity_check() == ()
        records = self.storage.trials(self.study)
        assert {each.id for each in records if each.state is State.RUNNING} == set(self.held)
        frame = results(self.storage).set_index("trial_id")
        assert {
            each.id: frame.mask_sha256[each.id] for each in records if each.state is State.COMPLETE
        } == self.complete


StoreMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
TestStoreMachine = StoreMachine.TestCase
