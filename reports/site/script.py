"""Data as scripts: a page that was opened from a file may not fetch, but it may load a script."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

RECEIVER = "vosbenchData"
"""The page's function that every data file calls with its name and its data."""

_COMMON = 2
"""A text column is spelt with a list of its words where each is used so often on average."""


def write_script(folder: Path, name: str, data: Any) -> Path:
    """Write ``data`` as ``name``.js in ``folder``; the same bytes for the same data.

    It is JSON, as :func:`packed` and :func:`plain` make it. ``<`` is escaped, so that no text can
    end a script or begin an element, wherever the file is pasted.
    """
    path = folder / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    path.write_text(f'{RECEIVER}("{name}",{text});\n', encoding="ascii")
    return path


def packed(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame column by column: ``{"rows": n, "columns": {name: column}}``.

    A column is ``{"values": […]}`` or, for text that repeats itself, ``{"words": […], "codes":
    […]}`` with an index into the words for each row, None where there is none.
    """
    columns = {str(name): _column(frame[name]) for name in frame}
    return {"rows": len(frame), "columns": columns}


def _column(column: pd.Series) -> dict[str, Any]:
    values = [plain(value) for value in column]
    if not any(isinstance(value, str) for value in values):
        return {"values": values}
    texts = [value if value is None else str(value) for value in values]
    words = list(dict.fromkeys(text for text in texts if text is not None))
    if _COMMON * len(words) > len(texts):
        return {"values": texts}
    places = {word: place for place, word in enumerate(words)}
    return {"words": words, "codes": [None if t is None else places[t] for t in texts]}


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples become ``a, b``, mappings of a cell stay mappings."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, np.generic):
        value = value.item()
    elif isinstance(value, Decimal):
        value = float(value)
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, str | bool | int | float) else str(value)


def float_list(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Numbers with the shortest digits that name them in their own precision; NaN is None."""
    finite = np.isfinite(values)
    return [
        float(text) if known else None
        for text, known in zip(values.astype(str).tolist(), finite.tolist(), strict=True)
    ]
