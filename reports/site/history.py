"""How results went from commit to commit, and the verdicts that comparisons left behind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from vosbench.harness.metric import Scale
from vosbench.harness.regression.history import HistorySeries
from vosbench.harness.regression.history import history as read_history
from vosbench.harness.setting import POINT
from vosbench.harness.store import Database, Selection, State
from vosbench.harness.store.baselines import all_verdicts, baseline_columns, baseline_keys
from vosbench.harness.store.measured import read_run
from vosbench.reports.site.script import plain


def history(source: Database, runs: pd.DataFrame) -> list[dict[str, Any]]:
    """What several versions of the program measured: each metric of each grid point.

    Each has ``point``, ``metric``, ``label``, ``ratio``, ``protocol``, ``machine``, ``values``
    (``version``, ``at``, ``value``, ``level``, ``repeats``) and ``steps`` (``version``, ``before``,
    ``after``, ``change``), where the level changed.

    Args:
        source: the database.
        runs: of :func:`vosbench.reports.site.tables.runs`.
    """
    complete = runs[(runs["state"] == State.COMPLETE.value) & runs["version"].notna()]
    points = _points(complete)
    several = complete.groupby(points)["version"].transform("nunique") > 1
    keys = list(complete.loc[several, "key"])
    if not keys:
        return []
    found = read_history([read_run(source, Selection(keys=keys))])
    return [_series(one) for one in found if len(one.values) > 1]


def _points(runs: pd.DataFrame, *more: str) -> pd.Series[Any]:
    """The grid point of each run, equal for equal ones."""
    values = zip(*(runs[name].map(str) for name in (*POINT, *more)), strict=True)
    return pd.Series(["\x1f".join(row) for row in values], index=runs.index, dtype="object")


def _series(one: HistorySeries) -> dict[str, Any]:
    levels = [piece.level for piece in one.segments for _ in range(piece.start, piece.stop)]
    return {
        "point": one.label,
        "metric": one.metric.name,
        "label": one.metric.axis,
        "ratio": one.metric.scale is Scale.RATIO,
        "protocol": one.protocol,
        "machine": one.machine,
        "values": [
            {
                "version": value.version, "at": plain(value.at), "value": plain(value.value),
                "level": plain(level), "repeats": value.repeats,
            }
            for value, level in zip(one.values, levels, strict=True)
        ],
        "steps": [
            {
                "version": step.version, "before": plain(step.before), "after": plain(step.after),
                "change": plain(step.change),
            }
            for step in one.steps
        ],
    }  # fmt: skip


def baselines(source: Database) -> list[dict[str, Any]]:
    """All baselines: ``name``, ``version``, ``filters``, ``trials``, ``created_at``; by name."""
    counts = Counter(name for name, _ in baseline_keys(source))
    return [
        row
        | {
            "trials": counts[row["name"]],
            "filters": {name: plain(tuple(value)) for name, value in row["filters"].items()},
        }
        for row in baseline_columns(source)
    ]


VERDICT_COLUMNS = (
    "baseline", "metric", "verdict", "change", "change_low", "change_high", "reason",
    "created_at", "run", "base",
)  # fmt: skip


def verdicts(source: Database, runs: pd.DataFrame) -> pd.DataFrame:
    """Every stored finding, the newest first: :data:`VERDICT_COLUMNS`.

    ``run`` is the row of the run that was judged, ``base`` that of the baseline's run of the same
    grid point, NaN where it isn't among ``runs``.
    """
    points = _points(runs, "kind")
    row_of = {key: row for row, key in enumerate(runs["key"])}
    bases = {
        (name, points.iloc[row_of[key]]): row_of[key]
        for name, key in baseline_keys(source)
        if key in row_of
    }
    found = [
        row
        | {
            "run": row_of[row["key"]],
            "base": bases.get((row["baseline"], points.iloc[row_of[row["key"]]])),
        }
        for row in all_verdicts(source)
        if row["key"] in row_of
    ]
    return pd.DataFrame(found, columns=list(VERDICT_COLUMNS))
