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
        if column == "weights":
            texts = [
                _weights(text, model) for text, model in zip(texts, rows["model"], strict=True)
            ]
        _add(extras, texts)
    hashes_of: dict[tuple[str, ...], set[str]] = {}
    for parts, sha256 in zip(extras, rows["weights_sha256"], strict=True):
        hashes_of.setdefault(tuple(parts), set()).add(sha256)
    if any(len(hashes) > 1 for hashes in hashes_of.values()):
        _add(extras, [sha256[:_SHORT_HASH] for sha256 in rows["weights_sha256"]])
    return extras


def _weights(text: str, model: str) -> str:
    """A checkpoint by as much of its name as the model's doesn't say already."""
    parts = parse_model(model)
    network = f"{parts.base}@{parts.variant}" if parts.variant else parts.base
    if text.startswith("shipped:"):
        return "shipped"
    return text.removesuffix(".safetensors").removeprefix(f"{network}-")


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
    return "\n".join([*lines, *timing_remarks(frame)])


def timing_remarks(frame: pd.DataFrame) -> list[str]:
    """What speeds belong to: device, threads, precision, repeats, and whether others used it.

    Reads ``device``, ``environment_key``, ``threads``, ``precision``, ``repeats``, ``busy``
    and ``curve`` where there are any; nothing is said of rows that weren't timed.
    """
    if "environment_key" not in frame or frame["environment_key"].isna().all():
        return []
    timed = frame[frame["environment_key"].notna()]
    machines = [_machine(rows) for _, rows in timed.groupby("environment_key", sort=False)]
    lines = ["timed on " + "; ".join(dict.fromkeys(machines))]
    keys = timed["environment_key"].nunique()
    if keys > 1:
        lines.append(f"timed in {keys} environments: speeds compare only within a panel")
    busy = timed[timed["busy"].eq(True)] if "busy" in timed else timed[:0]
    if len(busy):
        who = "all of them" if len(busy) == len(timed) else ", ".join(dict.fromkeys(busy["curve"]))
        lines.append(f"{BUSY}: others used the device while these were timed: {who}")
    return lines


def _machine(rows: pd.DataFrame) -> str:
    """``AMD EPYC, 2 threads, float32, 3 repeats`` of the rows of one machine."""
    parts = [str(rows["device"].iloc[0])]
    if "threads" in rows and rows["threads"].notna().any():
        threads = int(rows["threads"].dropna().iloc[0])
        parts.append(f"{threads} thread{'' if threads == 1 else 's'}")
    if "precision" in rows:
        parts.append("/".join(dict.fromkeys(map(str, rows["precision"]))))
    if "repeats" in rows:
        low, high = int(rows["repeats"].min()), int(rows["repeats"].max())
        span = str(low) if low == high else f"{low} to {high}"
        parts.append(f"{span} repeat{'' if high == 1 else 's'}")
    return ", ".join(parts)


BUSY = "busy"
"""The word for timings that others disturbed."""
