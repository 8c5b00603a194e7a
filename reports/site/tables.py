"""The tables of the site as frames: runs, settings, models, clips."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vosbench.harness.metric import SHARE, further_metrics
from vosbench.harness.store import Readable, Selection, State, results
from vosbench.harness.store.catalog import owners, timing_conditions, weights_notes
from vosbench.reports.frames import TIMING, measured
from vosbench.reports.intervals import with_intervals
from vosbench.reports.looks import COLUMNS as LOOK
from vosbench.reports.names import parse_model

BUSY = "busy"
TRAINED, UNTRAINED = "trained", "untrained"

_SETTING_COLUMNS = (
    "key", "curve", "base", "model", "policy", "tau", "tau2", "dataset", "evaluation", "weights",
    "weights_sha256", "trained", "weights_note", "margins", "precision", "study", "device",
    "environment_key", "repeats", "threads", "busy", "owner", *LOOK,
)  # fmt: skip
_MODEL = ["curve", "evaluation", "environment_key"]
_MODEL_COLUMNS = (
    "curve", "base", "model", "trained", "weights", "weights_note", "evaluation", "dataset",
    "device", "environment_key", "threads", "precision", "repeats", "busy", "settings", "jf_best",
    "tau_best", "jf_low", "reuse_low", "reuse_high", "fps_best", "key",
)  # fmt: skip
_DROPPED = ("tau", "passes_computed", "passes_saved")
_DASH_PX = 1.5
_SPANS = ("jf_mean", "reuse_rate", "fps")


def runs(source: Readable, where: Selection) -> pd.DataFrame:
    """One row per trial, all columns of ``results`` in words and numbers.

    ``trained`` says "trained" or "untrained", ``weights_note`` what is known about trained
    weights, ``clips`` counts the sequences, ``base`` is the architecture; ``threads`` are those of
    a timing run, and ``busy`` says whether others used its device; ``owner`` is whose results they
    are where they were imported, None for own ones.
    """
    found = results(source, where)
    notes = weights_notes(source)
    times = timing_conditions(source).set_index("key")
    marks = found["key"].map(times["busy"])
    whose = owners(source)
    return found.assign(
        threads=found["key"].map(times["threads"]).astype(float),
        busy=pd.Series([BUSY if m is True else None for m in marks], found.index, dtype="object"),
        owner=pd.Series(list(map(whose.get, found["key"])), found.index, dtype="object"),
        trained=[_words(trained) for trained in found["trained"]],
        weights_note=[notes.get(sha256, "") for sha256 in found["weights_sha256"]],
        clips=[len(names) for names in found["sequences"]],
        base=[parse_model(name).base for name in found["model"]],
        switches=[
            ", ".join(f"{name}={taken}" for name, taken in sorted(switches.items()))
            for switches in found["switches"]
        ],
    )


def settings(source: Readable, where: Selection, runs: pd.DataFrame) -> pd.DataFrame:
    """One row per complete setting and machine that timed it: what plots and models start from.

    As :func:`vosbench.reports.frames.measured`, with ``curve``, ``base`` and intervals; machines
    are never averaged. Empty where nothing is complete.

    Args:
        source, where: which trials of which database.
        runs: of :func:`runs`.
    """
    if not (runs["state"] == State.COMPLETE.value).any():
        return pd.DataFrame(columns=list(_SETTING_COLUMNS))
    found = with_intervals(source, measured(source, where))
    found = found.assign(
        owner=found["key"].map(runs.set_index("key")["owner"]),
        base=[parse_model(name).base for name in found["model"]],
        trained=[_words(trained) for trained in found["trained"]],
    )
    numbers = [name for name in found if pd.api.types.is_float_dtype(found[name])]
    numbers = [name for name in numbers if found[name].notna().any() and name not in _DROPPED]
    return found[[*_SETTING_COLUMNS, *numbers]]


def summary(runs: pd.DataFrame, measured_at: tuple[float, float] | None) -> dict[str, Any]:
    """Of all runs: how many of each state, when the first and last were measured, what with."""

    def words(name: str) -> list[str]:
        return [word for word in dict.fromkeys(runs[name].dropna()) if word]

    first, last = measured_at or (None, None)
    return {
        "runs": len(runs),
        "states": runs["state"].value_counts(sort=False).to_dict(),
        "untrained": int((runs["trained"] == UNTRAINED).sum()),
        "busy": int((runs["busy"] == BUSY).sum()),
        "owners": {str(name): int(n) for name, n in runs["owner"].value_counts().items()},
        "first": first, "last": last,
        "models": words("model"), "datasets": words("dataset"), "devices": words("device"),
        "versions": words("version"), "precisions": words("precision"),
        "threads": sorted({int(number) for number in runs["threads"].dropna()}),
    }  # fmt: skip


def metrics(runs: pd.DataFrame) -> list[dict[str, str]]:
    """Metrics of some protocols or of other packages that any run has: how they are shown."""
    return [
        {"name": m.name, "label": m.axis, "kind": "percent" if m.unit == SHARE else "number"}
        for m in further_metrics()
        if m.name in runs and runs[m.name].notna().any()
    ]


def looks(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How each curve of :func:`settings` is drawn, as in the figures: colour, marker, dash."""
    found = {}
    firsts = frame.drop_duplicates("curve")
    for row in firsts.to_dict("records"):
        dash = [_DASH_PX * float(length) for length in row["dash"].split()]
        look = {"colour": row["colour"], "marker": row["marker"], "dash": dash}
        found[row["curve"]] = look | {"line": bool(row["policy"])}
    return found


def models(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per curve, evaluation and machine of :func:`settings`; nothing is averaged.

    ``settings`` counts them; ``jf_best`` is the best J&F with its ``tau_best``; ``fps_best`` the
    highest median FPS on that machine; ``reuse_low`` and ``reuse_high`` bound the reuse rates.
    """
    numbers = {name: frame.get(name, pd.Series(dtype=float)) for name in _SPANS}
    known = frame.assign(**{name: pd.to_numeric(column) for name, column in numbers.items()})
    groups = known.groupby(_MODEL, sort=False, dropna=False)
    known = known.assign(group=groups.ngroup())
    ranked = known.sort_values("jf_mean", ascending=False, kind="stable")
    best = ranked.drop_duplicates("group").rename(columns={"tau": "tau_best"})
    spans = known.groupby("group").agg(
        settings=("key", "size"),
        jf_best=("jf_mean", "max"),
        jf_low=("jf_mean", "min"),
        reuse_low=("reuse_rate", "min"),
        reuse_high=("reuse_rate", "max"),
        fps_best=("fps", "max"),
        disturbed=("busy", "any"),
    )
    joined = best.drop(columns=[name for name in spans if name in best]).join(spans, on="group")
    joined["busy"] = [BUSY if mark is True or mark == 1 else None for mark in joined["disturbed"]]
    return joined.sort_values("group")[list(_MODEL_COLUMNS)].reset_index(drop=True)


def clips(per_clip: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset and clip of ``sequences``: frames, objects, runs, the span of J&F and
    of the reuse rate over all its runs."""
    rows = []
    for (dataset, sequence), group in per_clip.groupby(["dataset", "sequence"], sort=False):
        row = {"dataset": dataset, "sequence": sequence}
        row |= {"frames": group["frames"].max(), "objects": group["objects"].max()}
        row["runs"] = group["key"].nunique()
        for name, short in (("jf_mean", "jf"), ("reuse_rate", "reuse")):
            values = group[name] if name in group else pd.Series(dtype=float)
            row |= {f"{short}_low": values.min(), f"{short}_high": values.max()}
        rows.append(row)
    names = ["dataset", "sequence", "frames", "objects", "runs"]
    names += ["jf_low", "jf_high", "reuse_low", "reuse_high"]
    return pd.DataFrame(rows, columns=names)


def timing_names(frame: pd.DataFrame) -> list[str]:
    """Columns that belong to a machine: only rows of one machine may share an axis of these."""
    return [name for name in map(str, frame) if name in TIMING or name.startswith("gflop/")]


def _words(trained: bool) -> str:
    return TRAINED if trained else UNTRAINED
