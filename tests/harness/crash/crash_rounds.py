"""Kill a sweep's processes at random points, and count what became of its results."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from crash_sweep import Sweep, fork_server, outcome
from sqlalchemy import Connection, func, select

from vosbench.harness.store import State, Storage
from vosbench.harness.store.models import Attempt, SequenceResult, Trial

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
    killed = _Killed(sweep)
    seen: dict[int, tuple[Any, ...]] = {}
    with Storage.open(sweep.db) as storage:
        for _ in range(rounds):
            kill = chance.choice([killed.kill_worker, killed.kill_scheduler])
            while not kill(storage, chance):
                pass  # it ended before its time: there is more to do now
            seen |= storage.database.read(_stored)
        killed.wait()
        capped = killed.capped + finish(storage, killed.sweep)
        finished(replace(killed.sweep, db=undisturbed_db))
        return Summary(
            rounds=rounds,
            worker_kills=killed.workers,
            scheduler_kills=killed.schedulers,
            capped=capped,
            same=outcome(sweep.db) == outcome(undisturbed_db),
            **storage.database.read(lambda connection: _counts(connection, seen)),
            problems=storage.integrity_check(),
        )


class _Killed:
    """A sweep that is started again whenever it has ended, with more trials if none was left."""

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.workers = self.schedulers = self.capped = 0
        self._scheduler: BaseProcess | None = None

    def kill_scheduler(self, storage: Storage, chance: random.Random) -> bool:
        """Kill it at a random time; False if it ended before."""
        scheduler = self._running(storage)
        scheduler.join(chance.uniform(0.02, _LONGEST_S))
        if not scheduler.is_alive():
            return False
        scheduler.kill()
        scheduler.join()
        self.schedulers += 1
        return True

    def kill_worker(self, storage: Storage, chance: random.Random) -> bool:
        """Kill a process that holds a trial, at a random time; False if there is none."""
        scheduler = self._running(storage)
        scheduler.join(chance.uniform(0.02, _LONGEST_S))
        while scheduler.is_alive():
            pids = storage.database.read(_holders)
            if pids and _kill(chance.choice(pids)):
                self.workers += 1
                return True
        return False

    def wait(self) -> None:
        """Let what runs end by itself."""
        if self._scheduler is not None:
            self._scheduler.join(_PATIENCE_S)

    def _running(self, storage: Storage) -> BaseProcess:
        if self._scheduler is None or not self._scheduler.is_alive():
            self.capped += _retry(storage)
            if _nothing_left(storage):
                self.sweep = replace(self.sweep, trials=self.sweep.trials + TRIALS_AT_ONCE)
            self._scheduler = fork_server().Process(target=self.sweep.run)  # type: ignore[attr-defined]
            assert self._scheduler is not None
            self._scheduler.start()
        return self._scheduler


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
    return sum(storage.retry_failed(study) for study in storage.studies())


def _nothing_left(storage: Storage) -> bool:
    unfinished = storage.database.read(
        lambda connection: connection.scalar(
            select(func.count()).select_from(Trial).where(Trial.state != State.COMPLETE)
        )
    )
    return not unfinished


def _holders(connection: Connection) -> list[int]:
    """Processes that hold a trial."""
    running = select(Attempt.pid).where(Attempt.state == State.RUNNING)
    return sorted(set(connection.scalars(running)))


def _kill(pid: int) -> bool:
    try:
        dead = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        if not dead:
            os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not dead


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
