"""What a database holds beside results: weights, series, machines, studies, attempts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from vosbench.harness.setting import CURVE
from vosbench.harness.store.models import (
    Attempt,
    Baseline,
    Checkpoint,
    Environment,
    SequenceResult,
    Series,
    State,
    StoredVerdict,
    Study,
    StudyPlan,
    StudyTrial,
    Training,
    Trial,
)
from vosbench.harness.store.results import Readable, read_from
from vosbench.harness.store.selection import Selection
from vosbench.harness.trials import Kind

if TYPE_CHECKING:
    import pandas as pd


def newest_change(source: Readable) -> str:
    """A text that is another one whenever a reader would find something new."""
    queries: Sequence[Any] = (
        select(Trial.state, func.count()).group_by(Trial.state).order_by(Trial.state),
        select(func.max(Attempt.id), func.max(Attempt.ended_at)),
        select(func.max(SequenceResult.id), func.count(SequenceResult.id)),
        select(func.count(Training.id), func.sum(Training.steps_done)),
        select(func.max(StoredVerdict.id), func.max(StoredVerdict.created_at)),
        select(func.max(Baseline.id), func.count(Baseline.id)),
    )

    def work(connection: Connection) -> str:
        found = [[tuple(row) for row in connection.execute(query)] for query in queries]
        return hashlib.sha256(repr(found).encode()).hexdigest()[:16]

    return read_from(source, work)


def weights_notes(source: Readable) -> Mapping[str, str]:
    """What has to be said about weights, by the hash of their tensors; "" for published ones."""

    def work(connection: Connection) -> dict[str, str]:
        rows = connection.execute(select(Checkpoint.sha256, Checkpoint.provenance))
        return {sha256: str((provenance or {}).get("note", "")) for sha256, provenance in rows}

    return read_from(source, work)


def owners(source: Readable) -> Mapping[str, str]:
    """Whose the imported trials are, by their key; own ones are not in it."""

    def work(connection: Connection) -> dict[str, str]:
        rows = connection.execute(select(Trial.key, Trial.origin).where(Trial.origin.is_not(None)))
        return {key: str(origin) for key, origin in rows}

    return read_from(source, work)


def series_names(source: Readable, where: Selection, prefix: str) -> tuple[str, ...]:
    """The names of stored series that begin with ``prefix``, sorted."""

    def work(connection: Connection) -> tuple[str, ...]:
        query = (
            select(Series.name)
            .distinct()
            .join(SequenceResult, SequenceResult.id == Series.sequence_result_id)
            .join(Trial, Trial.id == SequenceResult.trial_id)
            .where(Series.name.startswith(prefix, autoescape=True), *where.conditions())
            .order_by(Series.name)
        )
        return tuple(connection.execute(query).scalars())

    return read_from(source, work)


def busy_keys(source: Readable, where: Selection) -> frozenset[str]:
    """Keys of the timing trials during which others used the device."""

    def work(connection: Connection) -> frozenset[str]:
        query = (
            select(Trial.key, Attempt.annotations)
            .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
            .where(Trial.kind == Kind.TIMING, *where.conditions())
        )
        return frozenset(
            key for key, notes in connection.execute(query) if (notes or {}).get("busy")
        )

    return read_from(source, work)


def timing_conditions(source: Readable) -> pd.DataFrame:
    """Of complete timing trials: ``key``, ``threads`` of their machine, and ``busy``, whether
    others used the device; None where it isn't known."""
    import pandas as pd

    def work(connection: Connection) -> pd.DataFrame:
        query = (
            select(Trial.key, Environment.stable, Attempt.annotations)
            .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
            .outerjoin(Environment, Environment.id == Attempt.environment_id)
            .where(Trial.kind == Kind.TIMING, Trial.state == State.COMPLETE)
        )
        rows = [
            (key, (stable or {}).get("threads"), (notes or {}).get("busy"))
            for key, stable, notes in connection.execute(query)
        ]
        return pd.DataFrame(rows, columns=["key", "threads", "busy"], dtype="object")

    return read_from(source, work)


def curves(source: Readable) -> pd.DataFrame:
    """All different curves (``CURVE``) of complete trials, the first one asked for first."""
    import pandas as pd

    def work(connection: Connection) -> pd.DataFrame:
        columns = [getattr(Trial, name) for name in CURVE]
        query = (
            select(*columns)
            .where(Trial.state == State.COMPLETE)
            .group_by(*columns)
            .order_by(func.min(Trial.id))
        )
        rows = [tuple(row) for row in connection.execute(query)]
        return pd.DataFrame(rows, columns=list(CURVE), dtype="object")

    return read_from(source, work)


def training_families(source: Readable) -> Mapping[str, str]:
    """What trainings have in common besides their seed, by the hash of the weights they made."""
    columns = (
        Training.checkpoint_sha256,
        Training.model,
        Training.recipe,
        Training.data_sha256,
        Training.start_sha256,
    )

    def work(connection: Connection) -> dict[str, str]:
        made = connection.execute(select(*columns).where(Training.checkpoint_sha256.is_not(None)))
        families = {}
        for sha256, model, recipe, data_sha256, start_sha256 in made:
            fields = json.loads(recipe)
            fields.pop("seed", None)
            shared = json.dumps([model, fields, data_sha256, start_sha256], sort_keys=True)
            families[str(sha256)] = hashlib.sha256(shared.encode()).hexdigest()
        return families

    return read_from(source, work)


def studies(source: Readable, where: Selection) -> list[dict[str, Any]]:
    """Studies that hold a trial of ``where``: id, name, created_at, trials (a count by state) and
    commands (command, folder, created_at: each that asked for trials); the oldest first."""

    def work(connection: Connection) -> list[dict[str, Any]]:
        rows = connection.execute(
            select(Study.id, Study.name, Study.created_at, Trial.state, func.count())
            .join(StudyTrial, StudyTrial.study_id == Study.id)
            .join(Trial, Trial.id == StudyTrial.trial_id)
            .where(*where.conditions())
            .group_by(Study.id, Study.name, Study.created_at, Trial.state)
            .order_by(Study.id)
        )
        found: dict[int, dict[str, Any]] = {}
        for number, name, created_at, state, count in rows:
            new = {"id": number, "name": name, "created_at": created_at, "trials": {}}
            study = found.setdefault(number, new | {"commands": []})
            study["trials"][state.value] = count
        for plan in connection.execute(select(StudyPlan.__table__).order_by(StudyPlan.id)):
            if plan.study_id in found:
                said = {"command": plan.command, "folder": plan.folder}
                found[plan.study_id]["commands"].append(said | {"created_at": plan.created_at})
        return list(found.values())

    return read_from(source, work)


def environments(source: Readable) -> dict[str, dict[str, Any]]:
    """Machines by comparability key: device, and what must agree before timings compare."""

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        rows = connection.execute(
            select(Environment.key, Environment.device, Environment.stable).order_by(Environment.id)
        )
        return {key: {"device": device, "stable": stable} for key, device, stable in rows}

    return read_from(source, work)


def checkpoints(source: Readable) -> dict[str, dict[str, Any]]:
    """Weights by the hash of their tensors: name, architecture, trained, provenance."""

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        rows = connection.execute(select(Checkpoint).order_by(Checkpoint.id)).mappings()
        return {
            row["sha256"]: {
                "name": row["name"],
                "architecture": row["architecture"],
                "trained": row["trained"],
                "provenance": row["provenance"] or {},
            }
            for row in rows
        }

    return read_from(source, work)


def attempts(source: Readable, where: Selection) -> Mapping[str, dict[str, Any]]:
    """The attempt that measured each trial, or the last one, by the trial's key: when, where, what
    was noted, the traceback of a failure, and the command and folder that it was made for."""

    def work(connection: Connection) -> dict[str, dict[str, Any]]:
        rows = connection.execute(
            select(
                Trial.key,
                Attempt.version,
                Attempt.host,
                Attempt.started_at,
                Attempt.ended_at,
                Attempt.annotations,
                Attempt.traceback,
                StudyPlan.command,
                StudyPlan.folder,
            )
            .join(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
            .outerjoin(StudyPlan, StudyPlan.id == Attempt.plan_id)
            .where(*where.conditions())
        )
        return {row.key: {**row._mapping} for row in rows}

    return read_from(source, work)


def measured_at(source: Readable, where: Selection) -> tuple[float, float] | None:
    """When the first and the last attempt at a trial of ``where`` ended, seconds since 1970."""

    def work(connection: Connection) -> tuple[float, float] | None:
        first, last = connection.execute(
            select(func.min(Attempt.ended_at), func.max(Attempt.ended_at))
            .join(Trial, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
            .where(*where.conditions())
        ).one()
        return None if first is None or last is None else (first, last)

    return read_from(source, work)


def with_series(source: Readable, where: Selection, name: str) -> dict[str, set[str]]:
    """Trial keys by clip wherever a series of that name is stored; reads no array."""

    def work(connection: Connection) -> dict[str, set[str]]:
        rows = connection.execute(
            select(Trial.key, SequenceResult.sequence)
            .join(SequenceResult, SequenceResult.trial_id == Trial.id)
            .join(Series, Series.sequence_result_id == SequenceResult.id)
            .where(Series.name == name, *where.conditions())
        )
        found: dict[str, set[str]] = {}
        for key, sequence in rows:
            found.setdefault(sequence, set()).add(key)
        return found

    return read_from(source, work)


def object_ids(source: Readable, where: Selection) -> dict[tuple[str, str], tuple[int, ...]]:
    """The objects of each trial's clips by trial key and clip: what the second axis of its
    series stands for."""

    def work(connection: Connection) -> dict[tuple[str, str], tuple[int, ...]]:
        rows = connection.execute(
            select(Trial.key, SequenceResult.sequence, SequenceResult.object_ids)
            .join(SequenceResult, SequenceResult.trial_id == Trial.id)
            .where(*where.conditions())
        )
        return {(key, sequence): tuple(ids) for key, sequence, ids in rows}

    return read_from(source, work)
