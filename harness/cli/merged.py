"""One row per setting: its accuracy beside its speed, though these are trials of their own."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from vosbench.harness.setting import SETTING, values

_SPEED = ("fps", "ms_per_frame")

Row = Mapping[str, Any]


def merge_kinds(rows: Sequence[Row]) -> list[Row]:
    """Join accuracy and timing trials: medians over timing repeats of one environment.

    Rows keep their order; ``repeats`` counts the timings behind one, ``fps_low`` and ``fps_high``
    are the slowest and the fastest, ``busy`` says whether any was disturbed. Where a setting was
    timed in several environments, each has a row of its own, since such times are not averaged.
    """
    merged: list[Row] = []
    for members in _grouped(rows, SETTING):
        accuracy = [row for row in members if row["kind"] == "accuracy"]
        timing = [row for row in members if row["kind"] == "timing"]
        timed = [_timed(repeats) for repeats in _grouped(timing, ("environment_key",))]
        if accuracy and timed:
            merged += [_both(accuracy[0], one) for one in timed]
        else:
            merged += [*accuracy, *timed]
    return merged


def _grouped(rows: Sequence[Row], names: tuple[str, ...]) -> list[list[Row]]:
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[values(row, names)].append(row)
    return list(groups.values())


def _timed(repeats: Sequence[Row]) -> Row:
    """The repeats of one setting in one environment as one row."""
    known = [row["fps"] for row in repeats if not math.isnan(row["fps"])]
    return {
        **repeats[0],
        **{name: _median([row[name] for row in repeats]) for name in _SPEED},
        **_latencies(repeats),
        "fps_low": min(known, default=math.nan),
        "fps_high": max(known, default=math.nan),
        "repeats": len(known),
        "busy": any(row.get("busy", False) for row in repeats),
        "state": _state([row["state"] for row in repeats]),
    }


def _both(accuracy: Row, timed: Row) -> Row:
    of_time = ["device", "environment_key", "repeats", "busy", "fps_low", "fps_high", *_SPEED]
    of_time += [name for name in timed if _of_stream(name)]
    return {
        **accuracy,
        **{name: timed[name] for name in of_time},
        "kind": "both",
        "state": _state([accuracy["state"], timed["state"]]),
    }


def _latencies(repeats: Sequence[Row]) -> Row:
    """Medians over the repeats that were streamed; unknown where they were so at several rates."""
    names = [name for name in repeats[0] if _of_stream(name)]
    rates = [
        row["stream_fps"] for row in repeats if not math.isnan(row.get("stream_fps", math.nan))
    ]
    if len(set(rates)) != 1:
        return dict.fromkeys(names, math.nan)
    return {name: _median([row[name] for row in repeats]) for name in names}


def _of_stream(name: str) -> bool:
    return name == "stream_fps" or name.startswith("latency_")


def _state(states: Sequence[str]) -> str:
    return next((state for state in states if state != "complete"), "complete")


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan
