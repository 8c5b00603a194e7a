"""Frames of one clip with what the network saw: masks, S and Ŝ, Δ, R8 and R̂8, decisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.sweep.trials import Kind
from vosbench.reports.choices import choose
from vosbench.reports.figures import canvas
from vosbench.reports.figures.gate_data import decisions
from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.frames import trials
from vosbench.reports.labels import remarks
from vosbench.reports.overlay import object_palette, overlay
from vosbench.reports.style import INK, PATH_COLOURS

_PICTURES = ("image", "labels", "truth")
_MAPS = ("score", "delta", "r8")
_MOST_ROWS = 12
_ARRAYS = (*_PICTURES, *_MAPS)
_SUMMARIES = ("score_max", "delta_abs_mean", "r8_mean")


def traced(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """One row per traced frame and object: path, p_gate and the arrays that are shown.

    Columns of :func:`~.gate_data.decisions`, summaries of the maps, and, as arrays, ``image``
    (h, w, 3), ``labels`` and ``truth`` (h, w), ``score``, ``delta`` and ``r8`` (h16, w16; all
    NaN where a frame has none).

    Raises:
        InputError: the clip that was asked for was not traced.
    """
    found = trials(source, where, Kind.ACCURACY)
    if options.tau is not None:
        found = found[found["tau"].map(lambda tau: tau == options.tau).astype(bool)]
    frames = (
        series(source, "trace_frames", Selection(keys=list(found["key"]))) if len(found) else {}
    )
    if not frames:
        return pd.DataFrame(columns=["frame", *_ARRAYS])
    key, clip = next(iter(frames))
    if options.sequence is not None:
        clips = {clip: (key, clip) for key, clip in reversed(list(frames))}
        key, clip = choose("traced clip", options.sequence, clips)
    rows = decisions(source, found[found["key"] == key], clip)
    arrays = {
        name: series(source, f"trace_{name}", Selection(keys=[key]), sequences=[clip])[key, clip]
        for name in _ARRAYS
    }
    places = {int(frame): index for index, frame in enumerate(frames[key, clip])}
    rows = rows[rows["frame"].isin(places)].sort_values(["frame", "object"])
    at = [places[frame] for frame in rows["frame"]]
    for name in _PICTURES:
        rows[name] = _cells([arrays[name][index] for index in at])
    for name in _MAPS:
        pairs = zip(at, rows["object"], strict=True)
        rows[name] = _cells([arrays[name][index, number].astype(float) for index, number in pairs])
    rows["score_max"] = [_known(score, np.max) for score in rows["score"]]
    rows["delta_abs_mean"] = [_known(np.abs(delta), np.mean) for delta in rows["delta"]]
    rows["r8_mean"] = [_known(r8, np.mean) for r8 in rows["r8"]]
    return rows.reset_index(drop=True)


def draw(rows: pd.DataFrame) -> Figure:
    """One row of pictures per frame and object."""
    shown = rows.head(_MOST_ROWS)
    titles = ("annotation", "result", "S or Ŝ", "Δ", "R8 or R̂8")
    figure, grid = _grid(shown, len(titles))
    limits = [_limit(shown[name]) for name in _MAPS]
    for (_, row), axes in zip(shown.iterrows(), grid, strict=True):
        for picture, labels in zip(axes[:2], (row["truth"], row["labels"]), strict=True):
            picture.imshow(overlay(row["image"], labels, palette=object_palette()))
        _show_map(axes[2], row["score"], "viridis", (-limits[0][1], limits[0][1]))
        _show_map(axes[3], row["delta"], "PuOr", (-limits[1][1], limits[1][1]))
        _show_map(axes[4], row["r8"], "magma", limits[2])
        _frame_label(axes[0], row, several=shown["object"].nunique() > 1)
        _border(axes[1], PATH_COLOURS[row["path"]])
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title)
    first = rows.iloc[0]
    tau = "" if first["tau"] is None else f", τ = {first['tau'].normalize():f}"
    remark = [remarks(rows)]
    if len(rows) > len(shown):
        remark.append(f"the first {len(shown)} of {len(rows)} frames and objects")
    title = f"{first['curve']} on {first['sequence']}{tau}"
    canvas.finish(figure, title, "\n".join(filter(None, remark)))
    return figure


def _grid(shown: pd.DataFrame, columns: int) -> tuple[Figure, NDArray[np.object_]]:
    height, width = shown["image"].iloc[0].shape[:2]
    cell_in = 1.75
    size = (
        cell_in * columns + 0.9,
        (cell_in * height / width + 0.08) * len(shown) + 1.0,
    )
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(shown), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    return figure, grid


def _frame_label(axes: Axes, row: pd.Series, *, several: bool) -> None:
    lines = [f"t = {row['frame']}", f"object {row['object'] + 1}" if several else ""]
    lines.append("given" if row["path"] == "init" else str(row["path"]))
    if not np.isnan(row["p_gate"]):
        lines.append(f"P = {row['p_gate']:.2f}")
    axes.set_ylabel(
        "\n".join(filter(None, lines)), rotation=0, ha="right", va="center", fontsize=8.5
    )


def _border(axes: Axes, colour: str) -> None:
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5, visible=True)


def _show_map(
    axes: Axes, values: NDArray[np.float64], colours: str, limits: tuple[float, float]
) -> None:
    if np.isnan(values).all():
        axes.set_facecolor("#eeeeee")
        axes.text(
            0.5, 0.5, "none", ha="center", va="center", fontsize=8.5, color=INK,
            transform=axes.transAxes,
        )  # fmt: skip
        axes.set_box_aspect(values.shape[0] / values.shape[1])
        return
    axes.imshow(values, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")


def _limit(arrays: pd.Series) -> tuple[float, float]:
    """(0, the largest magnitude) over all frames, so that colours mean the same in each."""
    largest = [float(np.nanmax(np.abs(a))) for a in arrays if not np.isnan(a).all()]
    return 0.0, max(largest, default=1.0) or 1.0


def _cells(arrays: list[NDArray[np.generic]]) -> NDArray[np.object_]:
    """Arrays as the cells of one column."""
    column = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        column[index] = array
    return column


def _known(values: NDArray[np.float64], statistic: object) -> float:
    known = values[np.isfinite(values)]
    return float(statistic(known)) if len(known) and callable(statistic) else float("nan")
