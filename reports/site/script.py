"""Data as scripts: a page that was opened from a file may not fetch, but it may load a script."""

from __future__ import annotations

import base64
import json
import math
import zlib
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
_LEVEL = 4
"""Of compression: 6 makes files 5 % smaller, and takes twice as long."""


def write_script(folder: Path, name: str, data: Any) -> int:
    """Write ``data`` as ``name``.js in ``folder``; returns its size in bytes.

    It is JSON, as :func:`packed` and :func:`plain` make it, compressed and in base64: the same
    bytes for the same data, and no text in it can end a script or begin an element.
    """
    path = folder / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    written = f'{RECEIVER}("{name}","{compressed(text.encode("ascii"))}");\n'
    path.write_text(written, encoding="ascii")
    return len(written)


def read_script(path: Path) -> Any:
    """The data that :func:`write_script` wrote."""
    _, _, rest = path.read_text(encoding="ascii").partition(",")
    return json.loads(zlib.decompress(base64.b64decode(json.loads(rest.rpartition(")")[0]))))


def compressed(data: bytes) -> str:
    """Base64 of zlib's format, which browsers take apart by themselves."""
    return base64.b64encode(zlib.compress(data, _LEVEL)).decode("ascii")


def packed(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame column by column: ``{"rows": n, "columns": {name: column}}``.

    A column is ``{"values": […]}`` or, for text that repeats itself, ``{"words": […], "codes":
    […]}`` with an index into the words for each row, None where there is none.
    """
    columns = {str(name): _column(frame[name]) for name in frame}
    return {"rows": len(frame), "columns": columns}


def _column(column: pd.Series) -> dict[str, Any]:
    if pd.api.types.is_float_dtype(column.dtype) and isinstance(column.dtype, np.dtype):
        known = np.isfinite(column.to_numpy())
        listed = zip(column.tolist(), known.tolist(), strict=True)
        return {"values": [value if finite else None for value, finite in listed]}
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


def rounded(frame: pd.DataFrame, digits: int = 6) -> pd.DataFrame:
    """The frame with its floats to so many significant digits: what is only looked at."""
    floats = frame.select_dtypes("float")
    values = floats.to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = digits - 1 - np.floor(np.log10(np.abs(values)))
        scale = 10.0 ** np.where(np.isfinite(power), np.clip(power, -300, 300), 0)
        kept = np.round(values * scale) / scale
    return frame.assign(**{str(name): kept[:, at] for at, name in enumerate(floats)})
