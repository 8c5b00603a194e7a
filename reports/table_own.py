"""Measured rows for models that the paper doesn't have, under its own tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from vosbench.baselines.errors import InputError, suggestion
from vosbench.reports.published import QUANTITIES, methods, published_table
from vosbench.reports.table_rows import COLUMNS, is_dataset, read, run_columns

HERE = "measured here"


def own_rows(number: int, found: pd.DataFrame, wanted: Mapping[str, str]) -> pd.DataFrame:
    """Rows of :data:`~.compare.COLUMNS` for runs of other models, one line per curve and τ.

    Args:
        number: of the table.
        found: of :func:`vosbench.reports.frames.measured`.
        wanted: models or curves, and what they are called; in that order. Empty for all that
            stand for none of the paper's methods.

    Raises:
        InputError: a wanted model was not measured.
    """
    printed = published_table(number)
    columns = dict.fromkeys(value.column for value in printed)
    rows: list[dict[str, Any]] = []
    line = max(value.row for value in printed) + 1
    for label, runs in _lines(found, wanted):
        by_quantity = [(QUANTITIES[name], list(_runs(name, runs))) for name in columns]
        if not any(matches for _, matches in by_quantity):
            continue
        for quantity, matches in by_quantity:
            row = {
                "table": number, "row": line, "method": f"{label} ({HERE})",
                "tau": runs["tau"].iloc[0], "quantity": quantity.label, "unit": quantity.unit,
                "published": None, "also_published": "",
            }  # fmt: skip
            for run, result in matches:
                rows.append(row | run_columns(run, result) | {"difference": float("nan")})
            if not matches:
                rows.append(row | {"comparable": False, "remark": ""})
        line += 1
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _lines(found: pd.DataFrame, wanted: Mapping[str, str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Label and runs of each line: of one curve and τ."""
    if not wanted:
        theirs = {model for model, _ in methods().values()}
        others = found[~found["model"].isin(theirs)]
        for (curve, _), runs in others.groupby(["curve", "tau"], sort=False, dropna=False):
            yield str(curve), runs
        return
    for label, of_model in chosen_rows(found, wanted):
        for _, runs in of_model.groupby(["curve", "tau"], sort=False, dropna=False):
            yield label, runs


def chosen_rows(
    found: pd.DataFrame, wanted: Mapping[str, str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Each wanted model's label and runs; InputError for one without."""
    for name, label in wanted.items():
        runs = found[(found["model"] == name) | (found["curve"] == name)]
        if runs.empty:
            near = suggestion(name, set(map(str, found["model"])))
            raise InputError(f"--rows: nothing was measured of '{name}'{near}")
        yield label or name, runs


def _runs(column: str, runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], Any]]:
    quantity = QUANTITIES[column]
    seen: set[str] = set()
    for run in runs.to_dict("records"):
        if not is_dataset(run["dataset"], quantity.dataset):
            continue
        if quantity.metric != "fps" and run["setting"] in seen:
            continue
        seen.add(run["setting"])
        result = read(run, quantity.metric, quantity.factor)
        if result is not None:
            yield {str(name): value for name, value in run.items()}, result
