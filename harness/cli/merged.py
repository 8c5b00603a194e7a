"""One row per setting: its accuracy beside its speed, though these are trials of their own."""

from __future__ import annotations

import pandas as pd

SETTING = [
    "model",
    "dataset",
    "tau",
    "tau2",
    "weights_sha256",
    "manifest_sha256",
    "protocol",
    "precision",
    "seed",
    "switches",
]
"""Trials that agree in these columns are the same setting, measured in different ways."""

_SPEED = ("fps", "ms_per_frame")


def merge_kinds(frame: pd.DataFrame) -> pd.DataFrame:
    """Join accuracy and timing trials: medians over timing repeats of one environment.

    Rows keep their order. Where a setting was timed in several environments, each has a row of
    its own, since such times are not averaged.
    """
    if frame.empty or frame["kind"].nunique() < 2:
        return frame
    settings = [repr(tuple(row)) for row in frame[SETTING].to_numpy()]
    keyed = frame.assign(_setting=settings)
    rows = []
    for _, group in keyed.groupby("_setting", sort=False):
        accuracy = group[group["kind"] == "accuracy"]
        timing = group[group["kind"] == "timing"]
        if accuracy.empty or timing.empty:
            rows += [row for _, row in group.iterrows()]
            continue
        for _, timed in timing.groupby("environment_key", sort=False, dropna=False):
            row = accuracy.iloc[0].copy()
            for name in _SPEED:
                row[name] = timed[name].median()
            row["device"] = timed["device"].iloc[0]
            row["kind"] = "both"
            unfinished = [s for s in (row["state"], *timed["state"]) if s != "complete"]
            row["state"] = unfinished[0] if unfinished else "complete"
            rows.append(row)
    return pd.DataFrame(rows).drop(columns="_setting")
