"""Which trial a command means: by its id, the start of its key, or model and τ."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from vosbench.baselines.errors import InputError, suggestion
from vosbench.harness.store import Selection, results
from vosbench.harness.trials import Kind

_SHOWN = 4
_HOW = "give the id that `vosbench results --each` shows"


def find_trial(
    db: str,
    name: str,
    *,
    tau: Decimal | None = None,
    sequence: str | None = None,
    where: Selection = Selection(),  # noqa: B008 - immutable
) -> dict[str, Any]:
    """The complete trial of that name: a row of :func:`vosbench.harness.store.results`.

    Args:
        db: the database.
        name: a trial's id, the start of its key, or a model's full name.
        tau: of which threshold; None for any.
        sequence: a model's name means a trial on this clip; None for any.
        where: only among these.

    Raises:
        InputError: none, several or an unfinished one is meant; the message says which there are.
    """
    rows = [
        {str(column): value for column, value in row.items()}
        for row in results(db, where).to_dict("records")
        if tau is None or row["tau"] == tau
    ]
    found = _exact(rows, name) or _of_model(rows, name, sequence)
    if len(found) != 1:
        raise InputError(_unclear(rows, found, name, tau))
    (row,) = found
    if row["state"] != "complete":
        raise InputError(f"trial {name} is {row['state']}: finish the run first")
    # NaN and pandas' NA are not equal to themselves, or not a number at all.
    row["max_frames"] = int(row["max_frames"]) if _known(row["max_frames"]) else None
    return row


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and value == value  # noqa: PLR0124 - NaN


def _exact(rows: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    by_id = [row for row in rows if str(row["trial_id"]) == name]
    return by_id or [row for row in rows if name and (row["key"] or "").startswith(name)]


def _of_model(
    rows: Sequence[dict[str, Any]], name: str, sequence: str | None
) -> list[dict[str, Any]]:
    """Accuracy trials of a model; timing trials keep no predictions."""
    return [
        row
        for row in rows
        if row["model"] == name
        and row["kind"] == Kind.ACCURACY.value
        and (sequence is None or sequence in row["sequences"])
    ]


def _unclear(
    rows: Sequence[dict[str, Any]],
    found: Sequence[dict[str, Any]],
    name: str,
    tau: Decimal | None,
) -> str:
    at = "" if tau is None else f" at τ = {tau}"
    if not found:
        models = {str(row["model"]) for row in rows}
        near = suggestion(name, models) if models and name not in models else ""
        return f"0 trials match '{name}'{at}{near}: {_HOW}"
    listed = [
        f"{row['trial_id']} ({row['dataset']}, {row['kind']}"
        + ("" if row["tau"] is None else f", τ = {row['tau']}")
        + ")"
        for row in found[:_SHOWN]
    ]
    more = ", …" if len(found) > _SHOWN else ""
    return f"{len(found)} trials match '{name}'{at}: {', '.join(listed)}{more}; {_HOW}"
