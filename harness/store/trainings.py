"""Trainings: what was trained from what, how it went, and which checkpoint came out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from vosbench.baselines.errors import InputError
from vosbench.baselines.text import one_line
from vosbench.harness.store.columns import DatabaseNow
from vosbench.harness.store.database import Database
from vosbench.harness.store.models import State, Training, TrainingCurve
from vosbench.harness.store.planning import insert_new
from vosbench.harness.store.worker import Worker, is_gone

_KEY_VERSION = 1
"""Raised whenever the same recipe and data come to train otherwise."""
_CHUNK = 1000
VALIDATION = "validation/"
"""How the names of a curve's values on held-out clips begin."""
SPEED = "speed/"
"""How the names of a curve's values of throughput begin; no two runs have the same."""


@dataclass(frozen=True)
class TrainingSpec:
    """Everything that a training's outcome depends on; its hash is the training's key.

    Attributes:
        model: what is trained, e.g. ``g-frtm-lite``.
        recipe: all of the recipe's fields as JSON with sorted keys.
        data_sha256: hash of the clips as the network reads them, frozen backbone included.
        start_sha256: hash of the tensors it starts from; None where they are drawn.
        seed: the recipe's.
        margins: "m1,m2" of the gate loss; None where there is none.
    """

    model: str
    recipe: str
    data_sha256: str
    start_sha256: str | None = None
    seed: int = 0
    margins: str | None = None

    @property
    def key(self) -> str:
        """Hex SHA-256; seed and margins are in the recipe."""
        named = [_KEY_VERSION, self.model, self.recipe, self.data_sha256, self.start_sha256]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()

    @property
    def gate(self) -> str:
        """What the gate learns: ``M(0.7,0.2)``, ``rate 0.4``, or a dash where there is none."""
        if self.margins is not None:
            return f"M({self.margins})"
        reuse = json.loads(self.recipe).get("reuse")
        rate = reuse["gate"]["rate"] if reuse else None
        return "–" if rate is None else f"rate {rate:g}"


@dataclass(frozen=True)
class TrainingNotes:
    """What else is known when a training begins.

    Attributes:
        data, start: in words.
        steps: of all stages.
        device: the device's name.
        threads: CPU threads.
    """

    data: str
    start: str | None
    steps: int
    device: str
    threads: int


@dataclass(frozen=True)
class CurveValue:
    """A value of a named series after so many steps."""

    step: int
    name: str
    value: float


@dataclass(frozen=True)
class TrainingRecord:
    """A training as it stood when it was read.

    Attributes:
        state: running, complete, failed; waiting where it was stopped, stale where its process
            is gone: the same command goes on.
        checkpoint_sha256: hash of the tensors of the whole network, as trials have it.
        path: the checkpoint's file.
    """

    key: str
    spec: TrainingSpec
    notes: TrainingNotes
    state: State
    steps_done: int
    elapsed_s: float
    version: str
    checkpoint_sha256: str | None
    path: str | None
    error: str | None
    traceback: str | None
    started_at: float
    ended_at: float | None

    @property
    def state_word(self) -> str:
        """The state, in the words of trainings, which nobody takes up by himself."""
        return "stopped" if self.state in (State.WAITING, State.STALE) else str(self.state)

    def plain(self) -> dict[str, Any]:
        """All of it in one mapping of plain values; the recipe's fields as they are."""
        values = asdict(self)
        spec, notes = values.pop("spec"), values.pop("notes")
        plain: dict[str, Any] = values | spec | notes
        return plain | {"state": self.state_word, "recipe": json.loads(self.spec.recipe)}


class Trainings:
    """The trainings of a store; each method is one transaction, on SQLite and PostgreSQL alike.

    Who trains holds a lock on the training's folder; the store only keeps account of it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, spec: TrainingSpec, notes: TrainingNotes, worker: Worker) -> None:
        """A training begins, or goes on."""
        self._database.write(lambda connection: _begin(connection, spec, notes, worker))

    def advance(self, key: str, steps_done: int, elapsed_s: float) -> None:
        """Say how far a training is."""
        self._set(key, steps_done=steps_done, elapsed_s=elapsed_s)

    def pause(self, key: str) -> None:
        """A training was stopped, to go on later."""
        self._set(key, state=State.WAITING, ended_at=DatabaseNow())

    def fail(self, key: str, message: str, traceback: str | None) -> None:
        """A training failed."""
        self._set(
            key,
            state=State.FAILED,
            error=one_line(message),
            traceback=traceback,
            ended_at=DatabaseNow(),
        )

    def complete(
        self,
        key: str,
        *,
        checkpoint_sha256: str,
        path: str,
        elapsed_s: float,
        curve: Iterable[CurveValue],
    ) -> None:
        """A training came to its end; its curve takes the place of what was stored of it."""
        points = tuple(curve)

        def work(connection: Connection) -> None:
            training = _id(connection, key)
            _write_curve(connection, training, points)
            connection.execute(
                update(Training)
                .where(Training.id == training)
                .values(
                    state=State.COMPLETE,
                    steps_done=Training.steps,
                    elapsed_s=elapsed_s,
                    checkpoint_sha256=checkpoint_sha256,
                    path=path,
                    ended_at=DatabaseNow(),
                )
            )

        self._database.write(work)

    def find(self, key: str) -> TrainingRecord | None:
        """The training of that key, or None."""
        return next(iter(self._where(Training.key == key)), None)

    def named(self, start: str) -> TrainingRecord:
        """The training whose key begins so; ``InputError`` for none or several."""
        found = self._where(Training.key.startswith(start, autoescape=True))
        if len(found) != 1:
            how_many = "no training's key begins" if not found else f"{len(found)} keys begin"
            raise InputError(f"{how_many} with '{start}': `vosbench trainings` lists them")
        return found[0]

    def all(self) -> tuple[TrainingRecord, ...]:
        """All trainings, the oldest first."""
        return self._where()

    def curve(self, key: str) -> tuple[CurveValue, ...]:
        """What a training reported, by step and name; NaN where it was no number."""

        def work(connection: Connection) -> tuple[CurveValue, ...]:
            rows = connection.execute(
                select(TrainingCurve.step, TrainingCurve.name, TrainingCurve.value)
                .join(Training, Training.id == TrainingCurve.training_id)
                .where(Training.key == key)
                .order_by(TrainingCurve.step, TrainingCurve.name)
            )
            return tuple(
                CurveValue(step, name, math.nan if value is None else value)
                for step, name, value in rows
            )

        return self._database.read(work)

    def _set(self, key: str, **values: Any) -> None:
        self._database.write(
            lambda connection: connection.execute(
                update(Training).where(Training.key == key).values(**values)
            )
        )

    def _where(self, *conditions: ColumnElement[bool]) -> tuple[TrainingRecord, ...]:
        def work(connection: Connection) -> tuple[TrainingRecord, ...]:
            query = select(Training.__table__).where(*conditions).order_by(Training.id)
            return tuple(_record(row) for row in connection.execute(query))

        return self._database.read(work)


_SPEC = tuple(field.name for field in fields(TrainingSpec))
_NOTES = tuple(field.name for field in fields(TrainingNotes))
_PLAIN = tuple(
    field.name for field in fields(TrainingRecord) if field.name not in ("spec", "notes")
)


def _record(row: Row[Any]) -> TrainingRecord:
    values = row._mapping
    record = TrainingRecord(
        spec=TrainingSpec(**{name: values[name] for name in _SPEC}),
        notes=TrainingNotes(**{name: values[name] for name in _NOTES}),
        **{name: values[name] for name in _PLAIN},
    )
    lost = record.state is State.RUNNING and is_gone(row.host, row.pid, row.process_started)
    return replace(record, state=State.STALE) if lost else record


def _begin(
    connection: Connection, spec: TrainingSpec, notes: TrainingNotes, worker: Worker
) -> None:
    here = {
        "version": worker.version,
        "host": worker.host,
        "pid": worker.pid,
        "process_started": worker.process_started,
    }
    insert_new(connection, Training, [{"key": spec.key} | vars(spec) | vars(notes) | here])
    connection.execute(
        update(Training)
        .where(Training.key == spec.key)
        .values(
            state=State.RUNNING,
            error=None,
            traceback=None,
            ended_at=None,
            **(vars(notes) | here),
        )
    )


def _id(connection: Connection, key: str) -> int:
    return connection.execute(select(Training.id).where(Training.key == key)).scalar_one()


def _write_curve(connection: Connection, training: int, points: tuple[CurveValue, ...]) -> None:
    connection.execute(delete(TrainingCurve).where(TrainingCurve.training_id == training))
    # The newest value counts where a step was noted twice; SQLite has no NaN.
    rows = [
        {
            "training_id": training,
            "step": step,
            "name": name,
            "value": float(value) if math.isfinite(value) else None,
        }
        for (step, name), value in {(p.step, p.name): p.value for p in points}.items()
    ]
    for start in range(0, len(rows), _CHUNK):
        connection.execute(insert(TrainingCurve), rows[start : start + _CHUNK])
