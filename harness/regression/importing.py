"""Putting the trials of a portable file into a result database."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vosbench.harness.regression.measured import (
    IMPORTED_FROM,
    MEASURED_AT,
    MeasuredTrial,
    Run,
)
from vosbench.harness.store import ClaimedTrial, Selection, State, Storage, Worker, results

_LEASE_S = 600.0


@dataclass(frozen=True)
class Imported:
    """What came of an import, as numbers of trials.

    Attributes:
        stored: now in the database.
        present: complete there before; left as they are.
        busy: begun, failed or in work there; left alone.
        left_out: not complete in the file.
    """

    stored: int
    present: int
    busy: int
    left_out: int


def import_run(storage: Storage, run: Run, study: str) -> Imported:
    """Store the complete trials of a run, as a study of that name.

    They keep the version of the program and the machine that measured them; the attempt is of
    today, and its annotations say where it is from and when it was measured. Arrays (series) are
    not part of a portable file: figures that need them leave these trials out.

    Raises:
        InputError: the database can't be written.
    """
    complete = {t.spec.key: t for t in run.trials if t.state is State.COMPLETE}
    frame = results(storage, Selection(keys=tuple(complete), states=(State.COMPLETE,)))
    present = set(frame["key"])
    new = {key: trial for key, trial in complete.items() if key not in present}
    for trial in new.values():
        if trial.machine is not None:
            machine = trial.machine
            storage.add_environment(machine.key, machine.device, machine.stable)
    number = storage.add_study(study, f"import {run.source}", [t.spec for t in complete.values()])
    stored = 0
    for worker in dict.fromkeys(_worker(trial) for trial in new.values()):
        mine = {key: trial for key, trial in new.items() if _worker(trial) == worker}
        stored += _store(storage, number, worker, mine, run.source)
    left_out = sum(trial.state is not State.COMPLETE for trial in run.trials)
    return Imported(stored, len(present), len(new) - stored, left_out)


def _worker(trial: MeasuredTrial) -> Worker:
    key = trial.machine.key if trial.machine is not None else trial.spec.environment_key
    here = Worker.here("import")
    return replace(here, environment_key=key, version=trial.version or "")


def _store(
    storage: Storage, study: int, worker: Worker, trials: dict[str, MeasuredTrial], source: str
) -> int:
    """Claim what this worker measured and record it; what else is claimed is handed back."""
    stored = 0
    others: list[ClaimedTrial] = []
    while (claim := storage.claim(study, worker, lease_s=_LEASE_S, limit=1)) is not None:
        for claimed in claim.trials:
            trial = trials.get(claimed.spec.key)
            # Clips of two sources are not put together into one trial.
            if trial is None or storage.done_sequences(claimed):
                others.append(claimed)
                continue
            measured = {IMPORTED_FROM: source, MEASURED_AT: trial.started_at}
            storage.annotate(claimed, measured)
            for clip in trial.clips:
                storage.record(claimed, clip)
            storage.complete(claimed, trial.aggregates)
            stored += 1
    for claimed in others:
        storage.hand_back(claimed)
    return stored
