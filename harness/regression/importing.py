"""Putting the trials of a portable file into a result database."""

from __future__ import annotations

from dataclasses import dataclass

from vosbench.harness.store import State, Storage
from vosbench.harness.store.importing import ForeignTrial
from vosbench.harness.store.measured import MeasuredTrial, Run


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
    """Store the complete trials of a run, as a study of that name: all of them or none.

    They keep the version of the program and the machine that measured them; the attempt is of
    today, and its annotations say where it is from and when it was measured. Nothing executes
    them. Arrays (series) are not part of a portable file: figures that need them leave these
    trials out.

    Raises:
        InputError: the database can't be written.
    """
    complete = [trial for trial in run.trials if trial.state is State.COMPLETE]
    done = storage.import_trials(study, run.source, [_foreign(trial) for trial in complete])
    return Imported(done.stored, done.present, done.busy, len(run.trials) - len(complete))


def _foreign(trial: MeasuredTrial) -> ForeignTrial:
    machine = trial.machine
    return ForeignTrial(
        spec=trial.spec,
        clips=trial.clips,
        aggregates=trial.aggregates,
        version=trial.version or "",
        measured_at=trial.started_at,
        machine=None if machine is None else (machine.key, machine.device, machine.stable),
    )
