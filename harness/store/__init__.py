"""The result database: what was asked for, by whom it was run, what came out.

:class:`Storage` is for those who run trials; :func:`results` and its kin are for those who read
them. Nothing here imports torch.
"""

from vosbench.harness.store.database import (
    Database,
    copy_database,
    open_database,
    upgrade_database,
)
from vosbench.harness.store.models import State
from vosbench.harness.store.records import (
    Claim,
    ClaimedTrial,
    Command,
    FiledPlan,
    LostLease,
    Progress,
    Running,
    StudyRecord,
    TrialRecord,
)
from vosbench.harness.store.results import (
    Readable,
    object_columns,
    objects,
    opened,
    read_from,
    result_rows,
    results,
    sequences,
    series,
)
from vosbench.harness.store.selection import Selection
from vosbench.harness.store.storage import LEASE_S, Storage
from vosbench.harness.store.trainings import (
    SPEED,
    VALIDATION,
    CurveValue,
    TrainingNotes,
    TrainingRecord,
    Trainings,
    TrainingSpec,
)
from vosbench.harness.store.worker import Worker

__all__ = [
    "LEASE_S",
    "SPEED",
    "VALIDATION",
    "Claim",
    "ClaimedTrial",
    "Command",
    "CurveValue",
    "Database",
    "FiledPlan",
    "LostLease",
    "Progress",
    "Readable",
    "Running",
    "Selection",
    "State",
    "Storage",
    "StudyRecord",
    "TrainingNotes",
    "TrainingRecord",
    "TrainingSpec",
    "Trainings",
    "TrialRecord",
    "Worker",
    "copy_database",
    "object_columns",
    "objects",
    "open_database",
    "opened",
    "read_from",
    "result_rows",
    "results",
    "sequences",
    "series",
    "upgrade_database",
]
