"""A process that was suspended for longer than its lease, while another took its trial."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from crash_sweep import FRAMES, Sweep
from sqlalchemy import text

from vosbench.harness.store import State, Storage, Worker
from vosbench.harness.sweep import scheduler
from vosbench.harness.sweep.events import Advanced, Event
from vosbench.harness.trials import Kind


@pytest.mark.parametrize("taken", [True, False])
def test_it_stops_at_its_next_frame_if_its_trial_was_taken(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    alone = replace(sweep, trials=1)
    other = Worker("other", "elsewhere", 1, None)
    frames = 0
    with Storage.open(alone.db) as storage:
        job = alone.store(storage)

        def suspended_in_the_second_frame(event: Event) -> None:
            nonlocal frames
            frames += isinstance(event, Advanced)
            if frames != 2 or not isinstance(event, Advanced):
                return
            monkeypatch.setattr(scheduler, "_now_s", lambda: time.monotonic() + 61)
            storage.database.write(
                lambda c: c.execute(text("UPDATE trial SET lease_until = lease_until - 61"))
            )
            if taken:
                assert len(storage.release_stale()) == 1
                assert storage.claim(job.plan, other) is not None

        how = job.executor("cpu", "cpu", suspended_in_the_second_frame, Kind.ACCURACY, verify=False)
        with how as executor:
            assert executor.run_group()

        (trial,) = storage.trials(job.plan)
        assert storage.integrity_check() == ()
    if taken:
        assert (frames, trial.state, trial.attempts) == (2, State.RUNNING, 2)
    else:  # nobody else was there: it goes on, and its lease with it
        assert (frames, trial.state, trial.attempts) == (3 * FRAMES, State.COMPLETE, 1)
