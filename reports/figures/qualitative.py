"""Frames of one clip with what the network saw: masks, S and Ŝ, Δ, R8 and R̂8, decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.trials import PATH_CODES, Kind
from vosbench.reports.choices import choose
from vosbench.reports.figures import canvas
from vosbench.reports.figures.gate_data import decisions
from vosbench.reports.figures.maps import border, colour_bar, limit, show_map
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.frames import trials
from vosbench.reports.labels import remarks
from vosbench.reports.names import parse_model
from vosbench.reports.overlay import object_palette, overlay
from vosbench.reports.style import PATH_COLOURS, SMALLEST_PT, sheet

_PICTURES = ("image", "labels", "truth")
_MAPS = ("score", "delta", "r8")
_MOST_ROWS = 8
_TITLES = {
    "truth": "truth", "labels": "result", "baseline": "no gate", "score": "S, Ŝ", "delta": "Δ",
    "r8": "R8, R̂8",
}  # fmt: skip
_COLOUR_NAMES = {
    "init": "black", "full": "red", "reuse": "blue", "copy": "orange", "mixed": "grey",
}  # fmt: skip
_ARRAYS = (*_PICTURES, *_MAPS)


def traced(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """One row per traced frame and object: path, p_gate and the arrays that are shown.

    Columns of :func:`~.gate_data.decisions`, summaries of the maps, and, as arrays, ``image``
    (h, w, 3), ``labels`` and ``truth`` (h, w), ``score``, ``delta`` and ``r8`` (h16, w16; all
    NaN where a frame has none); ``baseline`` (h, w) where the network without a gate saved its
    masks of these frames.

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
    key, clip = _chosen(source, found, list(frames), options.sequence)
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
    masks = _baseline(source, found[found["key"] == key].iloc[0], clip)
    if masks is not None:
        size = rows["image"].iloc[0].shape[:2]
        rows["baseline"] = _cells([_sized(masks[frame], size) for frame in rows["frame"]])
    return rows.reset_index(drop=True)


def _chosen(
    source: Readable, found: pd.DataFrame, traced: Sequence[tuple[str, str]], sequence: str | None
) -> tuple[str, str]:
    """The run and sequence with most reuse in its traced frames, the first of equal ones.

    Raises InputError if ``sequence`` wasn't traced.
    """
    if sequence is not None:
        choose("traced sequence", sequence, {clip: clip for _, clip in traced})
        traced = [pair for pair in traced if pair[1] == sequence]
    keys = Selection(keys=list(dict.fromkeys(key for key, _ in traced)))
    paths = series(source, "path", keys)
    frames = series(source, "trace_frames", keys)
    reused = {
        pair: int((paths[pair][frames[pair]] == PATH_CODES["reuse"]).sum()) for pair in traced
    }
    order = {key: place for place, key in enumerate(found["key"])}
    return max(traced, key=lambda pair: (reused[pair], -order[pair[0]]))


def _baseline(source: Readable, run: pd.Series, clip: str) -> NDArray[np.generic] | None:
    """Label maps (T, H, W) of the same network without a gate on the same frames, where a run
    of it saved its masks."""
    same = trials(source, Selection(datasets=[run["dataset"]]), Kind.ACCURACY)
    family = parse_model(run["model"]).family
    plain = (same["model"] == family) & (same["manifest_sha256"] == run["manifest_sha256"])
    if not plain.any():
        return None
    stored = series(source, "labels", Selection(keys=list(same[plain]["key"])), sequences=[clip])
    return next(iter(stored.values()), None)


def _sized(labels: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """Labels at the size of the traced picture, by nearest pixel."""
    places = (np.arange(n) * own // n for n, own in zip(size, labels.shape, strict=True))
    return labels[np.ix_(*places)]


def draw(rows: pd.DataFrame) -> Figure:
    """One row of pictures per frame and object."""
    shown = _worth_showing(rows)
    given = ["truth", "labels", *(["baseline"] if "baseline" in rows else [])]
    titles = [_TITLES[name] for name in (*given, *_MAPS)]
    figure, grid = picture_grid(shown, len(titles))
    limits = {name: limit(shown[name]) for name in _MAPS}
    several = shown["object"].nunique() > 1
    for (_, row), axes in zip(shown.iterrows(), grid, strict=True):
        for picture, name in zip(axes, given, strict=False):
            picture.imshow(overlay(row["image"], row[name], palette=object_palette()))
        for picture, name in zip(axes[len(given) :], _MAPS, strict=True):
            show_map(picture, row[name], name, limits[name])
        _frame_label(axes[0], row, several=several)
        border(axes[1], PATH_COLOURS[row["path"]])
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=SMALLEST_PT if sheet().paper else None)
    for place, name in enumerate(_MAPS, len(given)):
        colour_bar(figure, grid[:, place], name, limits[name])
    first = rows.iloc[0]
    tau = "" if first["tau"] is None else f", τ = {first['tau'].normalize():f}"
    title = f"{first['curve']} on {first['sequence']}{tau}"
    canvas.finish(figure, title, "\n".join(_notes(rows, shown)))
    return figure


def _worth_showing(rows: pd.DataFrame) -> pd.DataFrame:
    """As many frames as can be seen, those that reuse before others, in their order."""
    objects = rows["object"].nunique()
    reused = rows[rows["path"] == "reuse"]["frame"].unique()
    others = [frame for frame in rows["frame"].unique() if frame not in set(reused)]
    most = max(1, _MOST_ROWS // objects)
    kept = [*reused[: max(1, most - 1)], *others][:most]
    return rows[rows["frame"].isin(kept)]


def _notes(rows: pd.DataFrame, shown: pd.DataFrame) -> Iterator[str]:
    said = remarks(rows)
    if said:
        yield said
    if len(rows) > len(shown):
        yield f"{len(shown)} of {len(rows)} traced frames and objects, those that reuse first"
    if not (rows["path"] == "reuse").any():
        yield "no traced frame was reused: trace others, or take a lower τ"
    if "baseline" not in rows:
        yield "no masks of the network without a gate: run it with --save-masks to see them here"
    colours = ", ".join(f"{path} {_COLOUR_NAMES[path]}" for path in dict.fromkeys(shown["path"]))
    yield f"border: the path that was taken ({colours})"


def picture_grid(shown: pd.DataFrame, columns: int) -> tuple[Figure, NDArray[np.object_]]:
    """A figure with a row of empty pictures for each row of ``shown``, and room for its label."""
    height, width = shown["image"].iloc[0].shape[:2]
    label_in = 0.62 if sheet().paper else 0.9
    page_in = sheet().width_in or 1.75 * columns + label_in
    cell_in = (page_in - label_in) / columns
    row_in = max(cell_in * height / width + 0.06, 0.36 if sheet().paper else 0.0)
    close = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01)
    figure = Figure(figsize=(page_in, row_in * len(shown) + 0.75), layout=close)
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(shown), columns, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    return figure, grid


def _frame_label(axes: Axes, row: pd.Series, *, several: bool) -> None:
    first = f"t = {row['frame']}" + (f", {row['object'] + 1}" if several else "")
    second = "given" if row["path"] == "init" else str(row["path"])
    if not np.isnan(row["p_gate"]):
        second += f" {row['p_gate']:.2f}"
    size = SMALLEST_PT if sheet().paper else 8.5
    axes.set_ylabel(f"{first}\n{second}", rotation=0, ha="right", va="center", fontsize=size)


def _cells(arrays: list[NDArray[np.generic]]) -> NDArray[np.object_]:
    """Arrays as the cells of one column."""
    column = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        column[index] = array
    return column


def _known(values: NDArray[np.float64], statistic: object) -> float:
    known = values[np.isfinite(values)]
    return float(statistic(known)) if len(known) and callable(statistic) else float("nan")


QUALITATIVE = FigureKind(
    "qualitative",
    "figures 5 and 10: frames with masks, S, Δ and R8",
    "trial that was traced",
    "vosbench run --models g-frtm-fast --tau 0.7 --dataset motion --trace 10:14",
    traced,
    draw,
)
