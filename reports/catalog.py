"""What the database knows beside results: notes on weights, names of series."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, func, select

from vosbench.harness.store import Readable, Selection, State, read_from
from vosbench.harness.store.models import (
    Attempt,
    Checkpoint,
    Environment,
    SequenceResult,
    Series,
    Trial,
)
from vosbench.harness.trials import Kind


def weights_notes(source: Readable) -> Mapping[str, str]:
    """What has to be said about weights, by the hash of their tensors; "" for published ones."""

    def work(connection: Connection) -> dict[str, str]:
        rows = connection.execute(select(Checkpoint.sha256, Checkpoint.provenance))
        return {sha256: str((provenance or {}).get("note", "")) for sha256, provenance in rows}

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


def timing_conditions(source: Readable) -> pd.DataFrame:
    """Of complete timing trials: ``key``, ``threads`` of their machine, and ``busy``, whether
    others used the device; None where it isn't known."""

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


IDENTITY = (
    "model", "policy", "weights", "weights_sha256", "trained", "margins", "precision",
    "input_size", "seed", "switches", "runner_version",
)  # fmt: skip
"""Columns of ``results`` that tell curves apart."""


def identities(source: Readable) -> pd.DataFrame:
    """All different :data:`IDENTITY` among complete trials, the first one asked for first."""

    def work(connection: Connection) -> pd.DataFrame:
        columns = [getattr(Trial, name) for name in IDENTITY]
        query = (
            select(*columns)
            .where(Trial.state == State.COMPLETE)
            .group_by(*columns)
            .order_by(func.min(Trial.id))
        )
        rows = [tuple(row) for row in connection.execute(query)]
        return pd.DataFrame(rows, columns=list(IDENTITY), dtype="object")

    return read_from(source, work)
