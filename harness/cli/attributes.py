"""Results by attribute: objects grouped by how fast they move, or by their size."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


class Attribute(StrEnum):
    """What objects may be grouped by."""

    MOTION = "motion"
    SIZE = "size"


_SHOWN = ("j_mean", "f_mean", "reuse_rate")


def by_attribute(objects: pd.DataFrame, attribute: Attribute) -> pd.DataFrame:
    """Means over the objects of each class, one row per setting and class.

    Args:
        objects: :func:`vosbench.harness.store.objects`.

    Raises:
        InputError: no object there has been compared with an annotation.
    """
    from vosbench.harness.datasets.stats import motion_class, size_class

    measure, classify = {
        Attribute.MOTION: ("adjacent_iou", motion_class),
        Attribute.SIZE: ("area", size_class),
    }[attribute]
    if measure not in objects or "j_mean" not in objects:
        raise InputError(f"no accuracy results with {measure} there: run `vosbench run` first")
    known = objects[objects[measure].notna() & objects["j_mean"].notna()]
    classes = [str(classify(value)) for value in known[measure]]
    tau = [math.nan if value is None else float(value) for value in known["tau"]]
    known = known.assign(tau=tau)
    known[attribute.value] = classes
    grouped = known.groupby(
        ["key", "model", "dataset", "tau", attribute.value], sort=False, dropna=False
    )
    means = grouped[list(_SHOWN)].mean()
    means.insert(0, "jf_mean", (means["j_mean"] + means["f_mean"]) / 2)
    means.insert(0, "objects", grouped.size())
    return means.reset_index().drop(columns="key")
