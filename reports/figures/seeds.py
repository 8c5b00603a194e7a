"""Trainings that differ in nothing but their seed: their mean, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

NOTE = "bars: one standard deviation over trainings that differ in their seed alone"
_MEANS = ("reuse_rate", "jf_mean", "value")
"""``value`` where another metric is shown."""


def one_name_each(points: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """The points as curves are named by: weights are named only where margins don't tell them.

    Args:
        points: with ``model``, ``margins``, ``weights`` and ``weights_sha256``.
        families: of :func:`vosbench.harness.store.catalog.training_families`.
    """
    same = points["weights_sha256"].map(lambda sha256: families.get(sha256, sha256))
    several = same.groupby([points["model"], points["margins"]]).transform("nunique") > 1
    # Seeds of one family are called alike, by the first of them.
    first = points["weights"].groupby(same).transform("first")
    return points.assign(weights=first.where(several, ""), weights_sha256=same.where(several, ""))


def over_seeds(points: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """Points of one curve and τ whose trainings differ in their seed become one.

    J&F and reuse rate are means; ``seeds`` counts the trainings, ``jf_std`` and ``reuse_std``
    are sample standard deviations, NaN for a single training.
    """
    same = points["weights_sha256"].map(lambda sha256: families.get(sha256, sha256))
    kept = []
    for _, rows in points.groupby(
        [points["panel"], points["curve"], points["point"], same], sort=False
    ):
        row = rows.iloc[[0]].copy()
        count = rows["weights_sha256"].nunique()
        row["seeds"] = count
        known = [name for name in _MEANS if name in rows]
        means = rows.groupby("weights_sha256")[known].mean()
        for name in known:
            row[name] = means[name].mean()
        row["jf_std"], row["reuse_std"] = means["jf_mean"].std(), means["reuse_rate"].std()
        kept.append(row)
    if not kept:
        return points.assign(seeds=0, jf_std=float("nan"), reuse_std=float("nan"))
    joined = pd.concat(kept, ignore_index=True)
    # A curve says how many trainings it is the mean of, where its points agree about it.
    counts = joined.groupby(["panel", "curve"])["seeds"].transform("max")
    names = joined["curve"] + ", " + counts.astype(str) + " seeds"
    return joined.assign(curve=joined["curve"].where(counts < 2, names))
