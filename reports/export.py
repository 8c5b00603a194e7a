"""Frames as files: CSV, Parquet, JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vosbench.baselines.atomic import replacing
from vosbench.baselines.errors import InputError
from vosbench.harness.text import csv_text

EXTENSIONS = (".csv", ".parquet", ".jsonl")


def export_frame(frame: pd.DataFrame, out: Path) -> Path:
    """Write a frame in the format that the extension of ``out`` names; returns ``out``.

    Columns keep their names. Decimals become numbers in JSON lines and Parquet and keep their
    digits in CSV; tuples and mappings become JSON text; columns of arrays are left out.

    Raises:
        InputError: another extension, Parquet without pyarrow, or a place that can't be written.
    """
    extension = out.suffix.lower()
    if extension not in EXTENSIONS:
        raise InputError(f"{out}: an export's file ends in {', '.join(EXTENSIONS)}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as unfinished:
            _write(scalars(frame), unfinished, extension)
    except OSError as error:
        raise InputError(f"can't write {out}: {error.strerror or error}") from None
    return out


def _write(frame: pd.DataFrame, out: Path, extension: str) -> None:
    if extension == ".csv":
        out.write_text(csv_text(frame), encoding="utf-8")
    elif extension == ".jsonl":
        _with_numbers(frame).to_json(out, orient="records", lines=True, double_precision=15)
    else:
        _write_parquet(_with_numbers(frame), out)


def scalars(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as a file can hold it: no arrays, tuples and mappings as JSON text."""
    kept = {
        name: column.map(_text) if column.dtype == object else column
        for name, column in frame.items()
        if not column.map(lambda value: isinstance(value, np.ndarray)).any()
    }
    return pd.DataFrame(kept, index=frame.index)


def _text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(dict(sorted(value.items())))
    return json.dumps(list(value)) if isinstance(value, tuple) else value


def _with_numbers(frame: pd.DataFrame) -> pd.DataFrame:
    """τ and τ₂ as float: neither format has a decimal type that all readers know."""
    numbers = {
        name: pd.to_numeric(frame[name].map(lambda v: None if v is None else float(v)))
        for name in ("tau", "tau2")
        if name in frame
    }
    return frame.assign(**numbers)


def _write_parquet(frame: pd.DataFrame, out: Path) -> None:
    try:
        frame.to_parquet(out, engine="pyarrow", index=False)
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow: pip install pyarrow or 'vosbench[parquet]', or write .csv"
        ) from None
