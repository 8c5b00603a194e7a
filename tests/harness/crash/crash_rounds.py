"""Kill a sweep's processes at random points, and count what became of its results."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from crash_sweep import Sweep, fork_server, outcome
from sqlalchemy import Connection, func, select

from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt, SequenceResult, Study, Trial

TRIALS_AT_ONCE = 8
_LONGEST_S = 0.7
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Summary:
    """What the rounds did and left.

    Attributes:
        rounds: how often somebody was to be killed.
        worker_kills, scheduler_kills: processes that were.
        trials, results, attempts: what the store holds in the end.
        capped: trials that lost three workers in a row, failed, and were retried by hand.
        lost: results that were stored before a kill and are not there, unchanged, in the end;
            and those that are missing.
        doubled: clips stored twice, and trials completed twice.
        problems: what the integrity check says.
        same: the finished sweep equals an undisturbed one, hash for hash.
    """

    rounds: int
    worker_kills: int
    scheduler_kills: int
    trials: int
    results: int
    attempts: int
    capped: int
    lost: int
    doubled: int
    problems: tuple[str, ...]
    same: bool

    def __str__(self) -> str:
        kills = self.worker_kills + self.scheduler_kills
        return (
            f"{self.rounds} rounds, {kills} kills ({self.worker_kills} workers, "
            f"{self.scheduler_kills} schedulers), {self.trials} trials, {self.results} clips, "
            f"{self.attempts} attempts, {self.capped} retried by hand, lost {self.lost}, "
            f"doubled {self.doubled}, integrity {'; '.join(self.problems) or 'ok'}, "
            f"{'equal to' if self.same else 'DIFFERENT FROM'} an undisturbed sweep"
        )


def crash_rounds(sweep: Sweep, undisturbed_db: str, rounds: int, seed: int) -> Summary:
    """Run ``sweep``, kill a process of it ``rounds`` times, and let it finish."""
    chance = random.Random(seed)
    context = fork_server()
    seen: dict[int, tuple[Any, ...]] = {}
    kills = {"worker": 0, "scheduler": 0}
    capped = 0
    scheduler: BaseProcess | None = None
    with Storage.open(sweep.db) as storage:
        for _ in range(rounds):
            if scheduler is None or not scheduler.is_alive():
                capped += _retry(storage)
                if _nothing_left(storage):
                    sweep = replace(sweep, trials=sweep.trials + TRIALS_AT_ONCE)
                scheduler = context.Process(target=sweep.run)  # type: ignore[attr-defined]
                assert scheduler is not None
                scheduler.start()
            time.sleep(chance.uniform(0.02, _LONGEST_S))
            victim = chance.choice(["worker", "scheduler"])
            if victim == "worker":
                kills["worker"] += _kill_worker(storage, chance)
            elif scheduler.is_alive():
                scheduler.kill()
                scheduler.join()
                kills["scheduler"] += 1
            seen |= storage.database.read(_stored)
        if scheduler is not None:
            scheduler.join(_PATIENCE_S)
        capped += finish(storage, sweep)
        finished(replace(sweep, db=undisturbed_db))
        return Summary(
            rounds=rounds,
            worker_kills=kills["worker"],
            scheduler_kills=kills["scheduler"],
            capped=capped,
            same=outcome(sweep.db) == outcome(undisturbed_db),
            **storage.database.read(lambda connection: _counts(connection, seen)),
            problems=storage.integrity_check(),
        )


def finished(sweep: Sweep) -> None:
    """Run ``sweep`` to its end, undisturbed."""
    process = fork_server().Process(target=sweep.run)  # type: ignore[attr-defined]
    process.start()
    process.join(_PATIENCE_S)
    assert process.exitcode == 0, f"the sweep ended with status {process.exitcode}"


def finish(storage: Storage, sweep: Sweep) -> int:
    """Run what is left, retrying what was lost too often; returns how many trials those were."""
    capped = 0
    for _ in range(5):
        finished(sweep)
        again = _retry(storage)
        capped += again
        if not again:
            break
    return capped


def _retry(storage: Storage) -> int:
    found = storage.database.read(
        lambda connection: connection.scalars(select(Study.id)).all()
    )
    return sum(storage.retry_failed(study) for study in found)


def _nothing_left(storage: Storage) -> bool:
    unfinished = storage.database.read(
        lambda connection: connection.scalar(
            select(func.count()).select_from(Trial).where(Trial.state != State.COMPLETE)
        )
    )
    return not unfinished


def _kill_worker(storage: Storage, chance: random.Random) -> bool:
    """Kill a process that holds a trial; False if there is none just now."""
    pids = storage.database.read(
        lambda connection: connection.scalars(
            select(Attempt.pid).where(Attempt.state == State.RUNNING)
        ).all()
    )
    for pid in chance.sample(sorted(set(pids)), len(set(pids))):
        if Path(f"/proc/{pid}").exists():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return True
    return False


def _stored(connection: Connection) -> dict[int, tuple[Any, ...]]:
    rows = connection.execute(
        select(
            SequenceResult.id,
            SequenceResult.trial_id,
            SequenceResult.sequence,
            SequenceResult.attempt_id,
            SequenceResult.mask_sha256,
            SequenceResult.recorded_at,
        )
    )
    return {row.id: tuple(row) for row in rows}


def _counts(connection: Connection, seen: dict[int, tuple[Any, ...]]) -> dict[str, int]:
    stored = _stored(connection)
    clips = [(row[1], row[2]) for row in stored.values()]
    expected = {
        (row.id, name)
        for row in connection.execute(select(Trial.id, Trial.sequences))
        for name in row.sequences
    }
    completions = connection.scalars(
        select(func.count())
        .select_from(Attempt)
        .where(Attempt.state == State.COMPLETE)
        .group_by(Attempt.trial_id)
    ).all()
    changed = sum(stored.get(key) != row for key, row in seen.items())
    return {
        "trials": len(completions),
        "results": len(clips),
        "attempts": connection.scalar(select(func.count()).select_from(Attempt)) or 0,
        "lost": changed + len(expected - set(clips)),
        "doubled": len(clips) - len(set(clips)) + sum(count - 1 for count in completions),
    }
