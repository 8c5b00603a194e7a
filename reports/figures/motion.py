"""How much clips move: the histogram of adjacent-mask IoU, and speed on clips that move little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, objects, sequences, series
from vosbench.harness.trials import Kind
from vosbench.reports.figures import canvas, curve_panels, curves
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.figures.points import COLUMNS, as_points
from vosbench.reports.figures.published_points import WEIGHTS
from vosbench.reports.frames import measured, trials
from vosbench.reports.names import role
from vosbench.reports.published import claims
from vosbench.reports.style import DIM, SEQUENCE

SIMILAR = 0.7
"""The paper's introduction counts neighbours above this IoU."""

_BINS = np.linspace(0.0, 1.0, 11)


def adjacent_ious(source: Readable, where: Selection) -> dict[str, NDArray[np.float64]]:
    """All IoUs of adjacent annotations, by name of the evaluated clips.

    They belong to the annotations: one trial of each evaluation is read.
    """
    found = trials(source, where, Kind.ACCURACY).drop_duplicates("evaluation")
    if found.empty:
        return {}
    named = dict(zip(found["key"], found["evaluation"], strict=True))
    values: dict[str, list[NDArray[np.float64]]] = {}
    for (key, _), array in series(source, "adjacent_iou", Selection(keys=list(named))).items():
        flat = np.asarray(array, dtype=np.float64).ravel()
        values.setdefault(named[key], []).append(flat[np.isfinite(flat)])
    return {name: np.concatenate(parts) for name, parts in values.items()}


def histogram(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Share of neighbouring frames per bin of IoU: dataset, iou_from, iou_to, count, share;
    ``share_similar`` is the share above 0.7 of the whole dataset. The paper prints that alone: its
    row, where ``options`` ask for it, has ``weights`` as printed points have and no bins."""
    rows = []
    for name, values in adjacent_ious(source, where).items():
        if not len(values):
            continue
        counts, _ = np.histogram(values, _BINS)
        similar = float((values > SIMILAR).mean())
        for low, high, count in zip(_BINS[:-1], _BINS[1:], counts, strict=True):
            share = count / len(values)
            rows.append((name, round(low, 1), round(high, 1), int(count), share, similar))
    columns = ["dataset", "iou_from", "iou_to", "count", "share", "share_similar"]
    bins = pd.DataFrame(rows, columns=columns)
    if not options.published or bins.empty:
        return bins
    printed = [claim for claim in claims() if claim.text.startswith("adjacent-mask IoU")]
    theirs = [
        {"dataset": f"{claim.dataset} (paper)", "share_similar": claim.values[0] / 100}
        for claim in printed
    ]
    parts = [bins.assign(weights=""), pd.DataFrame(theirs).assign(weights=WEIGHTS)]
    return pd.concat(parts, ignore_index=True)


def draw_histogram(bins: pd.DataFrame) -> Figure:
    """Grouped bars, one colour a dataset."""
    sheet = canvas.panels([""])
    axes = sheet.axes[0]
    printed = bins[bins["iou_from"].isna()]
    bins = bins.drop(index=printed.index) if len(printed) else bins
    names = list(dict.fromkeys(bins["dataset"]))
    width = 0.088 / len(names)
    handles: list[Artist] = []
    labels: list[str] = []
    for index, name in enumerate(names):
        rows = bins[bins["dataset"] == name]
        left = rows["iou_from"] + 0.006 + index * width
        bars = axes.bar(
            left, rows["share"], width, align="edge",
            color=SEQUENCE[index % len(SEQUENCE)], edgecolor="white", linewidth=0.5,
            hatch=("", "///", "...")[index // len(SEQUENCE) % 3],
        )  # fmt: skip
        handles.append(bars.patches[0])
        labels.append(f"{name}: {100 * rows['share_similar'].iloc[0]:.1f} % above {SIMILAR}")
    line = axes.axvline(SIMILAR, color=DIM, linestyle="--", linewidth=1)
    for row in printed.to_dict("records"):
        handles.append(line)
        labels.append(f"{row['dataset']}: {100 * row['share_similar']:.1f} % above {SIMILAR}")
    axes.set_xticks(_BINS)
    axes.set_xlim(0, 1)
    axes.grid(visible=False, axis="x")
    canvas.percent_axis(axes, y=True)
    sheet.label("IoU of annotations of neighbouring frames", "share of neighbours (%)")
    canvas.finish(sheet.figure, "How alike neighbouring frames are", "", handles, labels)
    return sheet.figure


def still_clips(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Baseline and gated model on clips of high mean adjacent-mask IoU.

    The columns of curves, and ``clips`` (how many there are) and ``iou_from``. J&F is the mean
    over clips, FPS all frames over all time.
    """
    found = measured(source, where)
    wanted = [
        role(model, policy) in {"ours", "baseline"}
        for model, policy in zip(found["model"], found["policy"], strict=True)
    ]
    found = found[pd.Series(wanted, index=found.index, dtype=bool) & found["fps"].notna()]
    found = found[curves.main_weights(found, where)]
    accuracy = _still_accuracy(source, where, options.iou_from)
    if found.empty or accuracy.empty:
        return pd.DataFrame(columns=[*COLUMNS, "clips", "iou_from"])
    speed = _still_speed(source, where, accuracy)
    means = accuracy.groupby("setting").agg(still_jf=("jf_mean", "mean"), clips=("jf_mean", "size"))
    found = found.merge(means, on="setting").merge(speed, on=["setting", "environment_key"])
    found = found.assign(jf_mean=found["still_jf"], fps=found["still_fps"])
    points = as_points(found, options, by_machine=True)
    clips = found.drop_duplicates("key").set_index("key")["clips"]
    points["clips"] = points["key"].map(clips).astype("int64")
    points["iou_from"] = options.iou_from
    points["panel"] = [
        f"{panel}: {count} of mean IoU ≥ {options.iou_from:g}"
        for panel, count in zip(points["panel"], points["clips"], strict=True)
    ]
    return points


def draw_still(points: pd.DataFrame) -> Figure:
    """J&F against FPS."""
    return curve_panels.draw(
        points,
        curve_panels.Curves("Speed against J&F where little moves", "fps", curve_panels.FPS_LABEL),
    )


def _still_accuracy(source: Readable, where: Selection, iou_from: float) -> pd.DataFrame:
    """setting, sequence, jf_mean of clips whose objects' mean adjacent IoU is high."""
    only = replace(where, kinds=(Kind.ACCURACY,))
    settings = trials(source, where, Kind.ACCURACY)[["key", "setting"]]
    per_object = objects(source, only)
    clips = sequences(source, only)
    if "adjacent_iou" not in per_object or "jf_mean" not in clips:
        return pd.DataFrame(columns=["setting", "sequence", "jf_mean"])
    iou = per_object.groupby(["key", "sequence"])["adjacent_iou"].mean()
    still = iou[iou >= iou_from].reset_index()[["key", "sequence"]]
    return clips.merge(still, on=["key", "sequence"]).merge(settings, on="key")[
        ["setting", "sequence", "jf_mean"]
    ]


def _still_speed(source: Readable, where: Selection, still: pd.DataFrame) -> pd.DataFrame:
    """setting, environment_key, still_fps: median over repeats, then pooled over clips."""
    timed = trials(source, where, Kind.TIMING)[["key", "setting", "environment_key"]]
    clips = sequences(source, replace(where, kinds=(Kind.TIMING,)))
    if "fps" not in clips:
        return pd.DataFrame(columns=["setting", "environment_key", "still_fps"])
    clips = clips.merge(timed, on="key").merge(still[["setting", "sequence"]])
    by_clip = clips.groupby(["setting", "environment_key", "sequence"], dropna=False)
    medians = by_clip.agg(fps=("fps", "median"), frames=("frames", "first")).reset_index()
    medians["seconds"] = medians["frames"] / medians["fps"]
    pooled = medians.groupby(["setting", "environment_key"], dropna=False)[
        ["frames", "seconds"]
    ].sum()
    return (pooled["frames"] / pooled["seconds"]).rename("still_fps").reset_index()


IOU_HISTOGRAM = FigureKind(
    "iou-histogram",
    "figure 1a: how alike neighbouring annotations are, per dataset",
    "accuracy trials with the IoU of adjacent annotations",
    "vosbench run --models frtm-fast --dataset motion",
    histogram,
    draw_histogram,
)


HIGH_IOU = FigureKind(
    "high-iou",
    "figure 1b: speed and J&F of baseline and gated model where little moves",
    "accuracy and timing of the same setting, with sequences of high adjacent IoU",
    "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.7,1.0 --dataset motion",
    still_clips,
    draw_still,
)
