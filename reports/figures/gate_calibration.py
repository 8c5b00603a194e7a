"""Whether the gate knows what it should: P_gate against the IoU it stands for, and its ROC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection
from vosbench.reports.figures import canvas
from vosbench.reports.figures.gate_data import decisions, gated_trials
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.labels import remarks
from vosbench.reports.names import role
from vosbench.reports.style import DIM, SEQUENCE, sheet

ENOUGH = (0.7, 0.8, 0.9)
"""IoUs from which a frame is taken as worth reusing, for the ROC."""

_MOST_POINTS = 2500
_BINS = np.linspace(0.0, 1.0, 11)


@dataclass(frozen=True)
class Roc:
    """False and true positive rate, (N,) each, from (0, 0) to (1, 1), and the area below."""

    false_positive: NDArray[np.float64]
    true_positive: NDArray[np.float64]
    area: float


def gate_frames(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every frame that a learned gate judged, and the IoU of annotations since the last full
    frame; all τ together unless ``options`` names one.

    Where runs of several τ were in the same state they say the same: such rows are kept once.
    """
    chosen = gated_trials(source, where, options.tau)
    ours = [role(m, p) == "ours" for m, p in zip(chosen["model"], chosen["policy"], strict=True)]
    chosen = chosen[pd.Series(ours, index=chosen.index, dtype=bool)]
    rows = decisions(source, chosen, options.sequence)
    rows = rows[rows["p_gate"].notna() & rows["full_iou"].notna()]
    same = ["curve", "sequence", "frame", "object", "p_gate", "full_iou"]
    return rows.drop_duplicates(same).reset_index(drop=True)


def roc(score: NDArray[np.float64], positive: NDArray[np.bool_]) -> Roc | None:
    """The receiver operating characteristic; None where all frames are of one class."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(positive[order])[ends] / positives
    alarms = np.cumsum(~positive[order])[ends] / negatives
    hits, alarms = np.insert(hits, 0, 0.0), np.insert(alarms, 0, 0.0)
    area = float((np.diff(alarms) * (hits[1:] + hits[:-1]) / 2).sum())
    return Roc(alarms, hits, area)


def correlation(rows: pd.DataFrame) -> float:
    """Pearson's r of P_gate and the IoU; NaN where one of them is constant."""
    if rows["p_gate"].nunique() < 2 or rows["full_iou"].nunique() < 2:
        return float("nan")
    return float(np.corrcoef(rows["p_gate"], rows["full_iou"])[0, 1])


def draw(rows: pd.DataFrame) -> Figure:
    """A row of two panels per model: agreement, and ROC."""
    curves, left_out = canvas.shown(rows["curve"], canvas.MOST_PANELS // 2, "models")
    rows = rows[rows["curve"].isin(curves)]
    names = [text for curve in curves for text in (curve, "reuse or not, by IoU")]
    sheet = canvas.panels(names, columns=2, width=4.2, height=3.5)
    for index, curve in enumerate(curves):
        part = rows[rows["curve"] == curve]
        _agreement(sheet.axes[2 * index], part)
        _roc_panel(sheet.axes[2 * index + 1], part)
    taus = sorted({tau for tau in rows["tau"] if tau is not None})
    spread = f"runs at τ = {', '.join(f'{tau.normalize():f}' for tau in taus)}" if taus else ""
    remark = "\n".join(filter(None, [remarks(rows), spread, left_out]))
    canvas.finish(sheet.figure, "Does the gate see how much changed?", remark)
    return sheet.figure


def _agreement(axes: Axes, rows: pd.DataFrame) -> None:
    x, y = rows["full_iou"].to_numpy(float), rows["p_gate"].to_numpy(float)
    if len(rows) > _MOST_POINTS:
        axes.hexbin(x, y, gridsize=35, extent=(0, 1, 0, 1), cmap="Blues", bins="log", mincnt=1)
    else:
        axes.scatter(x, y, s=9, alpha=0.35, color=SEQUENCE[0], linewidths=0)
    bins = np.clip(np.digitize(x, _BINS) - 1, 0, len(_BINS) - 2)
    used = [index for index in range(len(_BINS) - 1) if (bins == index).sum() >= 5]
    axes.plot(
        [x[bins == index].mean() for index in used],
        [y[bins == index].mean() for index in used],
        color=SEQUENCE[3], marker="o", markersize=4.5, label="mean per bin",
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=DIM, linestyle="--", linewidth=1, label="P_gate = IoU")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set(xlabel="IoU, last full frame to this one", ylabel="P_gate")
    _legend(axes, f"r = {correlation(rows):.2f}, {len(rows)} frames")


def _roc_panel(axes: Axes, rows: pd.DataFrame) -> None:
    score, iou = rows["p_gate"].to_numpy(float), rows["full_iou"].to_numpy(float)
    for enough, colour, style in zip(ENOUGH, SEQUENCE, ("-", "--", ":"), strict=False):
        result = roc(score, iou >= enough)
        if result is not None:
            axes.plot(
                result.false_positive, result.true_positive, color=colour, linestyle=style,
                label=f"IoU ≥ {enough:g}: area {result.area:.2f}",
            )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=DIM, linestyle="--", linewidth=1)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set(xlabel="reused although below (rate)", ylabel="reused of those above (rate)")
    _legend(axes)


def _legend(axes: Axes, title: str | None = None) -> None:
    """Below the panel: above it points could be covered."""
    below = -0.3 if sheet().paper else -0.17
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, below), title=title, alignment="left")


GATE_CALIBRATION = FigureKind(
    "gate-calibration",
    "P_gate against the IoU since the last full frame, and its ROC",
    "accuracy trials of a learned gate",
    "vosbench run --models g-frtm-fast --tau 0.1:1.0:0.1 --dataset motion",
    gate_frames,
    draw,
)
