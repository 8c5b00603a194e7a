"""The gate along one clip: its probability, its decisions, and how much really moved."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from vosbench.reports.figures import canvas
from vosbench.reports.figures.gate_data import one_clip
from vosbench.reports.figures.options import FigureKind
from vosbench.reports.labels import remarks
from vosbench.reports.style import INK, PATH_COLOURS, SEQUENCE

_STRIP = (-0.16, 0.09)
"""Bottom and height of the strip of decisions, below the probabilities."""

_HEIGHTS = {"reuse": 0.5}
"""So that what was reused is told from the rest without colours."""

_LINES = (
    ("p_gate", "P_gate", SEQUENCE[0], "-", 2.0),
    ("full_iou", "IoU, last full frame to this one", SEQUENCE[2], "-", 1.3),
    ("adjacent_iou", "IoU, previous frame to this one", SEQUENCE[4], ":", 1.5),
)


def draw(rows: pd.DataFrame) -> Figure:
    """One panel an object; below each, the path that every frame took."""
    several, left_out = canvas.shown(sorted(rows["object"]), canvas.MOST_PANELS, "objects")
    objects = [int(number) for number in several]
    tau = rows["tau"].iloc[0]
    names = [f"object {number + 1}" if len(objects) > 1 else "" for number in objects]
    sheet = canvas.panels(names, columns=1, width=7.2, height=2.5 if len(objects) > 1 else 3.6)
    handles: dict[str, Artist] = {}
    for axes, number in zip(sheet.axes, objects, strict=True):
        _panel(axes, rows[rows["object"] == number].sort_values("frame"), handles)
        if tau is not None:
            line = axes.axhline(float(tau), color=INK, linestyle="--", linewidth=1)
            handles[f"τ = {tau.normalize():f}"] = line
    sheet.label("frame", "probability, IoU")
    first = rows.iloc[0]
    title = f"Gate of {first['curve']} on {first['sequence']}"
    remark = "\n".join(filter(None, [remarks(rows), left_out]))
    canvas.finish(sheet.figure, title, remark, list(handles.values()), list(handles))
    return sheet.figure


def _panel(axes: Axes, rows: pd.DataFrame, handles: dict[str, Artist]) -> None:
    frames = rows["frame"].to_numpy(int)
    every = np.arange(frames.min(), frames.max() + 1)
    for column, label, colour, style, width in _LINES:
        values = rows.set_index("frame")[column].reindex(every)
        (line,) = axes.plot(
            every, values, color=colour, linestyle=style, linewidth=width,
            marker="o" if column == "p_gate" else "", markersize=3,
        )  # fmt: skip
        handles[label] = line
    for path, colour in PATH_COLOURS.items():
        taken = frames[(rows["path"] == path).to_numpy()]
        if len(taken):
            bottom, height = _STRIP
            place = (bottom, height * _HEIGHTS.get(path, 1.0))
            axes.broken_barh([(frame - 0.5, 1.0) for frame in taken], place, color=colour)
            said = f"{path} (half as high)" if path in _HEIGHTS else path
            handles.setdefault(said, Patch(color=colour))
    axes.set_ylim(_STRIP[0] - 0.02, 1.03)
    axes.set_xlim(every[0] - 0.5, every[-1] + 0.5)
    axes.set_yticks(np.arange(0, 1.01, 0.2))


GATE_TIMELINE = FigureKind(
    "gate-timeline",
    "P_gate, decisions and adjacent IoU along a sequence",
    "accuracy trial of a gated model with that τ and sequence",
    "vosbench run --models g-frtm-fast --tau 0.7 --dataset motion",
    one_clip,
    draw,
)
