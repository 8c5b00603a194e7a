"""What the paper's text claims, checked against the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from vosbench.harness.store import Readable, Selection, objects
from vosbench.harness.trials import Kind
from vosbench.reports.figures.motion import SIMILAR, adjacent_ious
from vosbench.reports.frames import measured, trials
from vosbench.reports.published import PaperClaim, claims, methods
from vosbench.reports.table_rows import (
    WHOLE_SETS,
    MeasuredValue,
    incomparable,
    is_dataset,
    read,
    run_columns,
)

_DATASETS: Mapping[str, str] = {"DAVIS16": "davis16", "DAVIS17": "davis17", "YouTube-VOS": "ytvos"}

CLAIM_COLUMNS = (
    "row", "claim", "where", "printed_dataset", "printed_model", "tau", "unit", "published",
    "measured", "difference", "comparable", "remark", "run_remark", "model", "dataset", "clips",
    "protocol", "weights", "weights_note", "device", "conditions", "key",
)  # fmt: skip
"""Of the checked claims: one row per number and run."""

Found = Iterator[tuple[Mapping[str, Any], MeasuredValue]]


def compare_claims(source: Readable, where: Selection) -> pd.DataFrame:
    """Every claim beside the database: :data:`CLAIM_COLUMNS`; NaN where nothing was measured.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    found = measured(source, where)
    rows: list[dict[str, Any]] = []
    number = 0
    for claim in claims():
        for index, value in enumerate(claim.values):
            name = claim.text
            if len(claim.values) > 1:
                name = f"{claim.text.partition(' of ')[0]} of object {index + 1}"
            row = {
                "row": number,
                "claim": name,
                "where": claim.where,
                "printed_dataset": claim.dataset,
                "printed_model": claim.model,
                "tau": claim.tau,
                "unit": claim.unit,
                "published": value,
            }
            number += 1
            matches = list(_matches(claim, index, source, where, found))
            for run, result in matches:
                difference = result.value - value
                rows.append(row | run_columns(run, result) | {"difference": difference})
            if not matches:
                rows.append(row | {"comparable": False, "remark": "not measured"})
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS)).astype({"clips": "Int64"})


def _matches(
    claim: PaperClaim, index: int, source: Readable, where: Selection, found: pd.DataFrame
) -> Found:
    if claim.text.startswith("adjacent-mask IoU"):
        return _similar_neighbours(claim, source, where)
    if claim.text.startswith("reuse rate of object"):
        return _object_reuse(claim, index + 1, source, where)
    metric = {"reuse rate": "reuse_rate", "FPS": "fps"}[claim.text]
    return _runs(claim, metric, found)


def _runs(claim: PaperClaim, metric: str, found: pd.DataFrame) -> Found:
    model, _ = methods()[claim.model]
    seen: set[str] = set()
    for run in found[found["model"] == model].to_dict("records"):
        if run["tau"] != claim.tau or not is_dataset(run["dataset"], _DATASETS[claim.dataset]):
            continue
        if metric != "fps" and run["setting"] in seen:
            continue
        seen.add(run["setting"])
        result = read(run, metric, 1.0)
        if result is not None:
            yield {str(name): value for name, value in run.items()}, result


def _similar_neighbours(claim: PaperClaim, source: Readable, where: Selection) -> Found:
    """A property of the annotations: weights and model don't matter."""
    dataset = _DATASETS[claim.dataset]
    shares = {
        name: 100 * float((values > SIMILAR).mean())
        for name, values in adjacent_ious(source, where).items()
        if len(values)
    }
    found = trials(source, where, Kind.ACCURACY).drop_duplicates("evaluation")
    for run in found[found["dataset"] == dataset].to_dict("records"):
        if run["evaluation"] in shares:
            of_annotations = {**run, "weights_note": "", "input_size": None}
            about = {"model": "annotations", "weights": "", "device": None, "weights_note": ""}
            remark = "; ".join(incomparable(of_annotations))
            named = {str(name): value for name, value in run.items()}
            yield named | about, MeasuredValue(shares[run["evaluation"]], remark, "")


def _object_reuse(claim: PaperClaim, object_id: int, source: Readable, where: Selection) -> Found:
    """The clip is named as the dataset; the paper gives no τ, so every run of it is shown."""
    model, _ = methods()[claim.model]
    only = replace(where, models=[model], datasets=["davis17"], kinds=(Kind.ACCURACY,))
    found = objects(source, only)
    if "reuse_rate" not in found:
        return
    chosen = found[(found["sequence"] == claim.dataset) & (found["object_id"] == object_id)]
    runs = trials(source, only, Kind.ACCURACY).set_index("key", drop=False)
    for key, rate in zip(chosen["key"], chosen["reuse_rate"], strict=True):
        if key in runs.index and pd.notna(rate):
            run = {str(name): value for name, value in runs.loc[key].items()}
            reasons = incomparable({**run, "sequences": ("",) * WHOLE_SETS["davis17"]})
            if run["tau"] is not None:
                reasons.append(f"τ = {run['tau'].normalize():f}")
            yield run, MeasuredValue(float(rate), "; ".join(reasons), "the paper gives no τ for it")
