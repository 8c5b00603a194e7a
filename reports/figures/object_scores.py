"""Several objects of one sequence: each frame with S or Ŝ of each, and how it was decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from vosbench.harness.store import Readable, Selection, objects, series
from vosbench.harness.trials import Kind
from vosbench.reports.figures import canvas
from vosbench.reports.figures.maps import border, colour_bar, limit, show_map
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.figures.qualitative import picture_grid, traced
from vosbench.reports.frames import trials
from vosbench.reports.labels import remarks
from vosbench.reports.overlay import object_palette, overlay
from vosbench.reports.published import claims
from vosbench.reports.style import PATH_COLOURS, SMALLEST_PT, sheet

_MOST_FRAMES, _MOST_OBJECTS = 6, 4
_COLOUR_WORDS = {"init": "black", "full": "red", "reuse": "blue", "copy": "orange"}


def scores(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """One row per traced frame and object of a sequence with several, as of ``qualitative``.

    Beside it ``object_id``, ``reuse_rate`` of the object along the whole sequence, and
    ``published``, the paper's, NaN where it has none.

    Raises:
        InputError: the sequence that was asked for was not traced.
    """
    if options.sequence is None:
        sequence = _several(source, where)
        if sequence is None:
            return pd.DataFrame(columns=["frame", "object"])
        options = replace(options, sequence=sequence)
    rows = traced(source, where, options)
    if rows.empty or rows["object"].nunique() < 2:
        return rows[:0]
    key, sequence = rows["key"].iloc[0], rows["sequence"].iloc[0]
    each = objects(source, Selection(keys=[key]))
    each = each[each["sequence"] == sequence].sort_values("object_id").reset_index(drop=True)
    rates = each["reuse_rate"] if "reuse_rate" in each else pd.Series(dtype=float)
    return rows.assign(
        object_id=rows["object"].map(each["object_id"]),
        reuse_rate=rows["object"].map(rates),
        published=rows["object"].map(_published(sequence)).astype(float),
    )


def _several(source: Readable, where: Selection) -> str | None:
    """The first traced sequence with several objects."""
    found = trials(source, where, Kind.ACCURACY)
    if found.empty:
        return None
    keys = Selection(keys=list(found["key"]))
    frames = series(source, "trace_frames", keys)
    counts = {place: path.shape[1] for place, path in series(source, "path", keys).items()}
    return next((clip for key, clip in frames if counts.get((key, clip), 0) > 1), None)


def _published(sequence: str) -> dict[int, float]:
    """What the paper says of the sequence's objects, by their index."""
    for claim in claims():
        if claim.text.startswith("reuse rate of object") and claim.dataset == sequence:
            return dict(enumerate(claim.values))
    return {}


def draw(rows: pd.DataFrame) -> Figure:
    """A row per frame: truth, result, and a column of scores per object."""
    numbers = sorted(rows["object"].unique())[:_MOST_OBJECTS]
    frames = sorted(rows["frame"].unique())[:_MOST_FRAMES]
    shown = rows[rows["object"].isin(numbers) & rows["frame"].isin(frames)]
    first = shown.drop_duplicates("frame")
    figure, grid = picture_grid(first, 2 + len(numbers))
    limits = limit(shown["score"])
    for (_, row), axes in zip(first.iterrows(), grid, strict=True):
        for picture, name in zip(axes, ("truth", "labels"), strict=False):
            picture.imshow(overlay(row["image"], row[name], palette=object_palette()))
        size = SMALLEST_PT if sheet().paper else 8.5
        told = {"rotation": 0, "ha": "right", "va": "center", "fontsize": size}
        axes[0].set_ylabel(f"t = {row['frame']}", **told)
    for place, number in enumerate(numbers, 2):
        own = shown[shown["object"] == number].set_index("frame")
        for axes, frame in zip(grid[:, place], first["frame"], strict=True):
            if frame in own.index:
                show_map(axes, own.at[frame, "score"], "score", limits)
                border(axes, PATH_COLOURS[own.at[frame, "path"]])
        colour_bar(figure, grid[:, place], "score", limits)
    titles = ["truth", "result", *(_title(rows, number) for number in numbers)]
    for axes, title in zip(grid[0], titles, strict=True):
        axes.set_title(title, fontsize=SMALLEST_PT if sheet().paper else None)
    tau = "" if rows["tau"].iloc[0] is None else f", τ = {rows['tau'].iloc[0].normalize():f}"
    title = f"{rows['curve'].iloc[0]} on {rows['sequence'].iloc[0]}{tau}"
    canvas.finish(figure, title, "\n".join(_notes(rows, shown)))
    return figure


def _title(rows: pd.DataFrame, number: int) -> str:
    own = rows[rows["object"] == number].iloc[0]
    said = f"S, Ŝ of {own['object_id']}"
    return said if pd.isna(own["reuse_rate"]) else f"{said}\nreuse {100 * own['reuse_rate']:.1f} %"


def _notes(rows: pd.DataFrame, shown: pd.DataFrame) -> Iterator[str]:
    said = remarks(rows)
    if said:
        yield said
    each = rows.drop_duplicates("object").sort_values("object")
    if each["published"].notna().any():
        paper = ", ".join(f"{100 * value:.1f}" for value in each["published"].dropna())
        yield f"reuse in the paper (figure 11): {paper} % of objects 1 to {len(each)}"
    if shown["frame"].nunique() < rows["frame"].nunique():
        yield f"{shown['frame'].nunique()} of {rows['frame'].nunique()} traced frames"
    colours = ", ".join(f"{path} {_COLOUR_WORDS[path]}" for path in dict.fromkeys(shown["path"]))
    yield f"border: the path that was taken ({colours}); reuse: along the whole sequence"


OBJECT_SCORES = FigureKind(
    "object-scores",
    "figure 11: frames with S of each of several objects",
    "traced trial of a sequence with several objects",
    "vosbench run --models g-frtm-lite --tau 0.7 --dataset davis17 --trace 29:33",
    scores,
    draw,
)
