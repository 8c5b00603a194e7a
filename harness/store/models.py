"""The tables of the result database.

A *study* is a name under which commands file their *plans*: the *trials* that each asked for, in
its order. Studies and plans may share trials. A trial is worked on in *attempts*, each for the
plan that made it, and holds one *sequence_result* per clip, with scalars per clip and per object,
and one compressed array per series. Times are seconds since 1970 by the database's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from vosbench.harness.store.columns import (
    DatabaseNow,
    DecimalText,
    NamesText,
    NumbersText,
    PlainText,
    SwitchesText,
)
from vosbench.harness.trials import Kind


class State(StrEnum):
    """Where a trial stands, and how an attempt at it ended."""

    WAITING = "waiting"
    """Nobody works on it yet."""
    RUNNING = "running"
    """A worker holds its lease."""
    COMPLETE = "complete"
    """All its results are stored; never changed again."""
    FAILED = "failed"
    """An attempt failed in a way that another would repeat, or too many were lost."""
    STALE = "stale"
    """Its worker was lost; it is tried again."""
    SKIPPED = "skipped"
    """It can't be run here, for the reason in its error."""
    CANCELLED = "cancelled"
    """Somebody stopped it; asking for it again revives it."""


def _names(kind: type[StrEnum]) -> Enum:
    """A column for an enumeration, as plain text, so that a new member needs no migration."""
    values = [member.value for member in kind]
    return Enum(kind, native_enum=False, length=16, values_callable=lambda _members: values)


def _owner(table: str, *, nullable: bool = False, primary_key: bool = False) -> Mapped[Any]:
    """A foreign key; rows go with their owner."""
    on_delete = ForeignKey(f"{table}.id", ondelete=None if nullable else "CASCADE")
    return mapped_column(on_delete, nullable=nullable, primary_key=primary_key)


class Base(DeclarativeBase):
    """All tables; constraints carry stable names so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own protocol
        str: PlainText(),
        float: Double(),
        Decimal: DecimalText(),
        State: _names(State),
        Kind: _names(Kind),
    }


class Study(Base):
    """A name under which commands file their plans."""

    __tablename__ = "study"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class Trial(Base):
    """One trial (:class:`vosbench.harness.trials.TrialSpec`) and where it stands."""

    __tablename__ = "trial"
    __table_args__ = (
        Index(None, "state"),
        Index(None, "model", "dataset"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)

    model: Mapped[str]
    runner_version: Mapped[str]
    weights: Mapped[str]
    weights_sha256: Mapped[str]
    trained: Mapped[bool]
    dataset: Mapped[str]
    protocol: Mapped[str]
    manifest_sha256: Mapped[str]
    sequences: Mapped[tuple[str, ...]] = mapped_column(NamesText)
    max_frames: Mapped[int | None]
    policy: Mapped[str | None]
    tau: Mapped[Decimal | None]
    tau2: Mapped[Decimal | None]
    margins: Mapped[str | None]
    seed: Mapped[int]
    precision: Mapped[str]
    input_size: Mapped[str | None]
    kind: Mapped[Kind]
    repeat: Mapped[int]
    switches: Mapped[Mapping[str, str]] = mapped_column(SwitchesText)
    environment_key: Mapped[str | None]

    state: Mapped[State] = mapped_column(default=State.WAITING)
    token: Mapped[int] = mapped_column(default=0)
    """Fencing token: raised at every claim; a write that names an older one is refused."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Number of the last attempt that measured; those that add to a complete trial come after."""
    tries: Mapped[int] = mapped_column(default=0)
    """Attempts since somebody last asked for it, or it was complete; the cap on retries."""
    lease_s: Mapped[float | None]
    lease_until: Mapped[float | None]
    """Set exactly while a worker holds the trial: it is running, or complete and added to."""
    error: Mapped[str | None]
    """Why it failed, was lost or skipped; of a complete one, why nothing could be added."""
    mask_sha256: Mapped[str | None]
    origin: Mapped[str | None]
    """Where the results of an imported trial come from; nothing ever executes such a trial."""
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())
    ended_at: Mapped[float | None]


class StudyTrial(Base):
    """A trial's place in a study."""

    __tablename__ = "study_trial"
    __table_args__ = (Index(None, "study_id", "position"), Index(None, "trial_id"))

    study_id: Mapped[int] = _owner("study", primary_key=True)
    trial_id: Mapped[int] = _owner("trial", primary_key=True)
    position: Mapped[int]


class StudyPlan(Base):
    """What one command asked for, and how; the same command files it once."""

    __tablename__ = "study_plan"
    __table_args__ = (UniqueConstraint("study_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = _owner("study")
    digest: Mapped[str]
    """Hash over all that follows, and the plan's trials with their groups."""
    command: Mapped[str]
    folder: Mapped[str]
    """The working folder in which it was typed."""
    options: Mapped[Any] = mapped_column(JSON, nullable=False)
    """The cut of the sequences, what is kept beside the numbers, how trials are run."""
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class StudyPlanTrial(Base):
    """A trial's place in a plan; work is handed out in this order, a group at a time."""

    __tablename__ = "study_plan_trial"
    __table_args__ = (Index(None, "plan_id", "position"), Index(None, "trial_id"))

    plan_id: Mapped[int] = _owner("study_plan", primary_key=True)
    trial_id: Mapped[int] = _owner("trial", primary_key=True)
    position: Mapped[int]
    group_key: Mapped[str]


class Environment(Base):
    """The stable part of a machine; its hash is the comparability key of timings."""

    __tablename__ = "environment"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    device: Mapped[str]
    stable: Mapped[Any] = mapped_column(JSON, nullable=False)
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class Attempt(Base):
    """One worker's try at a trial."""

    __tablename__ = "attempt"
    __table_args__ = (UniqueConstraint("trial_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = _owner("trial")
    plan_id: Mapped[int | None] = _owner("study_plan", nullable=True)
    """For whom; NULL where an older version made it and the command isn't known."""
    number: Mapped[int]
    token: Mapped[int]
    worker: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[str | None]
    version: Mapped[str]
    """The program's version, with its commit where known."""
    environment_id: Mapped[int | None] = _owner("environment", nullable=True)
    annotations: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    state: Mapped[State] = mapped_column(default=State.RUNNING)
    started_at: Mapped[float] = mapped_column(default=DatabaseNow())
    heartbeat_at: Mapped[float] = mapped_column(default=DatabaseNow())
    ended_at: Mapped[float | None]
    error: Mapped[str | None]
    traceback: Mapped[str | None]


class TrialMetric(Base):
    """An aggregate of a complete trial; NULL where it isn't known."""

    __tablename__ = "trial_metric"
    __table_args__ = ({"sqlite_with_rowid": False},)

    trial_id: Mapped[int] = _owner("trial", primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]


class SequenceResult(Base):
    """What a trial measured on one clip."""

    __tablename__ = "sequence_result"
    __table_args__ = (UniqueConstraint("trial_id", "sequence"), Index(None, "attempt_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    trial_id: Mapped[int] = _owner("trial")
    attempt_id: Mapped[int] = _owner("attempt")
    sequence: Mapped[str]
    object_ids: Mapped[tuple[int, ...]] = mapped_column(NumbersText)
    frames: Mapped[int]
    mask_sha256: Mapped[str]
    traced: Mapped[tuple[int, ...] | None] = mapped_column(NumbersText)
    """Frames of which was stored what the network saw, whether it told anything or not."""
    recorded_at: Mapped[float] = mapped_column(default=DatabaseNow())


class SequenceMetric(Base):
    """A scalar of one clip; NULL where it isn't known."""

    __tablename__ = "sequence_metric"
    __table_args__ = ({"sqlite_with_rowid": False},)

    sequence_result_id: Mapped[int] = _owner("sequence_result", primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]


class ObjectMetric(Base):
    """A scalar of one object of a clip; NULL where it isn't known."""

    __tablename__ = "object_metric"
    __table_args__ = ({"sqlite_with_rowid": False},)

    sequence_result_id: Mapped[int] = _owner("sequence_result", primary_key=True)
    object_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]


class Series(Base):
    """One array of a clip: zlib over its little-endian bytes in C order."""

    __tablename__ = "series"

    sequence_result_id: Mapped[int] = _owner("sequence_result", primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    dtype: Mapped[str]
    shape: Mapped[tuple[int, ...]] = mapped_column(NumbersText)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Base):
    """Weights by the hash of their tensors, and where they came from."""

    __tablename__ = "checkpoint"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    architecture: Mapped[str]
    trained: Mapped[bool]
    provenance: Mapped[Any] = mapped_column(JSON, nullable=False)
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class Baseline(Base):
    """A named set of trials that later ones are compared with."""

    __tablename__ = "baseline"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    filters: Mapped[str]
    version: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class BaselineTrial(Base):
    """A trial of a baseline."""

    __tablename__ = "baseline_trial"

    baseline_id: Mapped[int] = _owner("baseline", primary_key=True)
    trial_id: Mapped[int] = _owner("trial", primary_key=True)


class StoredVerdict(Base):
    """How one trial compared with a baseline in one metric."""

    __tablename__ = "verdict"
    __table_args__ = (Index(None, "baseline_id"), Index(None, "trial_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    baseline_id: Mapped[int] = _owner("baseline")
    trial_id: Mapped[int] = _owner("trial")
    metric: Mapped[str]
    verdict: Mapped[str]
    change: Mapped[float | None]
    change_low: Mapped[float | None]
    change_high: Mapped[float | None]
    reason: Mapped[str]
    created_at: Mapped[float] = mapped_column(default=DatabaseNow())


class Training(Base):
    """A training: what it is (:class:`~.trainings.TrainingSpec`), how far it is, what it made."""

    __tablename__ = "training"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)

    model: Mapped[str]
    recipe: Mapped[str]
    data_sha256: Mapped[str]
    start_sha256: Mapped[str | None]
    seed: Mapped[int]
    margins: Mapped[str | None]

    data: Mapped[str]
    """In words; what it was, byte for byte, is in the hash."""
    start: Mapped[str | None]
    steps: Mapped[int]
    state: Mapped[State] = mapped_column(default=State.RUNNING)
    steps_done: Mapped[int] = mapped_column(default=0)
    elapsed_s: Mapped[float] = mapped_column(default=0.0)
    """Time spent on it, over all runs."""
    device: Mapped[str]
    threads: Mapped[int]
    version: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[str | None]
    checkpoint_sha256: Mapped[str | None]
    path: Mapped[str | None]
    error: Mapped[str | None]
    traceback: Mapped[str | None]
    started_at: Mapped[float] = mapped_column(default=DatabaseNow())
    ended_at: Mapped[float | None]


class TrainingCurve(Base):
    """A value that a training reported after a step; NULL where it isn't a number."""

    __tablename__ = "training_curve"
    __table_args__ = ({"sqlite_with_rowid": False},)

    training_id: Mapped[int] = _owner("training", primary_key=True)
    step: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float | None]
