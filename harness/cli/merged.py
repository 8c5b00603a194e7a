"""One row per setting: its accuracy beside its speed, though these are trials of their own."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

SETTING = (
    "model",
    "dataset",
    "tau",
    "tau2",
    "weights_sha256",
    "manifest_sha256",
    "protocol",
    "precision",
    "seed",
    "switches",
)
"""Trials that agree in these columns are the same setting, measured in different ways."""

_SPEED = ("fps", "ms_per_frame")

Row = Mapping[str, Any]


def merge_kinds(rows: Sequence[Row]) -> list[Row]:
    """Join accuracy and timing trials: medians over timing repeats of one environment.

    Rows keep their order. Where a setting was timed in several environments, each has a row of
    its own, since such times are not averaged.
    """
    merged: list[Row] = []
    for members in _grouped(rows, *SETTING):
        accuracy = [row for row in members if row["kind"] == "accuracy"]
        timing = [row for row in members if row["kind"] == "timing"]
        if not accuracy or not timing:
            merged += members
            continue
        merged += [_both(accuracy[0], timed) for timed in _grouped(timing, "environment_key")]
    return merged


def _grouped(rows: Sequence[Row], *names: str) -> list[list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[repr([row[name] for name in names])].append(row)
    return list(groups.values())


def _both(accuracy: Row, timing: Sequence[Row]) -> Row:
    speed = {name: _median([row[name] for row in timing]) for name in _SPEED}
    states = [row["state"] for row in (accuracy, *timing)]
    return {
        **accuracy,
        **speed,
        "device": timing[0]["device"],
        "kind": "both",
        "state": next((state for state in states if state != "complete"), "complete"),
    }


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan
