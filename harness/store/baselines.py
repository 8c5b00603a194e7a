"""Baselines as they are stored: a name, the filters behind it, its trials, verdicts against it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from vosbench.baselines.errors import InputError
from vosbench.harness.store.database import Database
from vosbench.harness.store.measured import MeasuredTrial, read_trials
from vosbench.harness.store.models import Baseline, BaselineTrial, State, StoredVerdict, Trial
from vosbench.harness.store.selection import Selection
from vosbench.harness.trials import Kind


@dataclass(frozen=True)
class StoredBaseline:
    """A baseline's row and its trials.

    Attributes:
        where: the filters that chose its trials.
        version: of the program that measured them.
        created_at: seconds since 1970.
    """

    where: Selection
    version: str
    created_at: float
    trials: tuple[MeasuredTrial, ...]


def put_baseline(
    database: Database, name: str, where: Selection, version: str, trials: Sequence[int]
) -> None:
    """Store a baseline by the rows of its trials; an older one of that name goes."""

    def work(connection: Connection) -> None:
        connection.execute(delete(Baseline).where(Baseline.name == name))
        baseline = connection.scalar(
            insert(Baseline)
            .values(name=name, filters=selection_text(where), version=version)
            .returning(Baseline.id)
        )
        connection.execute(
            insert(BaselineTrial),
            [{"baseline_id": baseline, "trial_id": trial} for trial in trials],
        )

    database.write(work)


def baseline_names(database: Database) -> tuple[str, ...]:
    """The names of all baselines, sorted."""
    return database.read(
        lambda connection: tuple(connection.scalars(select(Baseline.name).order_by(Baseline.name)))
    )


def stored_baseline(database: Database, name: str) -> StoredBaseline:
    """One baseline; ``InputError`` that lists others if there is none of that name."""

    def work(connection: Connection) -> StoredBaseline:
        found = _id(connection, name)
        row = connection.execute(select(Baseline.__table__).where(Baseline.id == found)).one()
        members = select(BaselineTrial.trial_id).where(BaselineTrial.baseline_id == found)
        trials = read_trials(connection, [Trial.id.in_(members)])
        return StoredBaseline(parse_selection(row.filters), row.version, row.created_at, trials)

    return database.read(work)


def remove_baseline(database: Database, name: str) -> None:
    """Forget a baseline and its verdicts; its trials stay. ``InputError`` if there is none."""

    def work(connection: Connection) -> None:
        connection.execute(delete(Baseline).where(Baseline.id == _id(connection, name)))

    database.write(work)


def put_verdicts(database: Database, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep verdicts with a baseline; earlier ones on the same trial and metric are replaced."""

    def work(connection: Connection) -> None:
        baseline = _id(connection, name)
        for row in rows:
            connection.execute(
                delete(StoredVerdict).where(
                    StoredVerdict.baseline_id == baseline,
                    StoredVerdict.trial_id == row["trial_id"],
                    StoredVerdict.metric == row["metric"],
                )
            )
        if rows:
            connection.execute(
                insert(StoredVerdict), [{**row, "baseline_id": baseline} for row in rows]
            )

    database.write(work)


def all_verdicts(database: Database) -> list[dict[str, Any]]:
    """Every stored verdict, the newest first, as columns; with ``baseline``, its name, and ``key``,
    that of the trial that was judged."""

    def work(connection: Connection) -> list[dict[str, Any]]:
        rows = connection.execute(
            select(StoredVerdict.__table__, Baseline.name.label("baseline"), Trial.key)
            .join(Baseline, Baseline.id == StoredVerdict.baseline_id)
            .join(Trial, Trial.id == StoredVerdict.trial_id)
            .order_by(StoredVerdict.created_at.desc(), StoredVerdict.id)
        )
        return [dict(row._mapping) for row in rows]

    return database.read(work)


def baseline_keys(database: Database) -> list[tuple[str, str]]:
    """The name of each baseline with the key of each of its trials."""

    def work(connection: Connection) -> list[tuple[str, str]]:
        rows = connection.execute(
            select(Baseline.name, Trial.key)
            .join(BaselineTrial, BaselineTrial.baseline_id == Baseline.id)
            .join(Trial, Trial.id == BaselineTrial.trial_id)
            .order_by(Baseline.name, Trial.id)
        )
        return [(row.name, row.key) for row in rows]

    return database.read(work)


def baseline_columns(database: Database) -> list[dict[str, Any]]:
    """All baselines, by name: ``name``, ``version``, ``created_at`` and ``filters``."""

    def work(connection: Connection) -> list[dict[str, Any]]:
        rows = connection.execute(select(Baseline.__table__).order_by(Baseline.name))
        names = ("name", "version", "created_at")
        return [
            {name: row._mapping[name] for name in names} | {"filters": json.loads(row.filters)}
            for row in rows
        ]

    return database.read(work)


def _id(connection: Connection, name: str) -> int:
    found = connection.scalar(select(Baseline.id).where(Baseline.name == name))
    if found is None:
        names = connection.scalars(select(Baseline.name).order_by(Baseline.name).limit(10)).all()
        have = f"there are {', '.join(names)}" if names else "set one with `vosbench baseline set`"
        raise InputError(f"no baseline {name!r} in this database: {have}")
    return found


def selection_text(where: Selection) -> str:
    """A selection as the store keeps it: JSON of the fields that are set."""
    values = {field.name: list(getattr(where, field.name)) for field in fields(where)}
    return json.dumps({name: value for name, value in values.items() if value}, sort_keys=True)


def parse_selection(text: str) -> Selection:
    """What :func:`selection_text` wrote."""
    values: Mapping[str, list[str]] = json.loads(text)
    known = {field.name for field in fields(Selection)}
    chosen = {name: tuple(value) for name, value in values.items() if name in known}
    states = tuple(State(value) for value in chosen.pop("states", ()))
    kinds = tuple(Kind(value) for value in chosen.pop("kinds", ()))
    return Selection(**chosen, states=states, kinds=kinds)
