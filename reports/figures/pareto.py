"""Accuracy against speed and energy, with the fronts that nothing beats."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection
from vosbench.reports.figures import canvas
from vosbench.reports.figures.curve_panels import ACCURACY_LABEL, FPS_LABEL
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.figures.points import everything, timed_points
from vosbench.reports.frames import UNTRAINED
from vosbench.reports.labels import remarks
from vosbench.reports.looks import Look, look_of
from vosbench.reports.style import DIM, sheet

_COSTS = (
    ("fps", "on_speed_front", FPS_LABEL),
    ("energy_net_j_per_frame", "on_energy_front", "net joules per frame"),
)
_MORE_IS_BETTER = "fps"


def runs(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every timed setting, and whether another of the same machine is better at no more cost:
    the columns of curves, with ``on_speed_front`` and ``on_energy_front``."""
    points = timed_points(source, where, options, everything)
    for cost, front, _ in _COSTS:
        points[front] = False
        for _, rows in points.groupby(["panel", "environment_key"], dropna=False):
            spent = rows[cost].to_numpy(float) * (-1 if cost == _MORE_IS_BETTER else 1)
            points.loc[rows.index, front] = pareto_front(spent, rows["jf_mean"].to_numpy(float))
    return points


def pareto_front(cost: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Bool (N,): points that no other beats at no more cost; False where the cost is unknown."""
    front = np.zeros(len(cost), dtype=bool)
    best = -np.inf
    for index in np.lexsort((-accuracy, cost)):
        if np.isfinite(cost[index]) and accuracy[index] > best:
            front[index] = True
            best = accuracy[index]
    return front


def draw(points: pd.DataFrame) -> Figure:
    """A row of panels per set of sequences and machine: FPS, and energy where it was measured."""
    costs = [cost for cost in _COSTS if points[cost[0]].notna().any()]
    names, left_out = canvas.shown(points["panel"], canvas.MOST_PANELS // 2, "sets of sequences")
    points = points[points["panel"].isin(names)]
    titles = [name for name in names for _ in costs]
    sheet = canvas.panels(titles, columns=len(costs), width=4.8, height=3.7)
    handles: dict[str, Artist] = {}
    labels: list[canvas.PointLabel] = []
    for index, axes in enumerate(sheet.axes):
        panel = points[points["panel"] == names[index // len(costs)]]
        cost, front, cost_label = costs[index % len(costs)]
        labels += _panel(axes, panel[panel[cost].notna()], cost, front, handles)
        axes.set_xlabel(cost_label)
        axes.set_ylabel(ACCURACY_LABEL if index % len(costs) == 0 else "")
    remark = [
        remarks(points),
        left_out,
        "grey line: the front that no run of the same machine beats",
    ]
    if len(costs) == 1:
        remark.append("energy isn't known for any of these runs")
    lines = "\n".join(filter(None, remark))
    title = "Accuracy against speed" + (" and energy" if len(costs) > 1 else "")
    canvas.finish(sheet.figure, title, lines, list(handles.values()), list(handles))
    canvas.place_labels(sheet.figure, labels)
    return sheet.figure


def _size(look: Look) -> float:
    """Area of a marker, in square points."""
    usual = 18.0 if sheet().paper else 42.0
    return usual * (2.6 if look.marker == "*" else 1.0)


def _panel(
    axes: Axes, rows: pd.DataFrame, cost: str, front: str, handles: dict[str, Artist]
) -> list[canvas.PointLabel]:
    labels = []
    for _, best in rows[rows[front]].groupby("environment_key", dropna=False):
        ordered = best.sort_values(cost)
        axes.plot(ordered[cost], ordered["jf_mean"], color=DIM, alpha=0.6, linewidth=1.2, zorder=1)
    for curve, points in rows.groupby("curve", sort=False):
        look = look_of(points.iloc[0])
        untrained = points["weights_note"].iloc[0] == UNTRAINED
        handles[str(curve)] = axes.scatter(
            points[cost],
            points["jf_mean"],
            s=_size(look),
            marker=look.marker,
            facecolors="white" if untrained else look.colour,
            edgecolors=look.colour,
            linewidths=1.0 if sheet().paper else 1.4,
            zorder=3,
        )
        labels += [
            canvas.PointLabel(
                axes, row[cost], row["jf_mean"], row["point"] if row[front] else "", look.colour
            )
            for _, row in points.iterrows()
        ]
    canvas.maybe_log(axes, rows[cost].to_numpy(float), "x")
    canvas.percent_axis(axes, y=True)
    axes.margins(x=0.1, y=0.14)
    return labels


PARETO = FigureKind(
    "pareto",
    "accuracy against speed and energy, with the fronts",
    "accuracy and timing of the same setting",
    "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.3 --dataset motion",
    runs,
    draw,
)
