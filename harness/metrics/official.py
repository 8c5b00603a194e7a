"""Scores in the forms that others read: the official CSV files and one JSON object."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.harness.metrics.measures import MEASURES
from vosbench.harness.metrics.scorer import SequenceScores
from vosbench.harness.metrics.summary import UnseenOf, object_figures, summarise

GLOBAL_COLUMNS = ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay")
SEQUENCE_COLUMNS = ("Sequence", "J-Mean", "F-Mean")


def object_name(sequence: str, object_id: int) -> str:
    """How the official files name an object: ``dogs-jump_2``."""
    return f"{sequence}_{object_id}"


def scores_json(
    sequences: Sequence[SequenceScores],
    unseen_of: UnseenOf = lambda _: None,
    name_of: Callable[[str, int], str] = object_name,
) -> dict[str, dict[str, Any]]:
    """All scores as one object that :func:`json.dumps` takes.

    ``global`` holds the figures of the set and ``objects`` those of each object, by the official
    tool's names, with what was measured in each frame beside them; None (null) is unknown.

    Args:
        sequences: what was scored.
        unseen_of: classes that training lacks, where means over them are apart.
        name_of: an object's name, from its sequence and its id.

    Raises:
        ValueError: no object has a frame that counts.
    """
    measures = MEASURES[sequences[0].measures]
    names = measures.object_official or measures.official
    scored = [scores for sequence in sequences for scores in sequence.objects]
    objects: dict[str, dict[str, Any]] = {
        name_of(o.sequence, o.object_id): {
            official: o.figures[name] for name, official in names.items()
        }
        | {f"{_title(name)}_frames": values.tolist() for name, values in scores.series.items()}
        for o, scores in zip(object_figures(sequences), scored, strict=True)
    }
    total = summarise(sequences, unseen_of)
    return {
        "objects": objects,
        "global": {official: total[name] for name, official in measures.official.items()},
    }


def _title(name: str) -> str:
    """``F_new`` for the series ``f_new``; a flag's name stays."""
    return name[0].upper() + name[1:] if name[0] in "jf" else name


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
    global_file = folder / f"global_results-{split}.csv"
    sequence_file = folder / f"per-sequence_results-{split}.csv"
    _write_rows(
        global_file,
        [GLOBAL_COLUMNS, [_decimals(total[name]) for name in MEASURES["davis"].official]],
    )
    rows = [
        (
            object_name(o.sequence, o.object_id),
            *(_decimals(o.figures[n]) for n in ("j_mean", "f_mean")),
        )
        for o in object_figures(sequences)
    ]
    _write_rows(sequence_file, [SEQUENCE_COLUMNS, *rows])
    return global_file, sequence_file


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
