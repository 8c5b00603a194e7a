"""Trainings on the site: what was trained from what, and how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vosbench.harness.store import SPEED, VALIDATION, CurveValue, Readable, Trainings, opened
from vosbench.reports.site.script import write_script


def write_trainings(source: Readable, folder: Path) -> list[dict[str, Any]]:
    """Write the curve of each training as ``data/trainings/N.js``; the trainings, oldest first.

    Args:
        source: a file, a URL, or an open database.
        folder: of the site.
    """
    with opened(source) as database:
        trainings = Trainings(database)
        records = trainings.all()
        for number, record in enumerate(records):
            write_script(folder, f"data/trainings/{number}", _curves(trainings.curve(record.key)))
    return [
        record.plain() | {"gate": record.spec.gate, "minutes": record.elapsed_s / 60}
        for record in records
    ]


def _curves(values: Sequence[CurveValue]) -> Mapping[str, Any]:
    """``losses`` and ``validation``: steps, and the values of each series at them."""
    shown = [value for value in values if value.name.startswith(VALIDATION)]
    losses = [value for value in values if not value.name.startswith((VALIDATION, SPEED))]
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
