"""Where each number came from: attempts, machines, weights, and the commands that asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from vosbench.harness.store import Readable, Selection, read_from
from vosbench.harness.store.models import (
    Attempt,
    Checkpoint,
    Environment,
    SequenceResult,
    Series,
    Study,
    StudyPlan,
    StudyTrial,
    Trial,
)


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
