"""What the scheduler does with the store, each operation one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from vosbench.harness.store import (
    claims,
    extras,
    importing,
    integrity,
    overview,
    planning,
    provenance,
    recording,
)
from vosbench.harness.store.database import BUSY_TIMEOUT_S, Database, Source, open_database
from vosbench.harness.store.importing import ForeignTrial, ImportCount
from vosbench.harness.store.models import State
from vosbench.harness.store.records import (
    Claim,
    ClaimedTrial,
    Command,
    FiledPlan,
    LostTrial,
    Progress,
    Scope,
    StudyRecord,
    TrialRecord,
)
from vosbench.harness.store.trainings import Trainings
from vosbench.harness.store.worker import Worker
from vosbench.harness.trials import ClipResult, Kept, Kind, TrialSpec

LEASE_S = 60.0
"""How long a trial stays a worker's without a sign of life, by default."""


def _alone(spec: TrialSpec) -> str:
    """A group of its own for every trial."""
    return spec.key


class Storage:
    """The store of studies, trials and what they measured.

    Invariants, on SQLite and PostgreSQL alike:

    - A trial exists once, whoever asks for it: its key is unique. The numbers of a complete trial
      never change; what a plan wants kept beside them and isn't there (label maps, traces) is
      added by a further attempt, and never dropped.
    - A worker is handed trials of its own plan only. Imported trials are handed to nobody.
    - A trial is handed to one worker at a time, by one conditional UPDATE that raises its
      fencing token. Every write carries the token that it was handed out with; a write with
      an older one raises :class:`~vosbench.harness.store.records.LostLease` and stores nothing.
    - A lease goes by the database's clock and is renewed by every write. Without a sign of life
      the trial becomes stale and is tried again as a new attempt, ``max_attempts`` times; a
      failure that would repeat is kept with its traceback and not tried again by itself.
    - Clips are stored one by one and kept, so that the next attempt goes on after them; timing
      trials begin anew, as time is never put together from two attempts.
    - Each operation happens as a whole or not at all. Conflicts are retried for the database's
      busy timeout; what the user can mend is an ``InputError`` of one line.

    It may be shared by threads; a forked process opens its own.
    """

    def __init__(self, database: Database, *, max_attempts: int = 3) -> None:
        self.database = database
        self.trainings = Trainings(database)
        self._max_attempts = max_attempts

    @classmethod
    def open(
        cls, source: Source, *, max_attempts: int = 3, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> Storage:
        """Open the database at ``source``, made if missing; see :func:`open_database`."""
        database = open_database(source, busy_timeout_s=busy_timeout_s)
        return cls(database, max_attempts=max_attempts)

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def __enter__(self) -> Storage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Studies

    def add_plan(
        self,
        study: str,
        command: Command,
        specs: Iterable[TrialSpec],
        group_of: Callable[[TrialSpec], str] = _alone,
    ) -> FiledPlan:
        """Ask for trials under a study's name; asking again is free.

        Trials that exist, complete or not, are linked; new ones wait; cancelled ones wait again.

        Args:
            study: a study of this name is extended.
            command: what the user typed, where, and how trials are run.
            specs: the trials, in the order in which they are handed out.
            group_of: trials of one group key are handed out together.
        """
        specs = tuple(specs)
        return self.database.write(
            lambda connection: planning.add_plan(connection, study, command, specs, group_of)
        )

    def study(self, name: str) -> StudyRecord:
        """The study of that name; ``InputError`` if there is none."""
        return self.database.read(lambda connection: planning.study_named(connection, name))

    def trials(self, scope: Scope) -> tuple[TrialRecord, ...]:
        """All trials of a study or plan, in its order; those of a plan know what they lack."""
        return self.database.read(lambda connection: planning.trials(connection, scope))

    def progress(self, scope: Scope) -> Progress:
        """How far a study or plan is: trials by state, clips, and what is in work."""
        return self.database.read(lambda connection: planning.progress(connection, scope))

    def cancel(self, study: StudyRecord) -> int:
        """Stop all unfinished trials of a study, also where another study has them.

        Their workers learn of it at their next write or heartbeat. Returns how many.
        """
        return self.database.write(lambda connection: planning.cancel(connection, study))

    def retry_failed(self, study: StudyRecord) -> int:
        """Let failed and skipped trials of a study wait again; returns how many."""
        return self.database.write(lambda connection: planning.retry_failed(connection, study))

    def studies(self) -> tuple[StudyRecord, ...]:
        """All studies, the oldest first."""
        return self.database.read(overview.studies)

    def plans(self, study: StudyRecord) -> tuple[FiledPlan, ...]:
        """What was asked for under a study's name, the oldest first."""
        return self.database.read(lambda connection: overview.plans(connection, study))

    def open_groups(self, plan: FiledPlan, kind: Kind) -> overview.Groups:
        """The groups of a plan that aren't finished: how many wait, and how many are in work."""
        return self.database.read(
            lambda connection: overview.open_groups(connection, plan, kind, self._max_attempts)
        )

    def import_trials(self, study: str, origin: str, trials: Sequence[ForeignTrial]) -> ImportCount:
        """Store complete trials of another database, all of them or none, as a study's.

        They are marked as ``origin``'s and never executed; those that are begun here are left
        alone, complete ones stay as they are.

        Args:
            study: a study of this name is extended.
            origin: where they come from, for people.
            trials: what was measured there.
        """
        return self.database.write(
            lambda connection: importing.import_trials(connection, study, origin, trials)
        )

    # Leases

    def claim(
        self,
        plan: FiledPlan,
        worker: Worker,
        *,
        lease_s: float = LEASE_S,
        kinds: Collection[Kind] = tuple(Kind),
        limit: int | None = None,
    ) -> Claim | None:
        """Take the next group of a plan's trials, or None if there is none for this worker.

        First those that wait, then complete ones that lack what the plan wants kept. Timing
        trials that belong to an environment go to workers of that environment only.
        Trials of lost workers wait again only after :meth:`release_stale`.

        Args:
            plan: the plan.
            worker: who takes them.
            lease_s: how long they stay the worker's without a write or heartbeat.
            kinds: which kinds of trial the worker can run.
            limit: take at most so many of the group (1 for a single trial).
        """
        return self.database.write(
            lambda connection: claims.claim(
                connection,
                plan,
                worker,
                lease_s=lease_s,
                kinds=kinds,
                limit=limit,
                max_attempts=self._max_attempts,
            )
        )

    def heartbeat(self, claim: Claim) -> frozenset[int]:
        """Renew the leases of a claim; returns the ids of trials that were lost meanwhile.

        Trials which the worker itself has finished are not lost.
        """
        return self.database.write(lambda connection: claims.heartbeat(connection, claim))

    def release_stale(
        self, how_ended: Callable[[int], str | None] = claims.unknown
    ) -> tuple[LostTrial, ...]:
        """Take back the trials of lost workers; returns them.

        A worker is lost when its lease has run out, and at once when it ran on this machine and
        its process has ended. Its trials are stale, and failed after ``max_attempts`` in a row.

        Args:
            how_ended: what the caller knows of a process of this machine that has ended, by its
                id, e.g. ``exit status 3``; None if nothing.
        """
        return self.database.write(
            lambda connection: claims.release_stale(connection, self._max_attempts, how_ended)
        )

    def hand_back(self, trial: ClaimedTrial) -> None:
        """Let go of a trial, which waits again; the attempt doesn't count. Raises LostLease."""
        self.database.write(lambda connection: recording.hand_back(connection, trial))

    # Results

    def kept(self, trial: ClaimedTrial) -> Mapping[str, Kept]:
        """What the trial has of each sequence that it has results of, beside the numbers.

        Never any for a new timing attempt.
        """
        return self.database.read(lambda connection: extras.kept(connection, [trial.id])).get(
            trial.id, {}
        )

    def recorded(self, trial_id: int, *, without: Collection[str] = ()) -> tuple[ClipResult, ...]:
        """The clips of a trial that have results, in the order of its sequences.

        Args:
            without: series to leave out: masks may be larger than memory.
        """
        return self.database.read(
            lambda connection: recording.recorded(connection, trial_id, without)
        )

    def record(self, trial: ClaimedTrial, clip: ClipResult) -> None:
        """Store what was measured on one clip.

        Recording equal masks again changes no number, and adds what wasn't kept beside them.

        Raises:
            LostLease: the trial is no longer the worker's.
            ValueError: a clip that isn't the trial's, or that has other masks already.
        """
        self.database.write(lambda connection: recording.record(connection, trial, clip))

    def complete(self, trial: ClaimedTrial, aggregates: Mapping[str, float]) -> None:
        """Finish a trial with the scalars over all its clips (NaN where unknown).

        Of a trial that was complete before, they stay as they are.

        Raises:
            LostLease: the trial is no longer the worker's.
            ValueError: clips without results.
        """
        self.database.write(lambda connection: recording.complete(connection, trial, aggregates))

    def fail(
        self, trial: ClaimedTrial, message: str, traceback: str | None, *, deterministic: bool
    ) -> State:
        """End the attempt with an error; returns the trial's state: failed, or stale to retry.

        A trial that was complete before stays so, with the error where it isn't tried again.

        Args:
            trial: the trial.
            message: one line for people.
            traceback: kept with the attempt.
            deterministic: another attempt would fail likewise: don't try.

        Raises:
            LostLease: the trial is no longer the worker's.
        """
        return self.database.write(
            lambda connection: recording.fail(
                connection,
                trial,
                message,
                traceback,
                deterministic=deterministic,
                max_attempts=self._max_attempts,
            )
        )

    def skip(self, trial: ClaimedTrial, reason: str) -> None:
        """Leave a trial out for a reason that people read. Raises LostLease."""
        self.database.write(lambda connection: recording.skip(connection, trial, reason))

    # Provenance

    def annotate(self, trial: ClaimedTrial, annotations: Mapping[str, Any]) -> None:
        """Keep the unstable part of the environment (clocks, versions) with the attempt.

        Raises:
            LostLease: the trial is no longer the worker's.
        """
        self.database.write(lambda connection: recording.annotate(connection, trial, annotations))

    def add_environment(self, key: str, device: str, stable: Mapping[str, Any]) -> None:
        """Keep a machine's stable part under its comparability key, once.

        Args:
            key: hash over ``stable``.
            device: the device's name, as results show it.
            stable: JSON values by name.
        """
        self.database.write(
            lambda connection: provenance.add_environment(connection, key, device, stable)
        )

    def add_checkpoint(
        self,
        sha256: str,
        name: str,
        architecture: str,
        provenance_values: Mapping[str, Any],
        *,
        trained: bool,
    ) -> int:
        """Keep where weights came from, once per hash of their tensors; returns the row's id."""
        return self.database.write(
            lambda connection: provenance.add_checkpoint(
                connection, sha256, name, architecture, provenance_values, trained=trained
            )
        )

    def integrity_check(self) -> tuple[str, ...]:
        """What is wrong with the database, a line each; empty if nothing is."""
        return self.database.read(integrity.integrity_check)
