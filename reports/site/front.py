"""What the front page says: the best of each set of sequences, the worst sequences, failures."""

from __future__ import annotations

from typing import Any

import pandas as pd

from vosbench.harness.store import State
from vosbench.reports.published import published_table
from vosbench.reports.site.script import plain
from vosbench.reports.table_rows import TITLES, WHOLE_SETS, is_dataset

BEST = 5
"""So many models of each set of sequences are on the front page."""
WORST = 5
"""So many sequences, those where its best model has the lowest J&F."""
FAILED = 5

_SHOWN = (
    "curve", "base", "tau", "jf_mean", "jf_low", "jf_high", "reuse_rate", "fps", "fps_low",
    "fps_high", "device", "threads", "precision", "repeats", "busy", "trained", "weights_note",
    "owner", "key",
)  # fmt: skip


def headline(settings: pd.DataFrame, per_clip: pd.DataFrame) -> list[dict[str, Any]]:
    """One entry for each set of sequences, in the order of ``settings``.

    Each has ``evaluation``, ``dataset``, ``curves`` (how many there are), ``best`` (the best
    setting of each of :data:`BEST` curves, and its fastest machine), ``published`` (the paper's own
    methods on that dataset) and ``worst`` (sequences of the best run, the lowest J&F first).

    Args:
        settings: of :func:`vosbench.reports.site.tables.settings`.
        per_clip: of :func:`vosbench.harness.store.sequences`.
    """
    if settings.empty:
        return []
    ranked = settings[settings["jf_mean"].notna()]
    order = ["jf_mean", "fps"] if "fps" in ranked else ["jf_mean"]
    ranked = ranked.sort_values(order, ascending=False, kind="stable")
    by_key = per_clip.groupby("key", sort=False)
    found = []
    for evaluation in dict.fromkeys(settings["evaluation"]):
        there = ranked[ranked["evaluation"] == evaluation]
        best = there.drop_duplicates("curve").head(BEST)
        if best.empty:
            continue
        dataset = str(best["dataset"].iloc[0])
        rows = best.reindex(columns=list(_SHOWN)).to_dict("records")
        key = best["key"].iloc[0]
        clips = by_key.get_group(key) if key in by_key.groups else per_clip.iloc[:0]
        found.append({
            "evaluation": evaluation, "dataset": dataset, "curves": there["curve"].nunique(),
            "best": [{name: plain(row[name]) for name in _SHOWN} for row in rows],
            "published": published(dataset, len(clips)),
            "worst": _worst(clips),
        })  # fmt: skip
    return found


def _worst(clips: pd.DataFrame) -> list[dict[str, Any]]:
    if "jf_mean" not in clips or len(clips) < 2:
        return []
    lowest = clips[clips["jf_mean"].notna()].nsmallest(WORST, "jf_mean")
    return [
        {"sequence": row["sequence"], "jf": row["jf_mean"]} for row in lowest.to_dict("records")
    ]


def published(dataset: str, clips: int) -> dict[str, Any] | None:
    """What the paper prints of its own methods on a dataset; None where it has no number.

    ``rows`` hold ``method``, ``model``, ``tau``, ``score`` and ``fps`` as printed; ``score`` names
    the column, ``table`` where it stands, ``whole`` whether so many ``clips`` are all of them.
    """
    number = 3 if is_dataset(dataset, "ytvos") else 1
    printed = [one for one in published_table(number) if is_dataset(dataset, one.quantity.dataset)]
    scores = [one for one in printed if one.quantity.metric in ("jf_mean", "g_all")]
    speeds = {one.row: one.value for one in printed if one.quantity.metric == "fps"}
    rows = [
        {
            "method": one.method, "model": one.model, "tau": plain(one.run_tau),
            "score": one.value, "fps": speeds.get(one.row),
        }
        for one in scores
        if one.model is not None and one.value is not None
    ]  # fmt: skip
    if not rows:
        return None
    rows.sort(key=lambda row: -row["score"])
    whole = WHOLE_SETS.get(dataset) == clips
    about = {"table": TITLES[number], "score": scores[0].quantity.label, "whole": whole}
    return {"rows": rows, **about}


def failures(runs: pd.DataFrame) -> dict[str, Any]:
    """How many runs failed, and the first of them: ``key``, ``model``, ``dataset``, ``error``."""
    failed = runs[runs["state"] == State.FAILED.value]
    shown = failed.head(FAILED)
    return {
        "count": len(failed),
        "first": [
            {
                "key": one["key"], "model": one["model"], "tau": plain(one["tau"]),
                "dataset": one["dataset"], "error": one["error"],
            }
            for one in shown.to_dict("records")
        ],
    }  # fmt: skip
