"""The points of curves over τ: one row a run, with what places, names and marks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from vosbench.harness.metric import metric
from vosbench.harness.store import Readable, Selection
from vosbench.harness.trials import Kind
from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.frames import measured, trials
from vosbench.reports.intervals import with_intervals
from vosbench.reports.labels import machine_names
from vosbench.reports.names import parse_model

COLUMNS = (
    "panel",
    "curve",
    "model",
    "policy",
    "point",
    "tau",
    "tau2",
    "margins",
    "colour",
    "marker",
    "dash",
    "reuse_rate",
    "reuse_low",
    "reuse_high",
    "jf_mean",
    "jf_low",
    "jf_high",
    "fps",
    "fps_low",
    "fps_high",
    "ms_per_frame",
    "energy_net_j_per_frame",
    "repeats",
    "threads",
    "busy",
    "device",
    "environment_key",
    "weights",
    "trained",
    "weights_note",
    "weights_sha256",
    "precision",
    "input_size",
    "seed",
    "switches",
    "runner_version",
    "protocol",
    "key",
)
"""The columns of every figure of curves; J&F and reuse are fractions 0..1."""

METRIC, VALUE = "metric", "value"
"""Further columns where another metric than J&F is asked for: its name, and what it is."""

Wanted = Callable[[pd.DataFrame], "pd.Series[bool]"]


def accuracy_points(
    source: Readable, where: Selection, options: FigureOptions, wanted: Wanted
) -> pd.DataFrame:
    """Points of accuracy trials; timing columns are NaN. ``wanted`` chooses among them."""
    found = trials(source, where, Kind.ACCURACY)
    chosen = with_intervals(source, found[wanted(found)])
    return as_points(chosen, options, by_machine=False)


def timed_points(
    source: Readable, where: Selection, options: FigureOptions, wanted: Wanted
) -> pd.DataFrame:
    """Points that have an accuracy and an FPS, one per machine; ``wanted`` chooses among them."""
    found = measured(source, where)
    found = found[found["fps"].notna() & _along_y(found, options).notna()]
    chosen = with_intervals(source, found[wanted(found)])
    return as_points(chosen, options, by_machine=True)


def everything(found: pd.DataFrame) -> pd.Series[bool]:
    """All rows."""
    return pd.Series(True, index=found.index)


def _accuracy(found: pd.DataFrame) -> pd.Series[float]:
    """J&F; where a benchmark has none, its own overall score G (YouTube-VOS)."""
    if "g_all" not in found:
        return found["jf_mean"]
    return found["jf_mean"].fillna(found["g_all"])


def _along_y(found: pd.DataFrame, options: FigureOptions) -> pd.Series[float]:
    """What the points show along y; NaN where a trial's protocol lacks it."""
    if options.metric is None:
        return _accuracy(found)
    name = metric(options.metric).name
    return found[name] if name in found else pd.Series(np.nan, found.index)


def as_points(found: pd.DataFrame, options: FigureOptions, *, by_machine: bool) -> pd.DataFrame:
    """Rows of :func:`~vosbench.reports.frames.measured` or ``trials`` as :data:`COLUMNS`."""
    points = found.copy()
    points["jf_mean"] = _accuracy(points)
    points[METRIC], points[VALUE] = options.metric, _along_y(points, options)
    if options.published_counting and "reuse_rate_published" in points:
        points["reuse_rate"] = points["reuse_rate_published"]
        points[["reuse_low", "reuse_high"]] = np.nan  # they are of our counting
    # A network without a gate computes every frame.
    ungated = points["policy"].map(lambda policy: not policy)
    points["reuse_rate"] = points["reuse_rate"].mask(ungated & points["reuse_rate"].isna(), 0.0)
    points = points[points[VALUE].notna()]
    points["panel"] = points["evaluation"]
    points["point"] = [
        point_name(model, tau) for model, tau in zip(points["model"], points["tau"], strict=True)
    ]
    if by_machine and points["environment_key"].nunique() > 1:
        # Speeds of two machines don't compare, so they don't share a panel.
        points["panel"] = points["panel"] + ", " + pd.Series(machine_names(points), points.index)
    if not by_machine:
        # Accuracy doesn't depend on the machine, so plots of it say nothing of machines.
        points[["device", "environment_key"]] = None
    points = points.reindex(columns=[*COLUMNS, METRIC, VALUE])
    order = points.assign(_value=[_value(text) for text in points["point"]])
    order["_panel"] = _first_seen(order["panel"])
    order["_curve"] = _first_seen(order["curve"])
    order = order.sort_values(["_panel", "_curve", "_value"], ascending=[True, True, False])
    shown = (*COLUMNS, *(() if options.metric is None else (METRIC, VALUE)))
    return order[list(shown)].reset_index(drop=True)


def point_name(model: str, tau: Any) -> str:
    """What is written at a point: τ, a control's rate or number, or "" for neither."""
    if tau is not None:
        return f"{tau.normalize():f}"
    return parse_model(model).point


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _first_seen(column: pd.Series[str]) -> pd.Series[int]:
    places = {name: index for index, name in enumerate(dict.fromkeys(column))}
    return column.map(places)
