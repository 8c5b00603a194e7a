"""The results as rows and as pandas frames with stable column names.

Missing values are None in text columns and NaN in numbers. τ and τ₂ are ``Decimal``: compare
them as decimals, and turn them to float only to plot.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Select, select

from vosbench.harness.store.arrays import PackedArray, unpack
from vosbench.harness.store.database import Database, Source, open_database
from vosbench.harness.store.models import (
    Attempt,
    Environment,
    SequenceMetric,
    SequenceResult,
    Series,
    Study,
    StudyTrial,
    Trial,
    TrialMetric,
)
from vosbench.harness.store.selection import EVERYTHING, Selection, object_metrics
from vosbench.harness.store.storage import Storage

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Readable = Source | Database | Storage
Result = TypeVar("Result")

METRICS = (
    "jf_mean",
    "j_mean",
    "j_recall",
    "j_decay",
    "f_mean",
    "f_recall",
    "f_decay",
    "reuse_rate",
    "fps",
    "ms_per_frame",
)
"""Aggregates that always have a column; others follow at the right, by name."""

_BEFORE = ("model", "dataset", "tau", "tau2", "policy", "kind", "weights", "trained", "state")
_AFTER = (
    "mask_sha256",
    "device",
    "protocol",
    "margins",
    "precision",
    "seed",
    "repeat",
    "input_size",
    "max_frames",
    "sequences",
    "switches",
    "runner_version",
    "study",
    "attempt",
    "error",
    "key",
    "weights_sha256",
    "manifest_sha256",
    "environment_key",
    "version",
    "trial_id",
    "unscored",
    "remarks",
)
COLUMNS = (*_BEFORE, *METRICS, *_AFTER)
"""The columns of :func:`results`, in order, before further aggregates."""


_WHOLE = {"seed", "repeat", "attempt", "trial_id", "frames", "objects", "object_id"}
_OBJECTS = {*_BEFORE, *_AFTER, "sequence"} - _WHOLE


def results(source: Readable, where: Selection = EVERYTHING) -> pd.DataFrame:
    """One row per trial, in the order in which trials were first asked for.

    Columns: :data:`COLUMNS`, then every other aggregate by its name; ``docs/results.md`` says what
    each one is, in which unit and of which type. Names and order of :data:`COLUMNS` stay as they
    are from version to version; later ones are added behind them. ``study`` names all studies
    of a trial, comma-separated; ``attempt`` is the last one's number, 0 before the first, and
    ``environment_key``, ``device`` and ``version`` are of that attempt; ``unscored`` says why a
    trial, or some of its sequences, have no J&F, and ``remarks`` what may surprise in its masks;
    ``sequences`` and ``switches`` are a tuple and a mapping. Aggregates are NaN unless the state
    is complete.

    Args:
        source: a file, a URL, or an open database.
        where: which trials.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    columns = read_from(source, lambda connection: _results(connection, where))
    return _frame(columns, list(columns))


def result_rows(source: Readable, where: Selection = EVERYTHING) -> list[dict[str, Any]]:
    """The rows of :func:`results` as plain values by column, for what needs no pandas.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    columns = read_from(source, lambda connection: _results(connection, where))
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def sequences(source: Readable, where: Selection = EVERYTHING) -> pd.DataFrame:
    """One row per trial and clip: key, model, dataset, tau, policy, sequence, frames, objects
    (their number), mask_sha256; then every scalar of the clip by its name.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    return read_from(source, lambda connection: _sequences(connection, where))


def objects(source: Readable, where: Selection = EVERYTHING) -> pd.DataFrame:
    """One row per trial, clip and object: key, model, dataset, tau, policy, sequence, object_id;
    then every scalar of the object by its name.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    columns = object_columns(source, where)
    return _frame(columns, list(columns))


def object_columns(source: Readable, where: Selection = EVERYTHING) -> dict[str, list[Any]]:
    """The columns of :func:`objects` as lists, for what needs no pandas.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    return read_from(source, lambda connection: _objects(connection, where))


def series(
    source: Readable,
    name: str,
    where: Selection = EVERYTHING,
    *,
    sequences: Sequence[str] = (),
) -> Mapping[tuple[str, str], NDArray[np.generic]]:
    """The arrays of one name, by trial key and sequence.

    Args:
        source: a file, a URL, or an open database.
        name: e.g. ``p_gate`` (T, K); see :class:`vosbench.harness.trials.ClipResult`.
        where: of which trials.
        sequences: of which clips; all, if empty.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    return read_from(source, lambda connection: _series(connection, name, where, sequences))


def read_from(source: Readable, work: Callable[[Connection], Result]) -> Result:
    """Run ``work`` in a reading transaction on a file, a URL, or an open database.

    Raises InputError if there are no results or they can't be read.
    """
    with opened(source) as database:
        return database.read(work)


@contextmanager
def opened(source: Readable) -> Iterator[Database]:
    """The database behind a file, a URL or an open one, which stays open.

    Raises InputError if there are no results or they can't be read.
    """
    if isinstance(source, Storage):
        yield source.database
    elif isinstance(source, Database):
        yield source
    else:
        with open_database(source, read_only=True) as database:
            yield database


def _results(connection: Connection, where: Selection) -> dict[str, list[Any]]:
    rows = connection.execute(_trial_rows().where(*where.conditions()).order_by(Trial.id)).all()
    studies = _study_names(connection, where)
    columns: dict[str, list[Any]] = {
        name: [row._mapping[name] for row in rows]
        for name in (*_BEFORE, *_AFTER)
        if name != "study"
    }
    columns["study"] = [studies.get(row.trial_id, "") for row in rows]
    for said in ("unscored", "remarks"):
        columns[said] = [(row._mapping[said] or {}).get(said) for row in rows]
    columns["kind"] = [row.kind.value for row in rows]
    columns["state"] = [row.state.value for row in rows]
    metrics = _metric_columns(
        connection.execute(
            select(TrialMetric.trial_id, TrialMetric.name, TrialMetric.value)
            .join(Trial, Trial.id == TrialMetric.trial_id)
            .where(*where.conditions())
        ).all(),
        [(trial_id,) for trial_id in columns["trial_id"]],
    )
    metrics = {name: metrics.pop(name, _unknown(len(rows))) for name in METRICS} | metrics
    others = [name for name in metrics if name not in METRICS]
    found = columns | metrics
    return {name: found[name] for name in (*COLUMNS, *others)}


def _trial_rows() -> Select[Any]:
    """Trials with their last attempt and its environment, by the names of the columns."""
    elsewhere: dict[str, Any] = {
        "trial_id": Trial.id,
        "attempt": Trial.attempts,
        "version": Attempt.version,
        "unscored": Attempt.annotations,
        "remarks": Attempt.annotations,
        "device": Environment.device,
        "environment_key": Environment.key,
    }
    own = [name for name in (*_BEFORE, *_AFTER) if name not in elsewhere and name != "study"]
    return (
        select(
            *(getattr(Trial, name) for name in own),
            *(column.label(name) for name, column in elsewhere.items()),
        )
        .outerjoin(Attempt, (Attempt.trial_id == Trial.id) & (Attempt.number == Trial.attempts))
        .outerjoin(Environment, Environment.id == Attempt.environment_id)
    )


def _study_names(connection: Connection, where: Selection) -> dict[int, str]:
    names: dict[int, str] = {}
    rows = connection.execute(
        select(StudyTrial.trial_id, Study.name)
        .join(Study, Study.id == StudyTrial.study_id)
        .join(Trial, Trial.id == StudyTrial.trial_id)
        .where(*where.conditions())
        .order_by(Study.id)
    )
    for trial_id, name in rows:
        names[trial_id] = f"{names[trial_id]}, {name}" if trial_id in names else name
    return names


def _sequences(connection: Connection, where: Selection) -> pd.DataFrame:
    rows = connection.execute(
        _with_trial(SequenceResult.frames, SequenceResult.object_ids, SequenceResult.mask_sha256)
        .where(*where.conditions())
        .order_by(Trial.id, SequenceResult.id)
    ).all()
    names = ["key", "model", "dataset", "tau", "policy", "sequence", "frames", "mask_sha256"]
    columns: dict[str, list[Any]] = {name: [row._mapping[name] for row in rows] for name in names}
    columns["objects"] = [len(row.object_ids) for row in rows]
    names.insert(names.index("mask_sha256"), "objects")
    metrics = _metric_columns(
        connection.execute(
            select(SequenceMetric.sequence_result_id, SequenceMetric.name, SequenceMetric.value)
            .join(SequenceResult, SequenceResult.id == SequenceMetric.sequence_result_id)
            .join(Trial, Trial.id == SequenceResult.trial_id)
            .where(*where.conditions())
        ).all(),
        [(row.result_id,) for row in rows],
    )
    return _frame(columns | metrics, [*names, *metrics])


def _objects(connection: Connection, where: Selection) -> dict[str, list[Any]]:
    rows = connection.execute(
        _with_trial(SequenceResult.object_ids)
        .where(*where.conditions())
        .order_by(Trial.id, SequenceResult.id)
    ).all()
    names = ["key", "model", "dataset", "tau", "policy", "sequence"]
    pairs = [(row, object_id) for row in rows for object_id in row.object_ids]
    columns: dict[str, list[Any]] = {
        name: [row._mapping[name] for row, _ in pairs] for name in names
    }
    columns["object_id"] = [object_id for _, object_id in pairs]
    metrics = _metric_columns(
        connection.execute(object_metrics(where.conditions())).all(),
        [(row.result_id, object_id) for row, object_id in pairs],
    )
    return columns | metrics


def _with_trial(*columns: Any) -> Select[Any]:
    """Clips with what identifies their trial."""
    return select(
        SequenceResult.id.label("result_id"),
        Trial.key,
        Trial.model,
        Trial.dataset,
        Trial.tau,
        Trial.policy,
        SequenceResult.sequence,
        *columns,
    ).join(Trial, Trial.id == SequenceResult.trial_id)


def _series(
    connection: Connection, name: str, where: Selection, sequences: Sequence[str]
) -> dict[tuple[str, str], NDArray[np.generic]]:
    query = (
        _with_trial(Series.dtype, Series.shape, Series.data)
        .join(Series, Series.sequence_result_id == SequenceResult.id)
        .where(Series.name == name, *where.conditions())
        .order_by(Trial.id, SequenceResult.id)
    )
    if sequences:
        query = query.where(SequenceResult.sequence.in_(sequences))
    return {
        (row.key, row.sequence): unpack(PackedArray(row.dtype, row.shape, row.data))
        for row in connection.execute(query)
    }


def _unknown(count: int) -> list[float]:
    return [math.nan] * count


def _metric_columns(
    rows: Iterable[Sequence[Any]], owners: Sequence[tuple[int, ...]]
) -> dict[str, list[Any]]:
    """Rows of (owner, …, name, value) as one column per name, sorted, in the order of owners."""
    places = {owner: index for index, owner in enumerate(owners)}
    columns: dict[str, list[Any]] = {}
    for *owner, name, value in rows:
        if name not in columns:
            columns[name] = _unknown(len(owners))
        if value is not None:
            columns[name][places[tuple(owner)]] = value
    return dict(sorted(columns.items()))


def _frame(columns: Mapping[str, list[Any]], order: Sequence[str]) -> pd.DataFrame:
    """Columns of fixed types, so that an empty frame has the types of a full one."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(columns[name], dtype=_dtype(name)) for name in order})


def _dtype(name: str) -> str:
    if name == "trained":
        return "bool"
    if name in _WHOLE:
        return "int64"
    if name == "max_frames":
        return "Int64"
    return "object" if name in _OBJECTS else "float64"
