"""Each printed number beside the runs that stand for it, and whether they compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vosbench.reports.labels import BUSY, short_note
from vosbench.reports.published import Published, published_table, siblings

TITLES: Mapping[int, str] = {
    1: "Table 1: DAVIS validation sets",
    2: "Table 2: ablation of modules and loss, DAVIS",
    3: "Table 3: YouTube-VOS validation set",
    4: "Table 4: YouTube-VOS, with pre-training",
}

WHOLE_SETS: Mapping[str, int] = {"davis16": 20, "davis17": 30, "ytvos18": 474, "ytvos19": 507}
"""Sequences of the sets that the paper's numbers are of."""

COLUMNS = (
    "table", "row", "method", "tau", "quantity", "unit", "published", "also_published",
    "measured", "difference", "comparable", "remark", "run_remark", "model", "dataset", "clips",
    "protocol", "weights", "weights_note", "device", "conditions", "key",
)  # fmt: skip
"""Of a comparison: one row per printed number and run, in the paper's units."""

_SPEEDS = {"fps": "fps_published", "reuse_rate": "reuse_rate_published"}
"""Metrics that the published code counts in its own way, and ours in that way."""


@dataclass(frozen=True)
class MeasuredValue:
    """A measured number in the paper's unit, and why it doesn't compare.

    Attributes:
        run_remark: what about its run doesn't, "" if all does.
        own_remark: what about this quantity doesn't, "" if it does.
    """

    value: float
    run_remark: str
    own_remark: str

    @property
    def remark(self) -> str:
        """All reasons."""
        return "; ".join(filter(None, [self.run_remark, self.own_remark]))


def compare(number: int, found: pd.DataFrame) -> pd.DataFrame:
    """Table 1, 2, 3 or 4 beside the results of ``measured``: :data:`COLUMNS`.

    Numbers without a run have one row whose ``measured`` is NaN.
    """
    rows = [row for printed in published_table(number) for row in _rows(printed, found)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"clips": "Int64"})


def _rows(printed: Published, found: pd.DataFrame) -> Iterator[dict[str, Any]]:
    quantity = printed.quantity
    also = "; ".join(f"table {other.table}: {other.value:g}" for other in siblings(printed))
    row: dict[str, Any] = {
        "table": printed.table,
        "row": printed.row,
        "method": printed.method,
        "tau": printed.tau,
        "quantity": quantity.label,
        "unit": quantity.unit,
        "published": printed.value,
        "also_published": also,
    }
    runs = list(_runs(printed, found))
    for run, result in runs:
        difference = float("nan") if printed.value is None else result.value - printed.value
        yield row | run_columns(run, result) | {"difference": difference}
    if not runs:
        yield row | {"comparable": False, "remark": "not measured" if printed.model else ""}


def run_columns(run: Mapping[str, Any], result: MeasuredValue) -> dict[str, Any]:
    """What a comparison says about a run."""
    return {
        "measured": result.value,
        "comparable": not result.remark,
        "remark": result.remark,
        "run_remark": result.run_remark,
        "model": run["model"],
        "dataset": run["dataset"],
        "clips": len(run["sequences"]),
        "protocol": run["protocol"],
        "weights": run["weights"],
        "weights_note": run["weights_note"],
        "device": run["device"],
        "conditions": conditions(run),
        "key": run["key"],
    }


def conditions(run: Mapping[str, Any]) -> str:
    """``2 threads, float32, 3 repeats`` of a run's timing, and whether it was busy; "" without."""
    if not run.get("repeats"):
        return ""
    threads = run.get("threads")
    parts = [
        "" if threads is None or pd.isna(threads) else f"{int(threads)} threads",
        str(run["precision"]),
        f"{run['repeats']} repeat{'' if run['repeats'] == 1 else 's'}",
        BUSY if run.get("busy") else "",
    ]
    return ", ".join(filter(None, parts))


def _runs(
    printed: Published, found: pd.DataFrame
) -> Iterator[tuple[dict[str, Any], MeasuredValue]]:
    """The runs that stand for a printed number, and their numbers."""
    quantity = printed.quantity
    if printed.model is None:
        return
    same_tau = found["tau"].map(lambda tau: tau == printed.run_tau).astype(bool)
    candidates = found[(found["model"] == printed.model) & same_tau]
    on_set = candidates["dataset"].map(lambda name: is_dataset(name, quantity.dataset))
    seen: set[str] = set()
    for run in candidates[on_set.astype(bool)].to_dict("records"):
        # Accuracy is of the setting: machines that timed it don't make other numbers of it.
        if quantity.metric != "fps" and run["setting"] in seen:
            continue
        seen.add(run["setting"])
        result = read(run, quantity.metric, quantity.factor)
        if result is not None:
            yield {str(name): value for name, value in run.items()}, result


def is_dataset(name: str, printed: str) -> bool:
    """Whether results on ``name`` stand for the paper's dataset; never a held-out part."""
    return name in {"ytvos18", "ytvos19"} if printed == "ytvos" else name == printed


def read(run: Mapping[Any, Any], metric: str, factor: float) -> MeasuredValue | None:
    """A run's number in the paper's unit and why it doesn't compare; None if it has none."""
    reasons = []
    name = metric
    if metric in _SPEEDS:
        published_way = run.get(_SPEEDS[metric])
        if published_way is not None and pd.notna(published_way):
            name = _SPEEDS[metric]
        else:
            reasons.append("counted our way, not the published code's")
    if metric == "fps":
        reasons.append("another machine")
        if run.get("busy"):
            reasons.append(f"{BUSY}: others used the device meanwhile")
    value = run.get(name)
    if value is None or pd.isna(value):
        return None
    return MeasuredValue(float(value) * factor, "; ".join(incomparable(run)), "; ".join(reasons))


def incomparable(run: Mapping[Any, Any]) -> list[str]:
    """Why a run's accuracy doesn't compare with the paper's, one reason each."""
    reasons = []
    if run["weights_note"]:
        reasons.append(f"not the paper's weights: {short_note(run['weights_note'])}")
    whole, clips = WHOLE_SETS.get(run["dataset"]), len(run["sequences"])
    if whole is not None and clips != whole:
        reasons.append(f"{clips} of {whole} sequences")
    if pd.notna(run["max_frames"]):
        reasons.append(f"first {run['max_frames']} frames")
    if run["input_size"]:
        reasons.append(f"input at {run['input_size']}")
    return reasons
