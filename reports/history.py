"""A plot of metrics from commit to commit, with the levels and steps that were found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from vosbench.reports import style

_TITLES = {"jf_mean": "J&F", "fps": "FPS"}


def draw_history(frame: pd.DataFrame, out: Path) -> Path:
    """Draw values, levels and steps, one panel per metric; returns ``out``.

    Args:
        frame: of ``vosbench.harness.regression.history.history_frame``.
        out: png, svg or pdf by its extension.

    Raises:
        InputError: another extension, or a place that can't be written.
    """
    with style.styled():
        style.save(_figure(frame), out)
    return out


def _figure(frame: pd.DataFrame) -> Figure:
    metrics = list(dict.fromkeys(frame["metric"]))
    figure = Figure(figsize=(7, 2.6 * len(metrics)), layout="constrained")
    panels = figure.subplots(len(metrics), 1, squeeze=False)[:, 0]
    for axes, metric in zip(panels, metrics, strict=True):
        shown = frame[frame["metric"] == metric]
        versions = list(dict.fromkeys(shown["version"]))
        for number, (name, series) in enumerate(shown.groupby(["point", "machine"], dropna=False)):
            places = [versions.index(version) for version in series["version"]]
            colour = f"C{number}"
            axes.plot(places, series["value"], "o", color=colour, label=str(name[0]))
            axes.step(places, series["level"], where="mid", color=colour, alpha=0.6)
            for place, row in zip(places, series.to_dict("records"), strict=True):
                if row["is_step"]:
                    axes.axvline(place - 0.5, color=colour, linestyle=":")
        axes.set_xticks(range(len(versions)), versions, rotation=30, ha="right")
        axes.set_ylabel(_TITLES.get(metric, metric))
        axes.legend(fontsize="small")
    return figure
