"""Names for curves, as short as they can be while telling all curves of a plot apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from vosbench.reports.names import parse_model

_SHORT_HASH = 6
_LONGEST_NOTE = 24


def _switches(value: Any) -> str:
    return ", ".join(f"{name}={choice}" for name, choice in sorted(value.items()))


def margins_name(margins: str) -> str:
    """``M(1, 0.2)`` from ``1.0,0.2``."""
    numbers = [f"{float(part):g}" for part in margins.split(",")]
    return f"M({', '.join(numbers)})"


_PARTS: Mapping[str, Callable[[Any], str]] = {
    "weights": str,
    "margins": margins_name,
    "precision": str,
    "input_size": lambda value: f"at {value}",
    "seed": lambda value: f"seed {value}",
    "switches": _switches,
    "runner_version": lambda value: f"version {value}",
}
"""What may tell two curves of one model apart, and how it is written."""


def curve_names(frame: pd.DataFrame) -> pd.Series:
    """The curve that each row is a point of.

    The model's name without a policy's argument, then whatever of weights, margins, precision,
    input size, seed, switches and version differs within that model, then a short note on the
    weights ("untrained") in brackets; a long one is for :func:`remarks` alone.

    Args:
        frame: rows of :func:`vosbench.reports.frames.measured` or ``trials``.
    """
    models = frame["model"].map(lambda name: parse_model(name).curve)
    names: dict[Hashable, str] = {}
    for model, rows in frame.groupby(models, sort=False):
        extras = _differences(rows)
        for index, parts, note in zip(rows.index, extras, rows["weights_note"], strict=True):
            brief = short_note(note)
            # A long one is left to the remark below a plot: in a legend it hides the names.
            words = f" ({brief})" if brief and len(brief) <= _LONGEST_NOTE else ""
            names[index] = " · ".join([str(model), *parts]) + words
    return pd.Series([names[index] for index in frame.index], index=frame.index, dtype="object")


def _differences(rows: pd.DataFrame) -> list[list[str]]:
    """For each row, in words, what tells its curve from others of the same model."""
    extras: list[list[str]] = [[] for _ in range(len(rows))]
    for column, write in _PARTS.items():
        texts = ["" if _missing(value) else write(value) for value in rows[column]]
        _add(extras, texts)
    hashes_of: dict[tuple[str, ...], set[str]] = {}
    for parts, sha256 in zip(extras, rows["weights_sha256"], strict=True):
        hashes_of.setdefault(tuple(parts), set()).add(sha256)
    if any(len(hashes) > 1 for hashes in hashes_of.values()):
        _add(extras, [sha256[:_SHORT_HASH] for sha256 in rows["weights_sha256"]])
    return extras


def _add(extras: list[list[str]], texts: Sequence[str]) -> None:
    if len(set(texts)) > 1:
        for parts, text in zip(extras, texts, strict=True):
            if text:
                parts.append(text)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def machine_names(rows: pd.DataFrame) -> list[str]:
    """``on DEVICE`` for each row, with the start of the comparability key where devices agree."""
    keys_of_device = rows.groupby("device")["environment_key"].nunique()
    return [
        ""
        if _missing(device)
        else f"on {device}" + (f" [{key[:_SHORT_HASH]}]" if keys_of_device[device] > 1 else "")
        for device, key in zip(rows["device"], rows["environment_key"], strict=True)
    ]


def short_note(note: str) -> str:
    """The note's first clause: what fits into a legend."""
    for stop in (";", ":", ",", ". "):
        note = note.partition(stop)[0]
    return note.strip()


def remarks(frame: pd.DataFrame) -> str:
    """What has to be said about a plot's rows, one line each; "" if nothing has.

    Reads ``curve``, ``weights_note`` and, where there is one, ``environment_key``.
    """
    lines = []
    for note, rows in frame[frame["weights_note"] != ""].groupby("weights_note", sort=False):
        models = dict.fromkeys(parse_model(name).curve for name in rows["model"])
        everywhere = len(rows) == len(frame)
        lines.append(str(note) if everywhere else f"{note}: {', '.join(models)}")
    if "environment_key" in frame:
        keys = frame["environment_key"].dropna().nunique()
        if keys > 1:
            lines.append(f"timed in {keys} environments: speeds compare only within a panel")
    return "\n".join(lines)
