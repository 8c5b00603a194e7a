"""What each path costs: milliseconds and FLOPs of a frame, stacked by stage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.store.catalog import series_names
from vosbench.harness.trials import PATH_CODES, Kind
from vosbench.reports.figures import canvas
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.frames import measured, trials
from vosbench.reports.labels import curve_names, machine_names, remarks
from vosbench.reports.style import INK, SMALLEST_PT, STAGE_COLOURS, sheet

STAGES = (
    "f8",
    "f16+f32",
    "matching",
    "gate",
    "delta",
    "target classify",
    "target update",
    "target initialise",
    "translator",
    "refiner deep",
    "refiner shallow",
    "upsample",
    "aggregate",
)
"""In the order of a breakdown (harness.measure's ``Stage``); others come after, by name."""

_PATHS = ("init", "full", "reuse", "copy", "mixed")
_MOST_CURVES = 8
_UNITS = {"ms": "ms per frame", "gflop": "GFLOP per frame"}
WHOLE = "whole frame"
"""The row of a frame's time in the pass without spans."""

_PREFIX = "stage/"
_FLOPS = "gflop/"
COLUMNS = (
    "panel", "curve", "model", "path", "stage", "unit", "value", "frames", "device",
    "environment_key", "weights_note",
)  # fmt: skip


def costs(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:  # noqa: ARG001
    """Mean cost of a frame by curve, path, stage and unit (ms, gflop).

    Times come from timing trials with a breakdown: frames in which all objects took one path
    count for it, others as ``mixed``; stage ``whole frame`` is the pass without spans. Runs that
    differ only in τ or policy are one curve. FLOPs come from aggregates ``gflop/PATH/STAGE``.
    """
    found = trials(source, where, Kind.TIMING)
    if found.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    found = _without_policy(found)
    times = _times(source, found)
    flops = _flops(_without_policy(measured(source, where)))
    rows = pd.concat([part for part in (times, flops) if len(part)] or [times])
    return rows.reindex(columns=list(COLUMNS)).reset_index(drop=True)


def _without_policy(found: pd.DataFrame) -> pd.DataFrame:
    """Named by the network alone: what a path costs doesn't depend on who chose it."""
    plain = found.assign(model=found["model"].str.partition("+")[0])
    return found.assign(model=plain["model"], curve=curve_names(plain), panel=found["evaluation"])


def _times(source: Readable, found: pd.DataFrame) -> pd.DataFrame:
    keys = Selection(keys=list(found["key"]))
    paths = series(source, "path", keys)
    stages = {name: series(source, name, keys) for name in series_names(source, keys, _PREFIX)}
    whole = series(source, "frame_ms", keys)
    about = ["panel", "curve", "model", "device", "environment_key", "weights_note"]
    named = {
        str(key): tuple(values)
        for key, *values in found[["key", *about]].itertuples(index=False, name=None)
    }
    rows = []
    for (key, clip), codes in paths.items():
        taken = np.array(frame_paths(codes))
        mine = {
            name.removeprefix(_PREFIX): stage[key, clip]
            for name, stage in stages.items()
            if (key, clip) in stage
        }
        if mine and (key, clip) in whole:
            mine[WHOLE] = whole[key, clip]
        for stage, values in mine.items():
            for path in sorted(set(taken) - {"absent"}):
                of_path = np.asarray(values, float)[taken == path]
                rows.append(
                    (*named[key], path, stage, float(of_path.sum()), len(of_path)),
                )
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    by = [*about, "path", "stage"]
    sums = pd.DataFrame(rows, columns=[*by, "total", "frames"])
    means = sums.groupby(by, sort=False, dropna=False)[["total", "frames"]].sum().reset_index()
    means["value"] = means["total"] / means["frames"]
    means["unit"] = "ms"
    return means


def frame_paths(codes: NDArray[np.generic]) -> list[str]:
    """The path of each frame, from (T, K) codes: the one that all tracked objects took, ``init``
    where one began, ``mixed`` where they differ, ``absent`` where there is none."""
    names = {code: name for name, code in PATH_CODES.items()}
    paths = []
    for row in codes:
        present = {names[int(code)] for code in row} - {"absent"}
        if "init" in present:
            paths.append("init")
        elif len(present) == 1:
            paths.append(present.pop())
        else:
            paths.append("mixed" if present else "absent")
    return paths


def _flops(found: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in found if str(name).startswith(_FLOPS)]
    rows = []
    for name in columns:
        _, path, stage = str(name).split("/", 2)
        known = found[found[name].notna()].drop_duplicates("curve")
        rows.append(known.assign(path=path, stage=stage, unit="gflop", value=known[name], frames=1))
    return pd.concat(rows) if rows else pd.DataFrame(columns=list(COLUMNS))


def draw(rows: pd.DataFrame) -> Figure:
    """A panel a unit: bars by model and path, stacked by stage; a mark for the whole frame.

    First frames are left out: they cost a multiple of any other, and the data has them.
    """
    curves, left_out = canvas.shown(rows["curve"], _MOST_CURVES, "models")
    rows = rows[(rows["path"] != "init") & rows["curve"].isin(curves)]
    spent = (rows["stage"] != WHOLE) & (rows["value"] > 0)
    stages = _in_order(rows[spent]["stage"], STAGES)
    bars = _bars(rows)
    parts = _parts(rows)
    height = 1.0 + 0.34 * (len(bars) + len(curves))
    width = 7.4 if len(parts) == 1 else 4.4
    names = list(parts)
    sheet = canvas.panels(names, columns=len(parts), width=width, height=height, tall=True)
    handles: dict[str, Artist] = {}
    for axes, part in zip(sheet.axes, parts.values(), strict=True):
        _stack(axes, part, bars, stages, handles)
        axes.set_xlabel(_UNITS[part["unit"].iloc[0]])
    for place, axes in enumerate(sheet.axes):
        if place % sheet.columns:
            axes.set_yticklabels([])
        else:
            _headings(axes, bars)
    remark = [left_out, remarks(rows.drop_duplicates(["curve", "environment_key"]))]
    if not (rows["unit"] == "gflop").any():
        remark.append("FLOPs weren't stored with these runs")
    lines = "\n".join(filter(None, remark))
    canvas.finish(
        sheet.figure,
        "What a frame costs on each path",
        lines,
        list(handles.values()),
        list(handles),
    )
    return sheet.figure


def _parts(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What each panel shows, by its title: times of one machine each, then FLOPs."""
    times = rows[rows["unit"] == "ms"]
    machines = pd.Series(machine_names(times), times.index, dtype="object")
    parts = {str(name): part for name, part in times.groupby(machines, sort=False)}
    flops = rows[rows["unit"] == "gflop"]
    return parts | ({"arithmetic": flops} if len(flops) else {})


def _bars(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(panel, curve, path) of each bar, paths of one model together."""
    found = {
        (str(panel), str(curve), str(path))
        for panel, curve, path in zip(rows["panel"], rows["curve"], rows["path"], strict=True)
    }
    curves = list(dict.fromkeys(zip(rows["panel"], rows["curve"], strict=True)))
    return [(p, c, path) for p, c in curves for path in _PATHS if (p, c, path) in found]


def _stack(
    axes: Axes,
    rows: pd.DataFrame,
    bars: Sequence[tuple[str, str, str]],
    stages: Sequence[str],
    handles: dict[str, Artist],
) -> None:
    means = rows.groupby(["panel", "curve", "path", "stage"])["value"].mean()
    places = _places(bars)
    for place, bar in zip(places, bars, strict=True):
        left = 0.0
        for stage in stages:
            value = float(means.get((*bar, stage), 0.0))
            known = stage in STAGES
            bar_of_stage = axes.barh(
                place, value, 0.76, left=left, edgecolor="white", linewidth=0.6,
                color=STAGE_COLOURS[(STAGES if known else stages).index(stage) % len(STAGES)],
                hatch="" if known else "//",
            )  # fmt: skip
            handles.setdefault(stage, bar_of_stage.patches[0])
            left += value
        whole = means.get((*bar, WHOLE))
        if whole is not None:
            (mark,) = axes.plot(whole, place, marker="D", color=INK, linestyle="none", markersize=5)
            handles[f"{WHOLE}, spans off"] = mark
    axes.set_yticks(places, [path for _, _, path in bars])
    axes.set_ylim(max(places) + 0.6, -0.6)
    axes.grid(visible=False, axis="y")
    axes.use_sticky_edges = False  # a stage of no width would end the panel where the bar ends
    axes.set_xlim(left=0)


def _places(bars: Sequence[tuple[str, str, str]]) -> list[float]:
    """Where bars stand, with room for a heading above each model."""
    places: list[float] = []
    for index, bar in enumerate(bars):
        first = not index or bars[index - 1][:2] != bar[:2]
        places.append((places[-1] if places else -1.0) + (2.0 if first else 1.0))
    return places


def _headings(axes: Axes, bars: Sequence[tuple[str, str, str]]) -> None:
    """The model's name above its bars; beside them it would leave no room for the bars."""
    several = len({panel for panel, _, _ in bars}) > 1
    said: set[tuple[str, str]] = set()
    for place, (panel, curve, _) in zip(_places(bars), bars, strict=True):
        if (panel, curve) in said:
            continue
        said.add((panel, curve))
        heading = axes.text(
            0.01, place - 0.92, f"{curve}, {panel}" if several else curve,
            fontsize=SMALLEST_PT if sheet().paper else 8.5,
            weight="bold", va="center", transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        heading.set_in_layout(False)


def _in_order(names: pd.Series[str], known: Sequence[str]) -> list[str]:
    found = set(names)
    return [name for name in known if name in found] + sorted(found - set(known))


PATH_COST = FigureKind(
    "path-cost",
    "milliseconds and FLOPs of each path, stacked by stage",
    "timing trials with a breakdown",
    "vosbench run --kind timing --models g-frtm-fast+always,g-frtm-fast+never --dataset motion",
    costs,
    draw,
)
