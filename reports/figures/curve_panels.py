"""Curves over τ drawn: a panel for each set of sequences, a line for each model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vosbench.harness.metric import SHARE, Metric, metric
from vosbench.reports.figures import canvas
from vosbench.reports.figures.points import METRIC, VALUE
from vosbench.reports.figures.published_points import OTHERS, is_printed
from vosbench.reports.figures.seeds import NOTE as SEEDS_NOTE
from vosbench.reports.frames import UNTRAINED
from vosbench.reports.intervals import NOTE as INTERVAL_NOTE
from vosbench.reports.labels import remarks
from vosbench.reports.looks import Look, look_of
from vosbench.reports.names import parse_model
from vosbench.reports.style import sheet

ACCURACY_LABEL = metric("jf_mean").axis
REUSE_LABEL = "reuse rate (%)"
FPS_LABEL = "frames per second"

MOST_CURVES = 12
"""More than that in a panel and nobody follows one: each network gets a panel of its own then."""

_BEHIND = "#d0d0d0"
_RANGES = {"reuse_rate": ("reuse_low", "reuse_high"), "fps": ("fps_low", "fps_high")}


@dataclass(frozen=True)
class Curves:
    """How a frame of points is drawn: the column along x, and its label."""

    title: str
    x: str
    x_label: str


@dataclass(frozen=True)
class _Panel:
    """What one panel shows, and what stands in grey behind it."""

    name: str
    rows: pd.DataFrame
    behind: pd.DataFrame


def draw(points: pd.DataFrame, how: Curves) -> Figure:
    """One panel per set of sequences, one line per curve, τ at the points.

    Where a set has more than :data:`MOST_CURVES` curves, a panel for each of its networks, with
    the others in grey behind.
    """
    every = list(_panels(points))
    names, left_out = canvas.shown([p.name for p in every], canvas.MOST_PANELS, "panels")
    chosen = [panel for panel in every if panel.name in names]
    points = pd.concat([panel.rows for panel in chosen])
    figure = canvas.panels(names)
    handles: dict[str, Artist] = {}
    labels: list[canvas.PointLabel] = []
    for axes, panel in zip(figure.axes, chosen, strict=True):
        for _, rows in panel.behind.groupby("curve", sort=False):
            axes.plot(
                rows[how.x],
                rows[_y(rows)],
                color=_BEHIND,
                linewidth=0.8 if rows["policy"].iloc[0] else 0,
                marker=".",
                markersize=2,
                zorder=1,
            )
        labels += _curves(axes, panel.rows, how, handles)
        _dress(axes, pd.concat([panel.rows, panel.behind]), how)
    along_y = _metric(points)
    figure.label(how.x_label, along_y.axis)
    remark = "\n".join(filter(None, [*_notes(points, labels), left_out]))
    title = how.title.replace(metric("jf_mean").label, along_y.label)
    canvas.finish(figure.figure, title, remark, list(handles.values()), list(handles))
    canvas.place_labels(figure.figure, _spread(labels))
    return figure.figure


def _panels(points: pd.DataFrame) -> Iterator[_Panel]:
    for name, rows in points.groupby("panel", sort=False):
        networks = rows["model"].map(lambda model: parse_model(model).base)
        if rows["curve"].nunique() <= MOST_CURVES or networks.nunique() == 1:
            yield _Panel(str(name), rows, rows[:0])
            continue
        for network in dict.fromkeys(networks):
            own = networks == network
            yield _Panel(f"{name}: {network or OTHERS}", rows[own], rows[~own])


def _curves(
    axes: Axes, panel: pd.DataFrame, how: Curves, handles: dict[str, Artist]
) -> list[canvas.PointLabel]:
    """Draw each curve of a panel; the labels of its points."""
    labels = []
    for curve, rows in panel.groupby("curve", sort=False):
        look = look_of(rows.iloc[0])
        handles[str(curve)] = _line(axes, rows, how.x, look)
        if METRIC in rows:
            pass  # intervals are those of J&F
        elif "seeds" in rows and (rows["seeds"] > 1).any():
            _seed_bars(axes, rows[rows["seeds"] > 1], how.x, look)
        elif not is_printed(rows).any():
            _bars(axes, rows, how.x, look)
        labels += [
            canvas.PointLabel(axes, row[how.x], row[_y(rows)], row["point"], look.colour)
            for _, row in rows.iterrows()
        ]
    return labels


def _notes(points: pd.DataFrame, labels: Sequence[canvas.PointLabel]) -> Iterator[str]:
    """What has to be said of the points, one line each."""
    printed = is_printed(points)
    yield remarks(points[~printed])
    yield from dict.fromkeys(points[printed]["weights_note"])
    if "seeds" in points and (points["seeds"] > 1).any():
        yield SEEDS_NOTE
    if METRIC not in points and points["jf_low"].notna().any():
        yield INTERVAL_NOTE
    if (points["fps_high"] > points["fps_low"]).any():
        yield "bars along the speed: slowest and fastest repeat"
    if 0 < sum(bool(label.text) for label in labels) <= canvas.MOST_LABELS:
        random = points["tau"].isna() & (points["point"] != "") & (points["curve"] != OTHERS)
        yield "numbers at points: τ" + (
            " (of controls their rate or number)" if random.any() else ""
        )


def _metric(points: pd.DataFrame) -> Metric:
    """What the points show along y."""
    return metric(str(points[METRIC].iloc[0]) if METRIC in points else "jf_mean")


def _y(points: pd.DataFrame) -> str:
    return VALUE if METRIC in points else "jf_mean"


def _line(axes: Axes, rows: pd.DataFrame, x: str, look: Look) -> Line2D:
    untrained = rows["weights_note"].iloc[0] == UNTRAINED
    printed = is_printed(rows).any()
    joined = len(rows) > 1 and bool(rows["policy"].iloc[0])
    usual = 4.5 if sheet().paper else 6.5
    (line,) = axes.plot(
        rows[x],
        rows[_y(rows)],
        color=look.colour,
        marker=look.marker,
        linestyle=look.line if joined else "none",
        markerfacecolor="white" if untrained else look.colour,
        markeredgecolor=look.colour if untrained else "white",
        markeredgewidth=1.2 if untrained else 0.5,
        markersize=usual * (1.8 if look.marker == "*" else 1.0),
        alpha=0.45 if printed else 1.0,
        zorder=2 if printed else 3,
    )
    return line


def _bars(axes: Axes, rows: pd.DataFrame, x: str, look: Look) -> None:
    """Intervals of J&F over sequences, and of x over sequences or repeats."""
    spans = {"jf_mean": ("jf_low", "jf_high"), x: _RANGES[x]}
    lengths = {
        name: np.stack([rows[name] - rows[low], rows[high] - rows[name]]).astype(float).clip(0)
        for name, (low, high) in spans.items()
    }
    if not np.isfinite(list(lengths.values())).any():
        return
    axes.errorbar(
        rows[x], rows["jf_mean"], yerr=lengths["jf_mean"], xerr=lengths[x], fmt="none",
        ecolor=look.colour, elinewidth=0.6, alpha=0.35, zorder=1.5,
    )  # fmt: skip


def _seed_bars(axes: Axes, rows: pd.DataFrame, x: str, look: Look) -> None:
    """How far the seeds of each point lie apart."""
    axes.errorbar(
        rows[x], rows["jf_mean"], yerr=rows["jf_std"], xerr=rows["reuse_std"], fmt="none",
        ecolor=look.colour, elinewidth=0.9, capsize=2, alpha=0.7, zorder=2,
    )  # fmt: skip


def _dress(axes: Axes, panel: pd.DataFrame, how: Curves) -> None:
    y, share = _y(panel), _metric(panel).unit == SHARE
    canvas.percent_axis(axes, x=how.x == "reuse_rate", y=share)
    if how.x == "reuse_rate":
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks(np.arange(0, 1.01, 0.2))
    else:
        canvas.maybe_log(axes, panel[how.x].to_numpy(float), "x")
        axes.margins(x=0.1)
    ours = y == "jf_mean"
    spread = panel["jf_std"].fillna(0.0) if ours and "jf_std" in panel else 0.0
    lows, highs = [(panel[y] - spread).min()], [(panel[y] + spread).max()]
    if ours:
        lows, highs = [*lows, panel["jf_low"].min()], [*highs, panel["jf_high"].max()]
    low, high = float(np.nanmin(lows)), float(np.nanmax(highs))
    # Room for the labels; and differences of a tenth of a point must not look like cliffs.
    pad = max(0.06 * (high - low), 0.006 if share else 1e-3 * abs(high))
    axes.set_ylim(low - pad, high + pad)


def _spread(labels: list[canvas.PointLabel]) -> list[canvas.PointLabel]:
    """The ends of curves first: when labels don't all fit, those are the ones to keep."""
    tried = {"1": 0, "0.1": 0, "0.5": 1, "0.7": 1}
    return sorted(labels, key=lambda label: tried.get(label.text, 2))
