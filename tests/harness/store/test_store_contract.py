"""What the scheduler relies on, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from sqlalchemy import text, update
from store_samples import AGGREGATES, CLIPS, clip, grid, run, spec, take, timing, worker

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Command, LostLease, State, Storage, Worker, claims, results
from vosbench.harness.store.models import Attempt, Trial
from vosbench.harness.store.records import Scope
from vosbench.harness.store.worker import process_started
from vosbench.harness.trials import Kind, TrialSpec

Lapse = Callable[[Storage, float], None]


def states(storage: Storage, study: Scope) -> list[State]:
    return [trial.state for trial in storage.trials(study)]


def row_of(storage: Storage, trial_id: int) -> tuple[object, ...]:
    return storage.database.read(
        lambda connection: tuple(
            connection.execute(text("SELECT * FROM trial WHERE id = :id"), {"id": trial_id}).one()
        )
    )


# Studies


def test_every_field_of_a_specification_comes_back(storage: Storage) -> None:
    full = spec(
        tau="0.30",
        tau2=Decimal("0.95"),
        margins="0.7,0.2",
        max_frames=12,
        seed=3,
        precision="bf16",
        input_size="240x432",
        kind=Kind.TIMING,
        repeat=2,
        environment_key="ef" * 32,
    )
    storage.add_plan("s", Command("vosbench run"), [full, spec(tau=None)])

    first, second = storage.trials(storage.study("s"))

    assert first.spec == full
    assert first.spec.key == full.key
    assert second.spec == spec(tau=None)


def test_every_field_of_a_specification_has_a_column() -> None:
    assert {field.name for field in dataclasses.fields(TrialSpec)} <= set(
        Trial.__table__.columns.keys()
    )


def test_asking_again_adds_nothing_and_keeps_the_order(storage: Storage) -> None:
    specs = [spec("0.3"), spec("0.1"), spec("0.2")]
    first = storage.add_plan("s", Command("a"), specs)
    again = storage.add_plan("s", Command("b"), [spec("0.30"), *specs, spec("0.9")])

    assert again.study == first.study
    assert storage.add_plan("s", Command("a"), specs) == first
    taus = [str(trial.spec.tau) for trial in storage.trials(first.study)]
    assert taus == ["0.3", "0.1", "0.2", "0.9"]
    assert [plan.command.text for plan in storage.plans(first.study)] == ["a", "b"]


def test_a_complete_trial_is_shared_by_a_second_study(storage: Storage) -> None:
    first = storage.add_plan("one", Command("a"), [spec()])
    run(storage, take(storage, first))
    second = storage.add_plan("two", Command("b"), [spec(), spec("0.9")])

    assert states(storage, second) == [State.COMPLETE, State.WAITING]
    assert take(storage, second).spec == spec("0.9")
    assert list(results(storage).study) == ["one, two", "two"]


def test_an_unknown_study_is_one_line(storage: Storage) -> None:
    with pytest.raises(InputError, match=r"^no study 'x' in this database$"):
        storage.study("x")


def test_cancel_stops_the_unfinished_and_asking_again_revives_them(storage: Storage) -> None:
    study = storage.add_plan("s", Command("a"), grid(3))
    run(storage, take(storage, study))
    held = take(storage, study)

    assert storage.cancel(study.study) == 2
    with pytest.raises(LostLease):
        storage.record(held, clip("dog"))
    assert states(storage, study) == [State.COMPLETE, State.CANCELLED, State.CANCELLED]
    assert storage.claim(study, worker()) is None

    storage.add_plan("s", Command("a"), grid(3))
    assert states(storage, study) == [State.COMPLETE, State.WAITING, State.WAITING]
    assert storage.integrity_check() == ()


# Claims


def test_a_group_is_claimed_whole_and_in_order(storage: Storage) -> None:
    specs = [spec(tau, model=model) for tau in ("0.1", "0.2", "0.3") for model in ("a", "b")]
    study = storage.add_plan("s", Command("c"), specs, lambda wanted: wanted.model)

    claims = [storage.claim(study, worker()) for _ in range(3)]

    assert claims[2] is None
    assert [claimed and claimed.group_key for claimed in claims[:2]] == ["a", "b"]
    for claimed in claims[:2]:
        assert claimed is not None
        assert [str(trial.spec.tau) for trial in claimed.trials] == ["0.1", "0.2", "0.3"]


def test_a_limit_splits_a_group(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(3), lambda _: "all")
    first = storage.claim(study, worker(), limit=2)
    second = storage.claim(study, worker(), limit=2)

    assert first is not None and second is not None
    assert [len(first.trials), len(second.trials)] == [2, 1]


def test_workers_take_only_kinds_and_environments_that_suit_them(storage: Storage) -> None:
    here, elsewhere = "aa" * 32, "bb" * 32
    study = storage.add_plan(
        "s", Command("c"), [timing(environment_key=elsewhere), timing(environment_key=here), spec()]
    )
    storage.add_environment(here, "Some GPU", {"torch": "2.6"})
    suited = worker(environment_key=here)

    assert storage.claim(study, suited, kinds=(Kind.ACCURACY,)).trials[0].spec == spec()
    assert storage.claim(study, suited).trials[0].spec.environment_key == here
    assert storage.claim(study, suited) is None
    assert storage.claim(study, worker()) is None


def test_sixteen_workers_claim_500_trials_once_each(storage: Storage) -> None:
    # Two studies with the same trials: neither may take what the other has.
    studies = [storage.add_plan(name, Command("c"), grid(500)) for name in ("one", "two")]

    def work(number: int) -> list[int]:
        taken = []
        me = worker(f"w{number}")
        while (claimed := storage.claim(studies[number % 2], me)) is not None:
            taken += [trial.id for trial in claimed.trials]
        return taken

    with ThreadPoolExecutor(16) as pool:
        taken = [trial for each in pool.map(work, range(16)) for trial in each]

    assert len(taken) == 500
    assert len(set(taken)) == 500
    assert storage.progress(studies[0]).trials[State.RUNNING] == 500
    assert storage.integrity_check() == ()


def test_processes_claim_groups_without_overlap(store_url: str, storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(60), lambda wanted: str(wanted.seed // 3))
    program = f"""
from vosbench.harness.store import Command, FiledPlan, Storage, StudyRecord, Worker
with Storage.open({store_url!r}) as storage:
    while (claimed := storage.claim({study}, Worker.here("w"))) is not None:
        print(claimed.group_key, *(trial.id for trial in claimed.trials))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    lines = [line for each in processes for line in each.communicate(timeout=60)[0].splitlines()]

    assert sorted(int(line.split()[0]) for line in lines) == list(range(20))
    assert all(len(line.split()) == 4 for line in lines)


# Leases


def test_a_lost_lease_is_tried_again_and_its_first_worker_is_fenced_off(
    storage: Storage, lapse: Lapse
) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    slow = take(storage, study, lease_s=60)
    storage.record(slow, clip("dog"))
    lapse(storage, 61)

    assert len(storage.release_stale()) == 1
    assert states(storage, study) == [State.STALE]
    second = take(storage, study)
    assert (second.attempt, set(storage.kept(second))) == (2, {"dog"})

    for write in (
        lambda: storage.record(slow, clip("camel")),
        lambda: storage.complete(slow, AGGREGATES),
        lambda: storage.fail(slow, "x", None, deterministic=True),
        lambda: storage.skip(slow, "x"),
        lambda: storage.hand_back(slow),
        lambda: storage.annotate(slow, {}),
    ):
        with pytest.raises(LostLease):
            write()
    assert set(storage.kept(second)) == {"dog"}
    run(storage, second)
    assert states(storage, study) == [State.COMPLETE]
    assert storage.integrity_check() == ()


def test_a_write_or_heartbeat_keeps_the_lease(storage: Storage, lapse: Lapse) -> None:
    study = storage.add_plan("s", Command("c"), grid(2), lambda _: "g")
    claimed = storage.claim(study, worker(), lease_s=60)
    assert claimed is not None
    lapse(storage, 61)

    assert storage.heartbeat(claimed) == frozenset()
    assert len(storage.release_stale()) == 0
    lapse(storage, 59)
    assert len(storage.release_stale()) == 0


def test_a_heartbeat_names_the_lost_and_not_the_finished(storage: Storage, lapse: Lapse) -> None:
    study = storage.add_plan("s", Command("c"), grid(3), lambda _: "g")
    claimed = storage.claim(study, worker(), lease_s=60)
    assert claimed is not None
    finished, failed, lost = claimed.trials
    run(storage, finished)
    storage.fail(failed, "no", None, deterministic=True)
    lapse(storage, 61)
    storage.release_stale()

    assert storage.heartbeat(claimed) == {lost.id}


def test_the_worker_s_own_clock_has_no_say(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    monkeypatch.setattr(time, "time", lambda: 0.0)
    trial = take(storage, study, lease_s=60)
    monkeypatch.setattr(time, "time", lambda: 4e9)

    assert len(storage.release_stale()) == 0
    storage.record(trial, clip("dog"))


def test_a_clock_set_back_doesn_t_keep_a_lost_worker_s_trial(
    storage: Storage, lapse: Lapse
) -> None:
    study = storage.add_plan("s", Command("c"), grid(2))
    alive = take(storage, study)
    storage.claim(study, worker(host="elsewhere"), lease_s=60)
    lapse(storage, -3600)

    assert len(storage.release_stale()) == 1
    assert states(storage, study) == [State.RUNNING, State.STALE]
    run(storage, alive)


def test_a_process_that_ended_is_taken_over_at_once(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(3))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    here = Worker.here("here")
    storage.claim(study, replace(here, pid=ended.pid, process_started="1"))
    storage.claim(study, replace(here, process_started="1"))  # its id now names another process
    storage.claim(study, replace(here, host="elsewhere", pid=ended.pid))

    assert len(storage.release_stale()) == 2
    assert states(storage, study) == [State.STALE, State.STALE, State.RUNNING]


def test_a_sign_of_life_while_the_lost_are_looked_for_counts(
    postgresql_url: str, lapse: Lapse, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = claims._lost_because
    with Storage.open(postgresql_url) as storage:
        claimed = storage.claim(storage.add_plan("s", Command("c"), [spec()]), worker())
        assert claimed is not None
        lapse(storage, 61)

        def renew_meanwhile(*arguments: float, **named: object) -> str | None:
            storage.heartbeat(claimed)
            return decide(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(claims, "_lost_because", renew_meanwhile)
        assert len(storage.release_stale()) == 0


def test_a_process_without_its_parent_s_notice_is_gone(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = process_started(child.pid)
    storage.claim(study, worker(pid=child.pid, process_started=started))
    assert len(storage.release_stale()) == 0
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table

    assert len(storage.release_stale()) == 1
    child.communicate()


def test_a_trial_that_loses_its_workers_fails_in_the_end(storage: Storage, lapse: Lapse) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    for _ in range(3):
        take(storage, study)
        lapse(storage, 61)
        storage.release_stale()

    (trial,) = storage.trials(study)
    assert (trial.state, trial.attempts) == (State.FAILED, 3)
    assert (
        trial.error == "lost its worker 'cpu' (no sign of life within its lease), 3 times in a row"
    )
    assert storage.retry_failed(study.study) == 1
    assert take(storage, study).attempt == 4


# Failures


def test_a_deterministic_failure_is_kept_and_not_tried_again(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    trial = take(storage, study)
    state = storage.fail(trial, "bad\n shape", "Traceback: line 1\nline 2", deterministic=True)

    assert state is State.FAILED
    assert storage.claim(study, worker()) is None
    assert storage.add_plan("s", Command("c"), [spec()]) == study
    assert [(trial.state, trial.error) for trial in storage.trials(study)] == [
        (State.FAILED, "bad shape")
    ]
    kept = storage.database.read(
        lambda connection: connection.execute(text("SELECT traceback FROM attempt")).scalar()
    )
    assert kept == "Traceback: line 1\nline 2"


def test_another_failure_is_tried_again_up_to_the_cap(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    ends = [
        storage.fail(take(storage, study), "no memory", None, deterministic=False) for _ in range(3)
    ]
    assert ends == [State.STALE, State.STALE, State.FAILED]
    assert storage.integrity_check() == ()


def test_skipped_and_handed_back(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(2))
    storage.skip(take(storage, study), "needs a GPU")
    for _ in range(5):  # handing back costs no attempt
        storage.hand_back(take(storage, study))

    assert states(storage, study) == [State.SKIPPED, State.WAITING]
    assert storage.fail(take(storage, study), "x", None, deterministic=False) is State.STALE
    assert storage.integrity_check() == ()


# Results


def test_a_recorded_clip_comes_back_whole(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    trial = take(storage, study)
    for name in ("camel", "dog"):
        storage.record(trial, clip(name))

    back = storage.recorded(trial.id)

    assert [item.sequence for item in back] == ["dog", "camel"]
    wanted = clip("dog")
    assert replace(back[0], series={}, object_metrics={}) == replace(
        wanted, series={}, object_metrics={}
    )
    assert back[0].object_metrics[1] == wanted.object_metrics[1]
    assert np.isnan(back[0].object_metrics[3]["j_recall"])
    for name, array in wanted.series.items():
        np.testing.assert_array_equal(back[0].series[name], array, strict=True)


def test_recording_twice_does_nothing_and_other_masks_are_an_error(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    trial = take(storage, study)
    storage.record(trial, clip("dog"))
    storage.record(trial, clip("dog"))

    with pytest.raises(ValueError, match="other masks for 'dog'"):
        storage.record(trial, clip("dog", salt="x"))
    with pytest.raises(ValueError, match="no sequence 'cow'"):
        storage.record(trial, clip("cow"))
    assert len(storage.recorded(trial.id)) == 1


def test_a_trial_isn_t_complete_without_all_its_clips(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    trial = take(storage, study)
    storage.record(trial, clip("camel"))

    with pytest.raises(ValueError, match="lacks results of dog, blackswan"):
        storage.complete(trial, AGGREGATES)
    assert states(storage, study) == [State.RUNNING]


def test_a_complete_trial_never_changes(storage: Storage, lapse: Lapse) -> None:
    study = storage.add_plan("s", Command("c"), [spec()])
    trial = take(storage, study)
    run(storage, trial)
    before = row_of(storage, trial.id)

    storage.complete(trial, {"jf_mean": 0.1})
    with pytest.raises(LostLease):
        storage.record(trial, clip("dog", salt="x"))
    with pytest.raises(LostLease):
        storage.fail(trial, "x", None, deterministic=True)
    storage.cancel(study.study)
    storage.retry_failed(study.study)
    storage.release_stale()
    storage.add_plan("s", Command("c"), [spec(weights="another-name")])

    assert row_of(storage, trial.id) == before
    assert list(results(storage).jf_mean) == [0.75]
    assert storage.claim(study, worker()) is None


def test_timing_is_never_put_together_from_two_attempts(storage: Storage, lapse: Lapse) -> None:
    study = storage.add_plan("s", Command("c"), [timing()])
    first = take(storage, study)
    storage.record(first, clip("dog"))
    lapse(storage, 61)
    storage.release_stale()

    second = take(storage, study)

    assert set(storage.kept(second)) == frozenset()
    run(storage, second)
    assert storage.integrity_check() == ()


def test_progress_counts_trials_and_clips(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(3))
    run(storage, take(storage, study))
    storage.record(take(storage, study), clip("dog"))

    now = storage.progress(study)

    assert (now.trials[State.COMPLETE], now.trials[State.RUNNING], now.open) == (1, 1, 2)
    assert (now.clips_done, now.clips_total) == (len(CLIPS) + 1, 3 * len(CLIPS))
    assert [(each.worker, each.attempt) for each in now.running] == [("cpu", 1)]
    assert 0 <= now.running[0].silent_s < 60


def test_the_time_left_is_that_of_the_pace_so_far(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(3))
    assert storage.progress(study).left_s is None  # nobody works on it
    run(storage, take(storage, study))
    storage.record(take(storage, study), clip("dog"))
    began_earlier = update(Attempt).values(started_at=Attempt.started_at - 100.0)
    storage.database.write(lambda connection: connection.execute(began_earlier))

    now = storage.progress(study)

    expected = 100.0 * (now.clips_total - now.clips_done) / now.clips_done
    assert now.left_s == pytest.approx(expected, rel=0.1)


def test_environments_annotations_and_checkpoints_are_kept_once(storage: Storage) -> None:
    key = "aa" * 32
    for _ in range(2):
        storage.add_environment(key, "Some CPU", {"torch": "2.6", "threads": 2})
    study = storage.add_plan("s", Command("c"), [timing(environment_key=key)])
    me = worker(environment_key=key, version="0.1.0+abc")
    trial = storage.claim(study, me).trials[0]
    storage.annotate(trial, {"temperature_c": 50.5, "throttled": False})
    run(storage, trial)
    ids = {
        storage.add_checkpoint("cc" * 32, "demo", "g-frtm", {"data": "ecssd"}, trained=True)
        for _ in range(2)
    }

    (row,) = results(storage).itertuples()
    assert (row.device, row.environment_key, row.version) == ("Some CPU", key, "0.1.0+abc")
    assert len(ids) == 1


def test_the_integrity_check_finds_what_is_wrong(storage: Storage) -> None:
    study = storage.add_plan("s", Command("c"), grid(3))
    trials = [take(storage, study) for _ in range(3)]
    for trial in trials:
        run(storage, trial)
    assert storage.integrity_check() == ()

    def damage(connection: object) -> None:
        for statement in (
            f"DELETE FROM sequence_result WHERE trial_id = {trials[0].id} AND sequence = 'dog'",
            f"UPDATE trial SET mask_sha256 = 'x' WHERE id = {trials[1].id}",
            f"UPDATE trial SET tau = '0.4' WHERE id = {trials[2].id}",
        ):
            connection.execute(text(statement))  # type: ignore[attr-defined]

    storage.database.write(damage)

    assert storage.integrity_check() == (
        f"trial {trials[2].id}: its columns don't hash to its key",
        f"trial {trials[0].id}: complete without dog",
        f"trial {trials[1].id}: its mask hash is not that of its sequences",
    )
