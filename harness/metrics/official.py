"""Scores in the forms that others read: the official CSV files and one JSON object."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.harness.metrics.scorer import SequenceScores
from vosbench.harness.metrics.statistics import ScoreSummary, object_statistics, summarise

GLOBAL_COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")
SEQUENCE_COLUMNS = ("Sequence", "J-Mean", "F-Mean")


class GlobalJson(TypedDict):
    """Means over all objects."""

    JF_mean: float
    J_mean: float
    J_recall: float
    J_decay: float
    F_mean: float
    F_recall: float
    F_decay: float


class ObjectJson(TypedDict):
    """One object; means are None (null) if no frame counts."""

    J_mean: float | None
    J_recall: float | None
    J_decay: float | None
    F_mean: float | None
    F_recall: float | None
    F_decay: float | None
    J_frames: list[float]
    F_frames: list[float]


ScoresJson = TypedDict("ScoresJson", {"objects": dict[str, ObjectJson], "global": GlobalJson})
"""What ``vosbench eval --json`` prints; objects are named ``<sequence>_<object id>``."""


def object_name(sequence: str, object_id: int) -> str:
    """How the official files name an object: ``dogs-jump_2``."""
    return f"{sequence}_{object_id}"


def scores_json(sequences: Sequence[SequenceScores]) -> ScoresJson:
    """All scores as one object that :func:`json.dumps` takes.

    Raises:
        ValueError: no object has a frame that counts.
    """
    scores = [scores for sequence in sequences for scores in sequence.objects]
    objects: dict[str, ObjectJson] = {
        object_name(o.sequence, o.object_id): {
            "J_mean": o.j.mean,
            "J_recall": o.j.recall,
            "J_decay": o.j.decay,
            "F_mean": o.f.mean,
            "F_recall": o.f.recall,
            "F_decay": o.f.decay,
            "J_frames": series.j.tolist(),
            "F_frames": series.f.tolist(),
        }
        for o, series in zip(object_statistics(sequences), scores, strict=True)
    }
    return {"objects": objects, "global": _global_json(summarise(sequences))}


def write_official_csv(
    sequences: Sequence[SequenceScores], folder: Path, split: str = "val"
) -> tuple[Path, Path]:
    """Write ``global_results-<split>.csv`` and ``per-sequence_results-<split>.csv``; their paths.

    Three decimals, columns and names as the official DAVIS 2017 evaluation writes them. An object
    of which no frame counts has empty cells.

    Raises:
        InputError: ``folder`` can't be written.
        ValueError: no object has a frame that counts.
    """
    total = summarise(sequences)
    j = (total.j_mean, total.j_recall, total.j_decay)
    f = (total.f_mean, total.f_recall, total.f_decay)
    global_file = folder / f"global_results-{split}.csv"
    sequence_file = folder / f"per-sequence_results-{split}.csv"
    _write_rows(
        global_file, [GLOBAL_COLUMNS, [_decimals(mean) for mean in (total.jf_mean, *j, *f)]]
    )
    rows = [
        (object_name(o.sequence, o.object_id), _decimals(o.j.mean), _decimals(o.f.mean))
        for o in object_statistics(sequences)
    ]
    _write_rows(sequence_file, [SEQUENCE_COLUMNS, *rows])
    return global_file, sequence_file


def _global_json(total: ScoreSummary) -> GlobalJson:
    return {
        "JF_mean": total.jf_mean,
        "J_mean": total.j_mean,
        "J_recall": total.j_recall,
        "J_decay": total.j_decay,
        "F_mean": total.f_mean,
        "F_recall": total.f_recall,
        "F_decay": total.f_decay,
    }


def _decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _write_rows(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Replace ``path`` as a whole, so that no reader sees half a table."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise InputError(
            f"{path} can't be written ({error.strerror}): choose a folder that can"
        ) from None
