"""What an object costs: ms and memory of a frame against the number of objects in it."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from vosbench.harness.store import Readable, Selection, sequences
from vosbench.harness.trials import Kind
from vosbench.reports.figures import canvas
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.frames import trials
from vosbench.reports.labels import machine_names, remarks
from vosbench.reports.looks import COLUMNS as LOOK
from vosbench.reports.looks import look_of

_QUANTITIES = {"ms_per_frame": "ms per frame", "peak_memory_mib": "peak MiB"}
_MOST_CURVES = 8
COLUMNS = (
    "panel", "curve", "model", *LOOK, "objects", *_QUANTITIES, "sequences", "device",
    "environment_key", "weights_note",
)  # fmt: skip


def scaling(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:  # noqa: ARG001
    """Medians over sequences and repeats, by curve, machine and number of objects.

    Curves that were timed at one number of objects alone are left out. Memory is NaN where the
    trial's sequences don't say theirs.
    """
    found = trials(source, where, Kind.TIMING)
    if found.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    each = sequences(source, Selection(keys=list(found["key"]))).reindex(
        columns=["key", "sequence", "objects", *_QUANTITIES]
    )
    about = ["panel", "curve", "model", *LOOK, "device", "environment_key", "weights_note"]
    found = found.assign(panel=machine_names(found))
    rows = each.merge(found[["key", *about]], on="key")
    rows = rows[rows["ms_per_frame"].notna()]
    by = rows.groupby([*about, "objects"], sort=False, dropna=False)
    points = by[list(_QUANTITIES)].median().assign(sequences=by.size()).reset_index()
    if points.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    counts = points.groupby(["panel", "curve"])["objects"].transform("nunique")
    return points[counts > 1].reindex(columns=list(COLUMNS)).reset_index(drop=True)


def draw(rows: pd.DataFrame) -> Figure:
    """A panel of ms and one of memory for each machine; a dotted line is what objects would cost
    if each took what the first one did."""
    curves, left_out = canvas.shown(rows["curve"], _MOST_CURVES, "models")
    rows = rows[rows["curve"].isin(curves)]
    parts = [
        (f"{unit}, {machine}", name, part)
        for machine, part in rows.groupby("panel", sort=False)
        for name, unit in _QUANTITIES.items()
        if part[name].notna().any()
    ]
    sheet = canvas.panels([title for title, _, _ in parts])
    handles: dict[str, Artist] = {}
    for axes, (_, name, part) in zip(sheet.axes, parts, strict=True):
        for curve, line in part.sort_values("objects").groupby("curve", sort=False):
            look = look_of(line.iloc[0])
            (handles[str(curve)],) = axes.plot(
                line["objects"], line[name], color=look.colour, marker=look.marker,
                linestyle=look.line,
            )  # fmt: skip
            first = line.iloc[0]
            if name == "ms_per_frame":
                axes.plot(
                    line["objects"], first[name] * line["objects"] / first["objects"],
                    color=look.colour, linestyle=":", linewidth=0.8,
                )  # fmt: skip
        counts = sorted(set(part["objects"]))
        axes.set_xscale("log")  # 1 and 2 beside 40
        axes.minorticks_off()
        axes.set_ylim(0, 1.12 * part[name].max())  # the dotted line may leave the panel
        axes.set_xticks(counts, [str(count) for count in counts])
    sheet.label("objects", "")
    notes = [
        "dotted: as if each object cost what the first one did",
        left_out,
        remarks(rows.drop_duplicates(["curve", "environment_key"])),
    ]
    canvas.finish(
        sheet.figure,
        "What objects cost",
        "\n".join(filter(None, notes)),
        list(handles.values()),
        list(handles),
    )
    return sheet.figure


OBJECTS_SCALING = FigureKind(
    "objects-scaling",
    "ms and memory of a frame against its number of objects",
    "timing trials on sequences of different numbers of objects",
    "vosbench run --kind timing --models g-frtm-lite+never,g-frtm-lite+always --dataset crowd",
    scaling,
    draw,
)
