"""Trainings on the site: what was trained from what, and how it went."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vosbench.harness.store import (
    CurveValue,
    Database,
    Readable,
    Storage,
    TrainingRecord,
    Trainings,
    open_database,
)
from vosbench.reports.site.script import write_script

VALIDATION = "validation/"
"""How the names of series on held-out clips begin."""


def write_trainings(source: Readable, folder: Path) -> list[dict[str, Any]]:
    """Write the curve of each training as ``data/trainings/N.js``; the trainings, oldest first.

    Args:
        source: a file, a URL, or an open database.
        folder: of the site.
    """
    if isinstance(source, Storage):
        return _write(source.database, folder)
    if isinstance(source, Database):
        return _write(source, folder)
    with open_database(source, read_only=True) as database:
        return _write(database, folder)


def _write(database: Database, folder: Path) -> list[dict[str, Any]]:
    trainings = Trainings(database)
    records = trainings.all()
    for number, record in enumerate(records):
        write_script(folder, f"data/trainings/{number}", _curves(trainings.curve(record.key)))
    return [_row(record) for record in records]


def _row(record: TrainingRecord) -> dict[str, Any]:
    spec, notes = record.spec, record.notes
    return {
        "key": record.key,
        "model": spec.model,
        "gate": spec.gate,
        "seed": spec.seed,
        "state": record.state_word,
        "steps": notes.steps,
        "steps_done": record.steps_done,
        "minutes": record.elapsed_s / 60,
        "device": notes.device,
        "threads": notes.threads,
        "version": record.version,
        "data": notes.data,
        "data_sha256": spec.data_sha256,
        "start": notes.start,
        "start_sha256": spec.start_sha256,
        "checkpoint_sha256": record.checkpoint_sha256,
        "started_at": record.started_at,
        "ended_at": record.ended_at,
        "error": record.error,
        "traceback": record.traceback,
        "recipe": json.loads(spec.recipe),
    }


def _curves(values: Sequence[CurveValue]) -> Mapping[str, Any]:
    """``losses`` and ``validation``: steps, and the values of each series at them."""
    shown = [value for value in values if value.name.startswith(VALIDATION)]
    losses = [value for value in values if not value.name.startswith(VALIDATION)]
    return {"losses": _table(losses), "validation": _table(shown)}


def _table(values: Sequence[CurveValue]) -> Mapping[str, Any]:
    steps = sorted({value.step for value in values})
    place = {step: at for at, step in enumerate(steps)}
    series: dict[str, list[float | None]] = {}
    for value in values:
        name = value.name.removeprefix(VALIDATION)
        column = series.setdefault(name, [None] * len(steps))
        column[place[value.step]] = value.value if math.isfinite(value.value) else None
    return {"steps": steps, "series": series}
