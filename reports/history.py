"""A plot of metrics from commit to commit, with the levels and steps that were found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vosbench.harness.metric import Metric, metric
from vosbench.harness.regression.wording import change_text
from vosbench.reports import style
from vosbench.reports.looks import Look, looks

_PANEL_IN, _LEGEND_ROW_IN = 2.4, 0.22


def draw_history(frame: pd.DataFrame, out: Path) -> Path:
    """Draw values, levels and steps, one panel per metric; returns ``out``.

    Each grid point has one look in all panels, that of its model where it is free.

    Args:
        frame: of ``vosbench.harness.regression.history.history_frame``.
        out: png, svg or pdf by its extension.

    Raises:
        InputError: another extension, or a place that can't be written.
    """
    style.checked_format(out)
    with style.styled():
        style.save(_figure(frame), out)
    return out


def _figure(frame: pd.DataFrame) -> Figure:
    metrics = list(dict.fromkeys(frame["metric"]))
    named = frame.assign(curve=_names(frame))
    drawn = looks(zip(named["curve"], named["model"], named["policy"], strict=True))
    height = _PANEL_IN * len(metrics) + _LEGEND_ROW_IN * len(drawn)
    figure = Figure(figsize=(7, 0.6 + height), layout="constrained")
    panels = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for axes, name in zip(panels, metrics, strict=True):
        _draw_panel(axes, metric(name), named[named["metric"] == name], drawn)
    handles = {
        str(text): line
        for axes in panels
        for line, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    # Below the panels: nothing lies over a value.
    figure.legend(handles.values(), handles.keys(), loc="outside lower left")
    return figure


def _names(frame: pd.DataFrame) -> pd.Series[str]:
    """Grid points; with the machine where one of them was timed on several."""
    machines = frame.groupby("point")["machine"].transform("nunique")
    return frame["point"].where(machines < 2, frame["point"] + ", " + frame["machine"].fillna(""))


def _draw_panel(axes: Axes, of: Metric, shown: pd.DataFrame, drawn: Mapping[str, Look]) -> None:
    alone = shown[shown["is_step"]]["version"].value_counts()
    versions = list(dict.fromkeys(shown.sort_values("order", kind="stable")["version"]))
    for name, series in shown.groupby("curve", sort=False):
        look = drawn[str(name)]
        places = [versions.index(version) for version in series["version"]]
        values, levels = (series[column].map(of.shown) for column in ("value", "level"))
        axes.plot(places, values, look.marker, color=look.colour, label=str(name))
        axes.step(places, levels, where="mid", color=look.colour, linestyle=look.line, alpha=0.7)
        for place, level, row in zip(places, levels, series.to_dict("records"), strict=True):
            if row["is_step"]:
                axes.axvline(place - 0.5, color=look.colour, linestyle=":", linewidth=1)
            if row["is_step"] and alone[row["version"]] == 1:  # others would lie over it
                axes.annotate(
                    change_text(of, row["step_change"]), (place, level), xytext=(0, 8),
                    textcoords="offset points", ha="center", color=style.readable(look.colour),
                    fontsize="small",
                )  # fmt: skip
    axes.set_xticks(range(len(versions)), versions, rotation=30, ha="right")
    axes.set_ylabel(of.axis)
    axes.margins(x=0.04, y=0.12)
