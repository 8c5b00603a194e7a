"""Accuracy beside timing, as one frame: what every figure and table starts from.

Timing trials are repeated and belong to a machine. Repeats become their median; machines whose
comparability keys differ are never averaged: each has a row of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from vosbench.harness.setting import CURVE, EVALUATION, SETTING
from vosbench.harness.store import Readable, Selection, State, results
from vosbench.harness.store.catalog import curves, timing_conditions, weights_notes
from vosbench.harness.trials import Kind
from vosbench.reports.labels import curve_names
from vosbench.reports.looks import COLUMNS as LOOK
from vosbench.reports.looks import looks
from vosbench.reports.names import parse_model

TIMING = (
    "fps",
    "fps_pooled",
    "fps_sequences",
    "fps_published",
    "ms_per_frame",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "init_ms",
    "objects_per_frame",
    "fps_end_to_end",
    "input_wait_share",
    "peak_memory_mib",
    "energy_gross_j_per_frame",
    "energy_net_j_per_frame",
)
"""Aggregates of timing trials; those that begin with ``gflop/`` too."""

_DONE = (State.COMPLETE,)
_MACHINE = ("device", "environment_key")
UNTRAINED = "untrained"


def trials(source: Readable, where: Selection, kind: Kind) -> pd.DataFrame:
    """Complete trials of one kind: the columns of ``results``, and more.

    ``setting`` is a hash over the columns of :mod:`vosbench.harness.setting`; ``weights_note``
    says in words what has to be said about the weights ("untrained", the checkpoint's note, or
    ""); ``evaluation`` is a short name of the sequences, the same for trials whose accuracies may
    be compared; ``curve`` is the name of its curve, and ``colour``, ``marker``, ``dash`` how it is
    drawn, whatever else is selected.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    return _described(source, results(source, replace(where, kinds=(kind,), states=_DONE)))


def measured(source: Readable, where: Selection) -> pd.DataFrame:
    """One row per setting and machine that timed it: accuracy, and the median of all repeats.

    The columns of :func:`trials`; ``device`` and ``environment_key`` are of the timing, None
    where a setting wasn't timed; ``repeats`` counts its timing trials, ``fps_low`` and ``fps_high``
    are the slowest and the fastest of them, ``threads`` those of the machine, and ``busy`` says
    whether others used the device in any of them. A setting that was only timed has NaN for its
    accuracy.

    Raises:
        InputError: no results there, or a database that can't be read.
    """
    found = _described(source, results(source, replace(where, kinds=(), states=_DONE)))
    timing_columns = [name for name in found if name in TIMING or str(name).startswith("gflop/")]
    timed = found[found["kind"] == Kind.TIMING.value]
    times = _medians(timed.merge(timing_conditions(source), on="key", how="left"), timing_columns)
    accuracy = found[found["kind"] == Kind.ACCURACY.value].drop_duplicates("setting")
    untold = ~found["setting"].isin(accuracy["setting"])
    only_timed = found[untold].drop_duplicates("setting").copy()
    settings = pd.concat([accuracy, only_timed]) if len(only_timed) else accuracy
    settings = settings.drop(columns=[*timing_columns, *_MACHINE])
    joined = settings.merge(times, on="setting", how="left", sort=False)
    joined["repeats"] = joined["repeats"].fillna(0).astype("int64")
    joined["busy"] = joined["busy"].eq(True)
    for name in (*_MACHINE, "threads"):
        joined[name] = joined[name].astype(object).where(joined[name].notna(), None)
    return joined


def _described(source: Readable, found: pd.DataFrame) -> pd.DataFrame:
    """The trials with what :func:`trials` says of them."""
    notes = weights_notes(source)
    found["setting"] = hashed(found, SETTING)
    found["weights_note"] = _notes(found, notes)
    found["evaluation"] = _evaluations(found)
    known = _curves(source, notes)
    own = looks(zip(known["curve"], known["model"], known["policy"], strict=True))
    names = dict(zip(hashed(known, CURVE), known["curve"], strict=True))
    found["curve"] = hashed(found, CURVE).map(names).astype("object")
    for name in LOOK:
        drawn = {curve: getattr(look, name) for curve, look in own.items()}
        found[name] = found["curve"].map(drawn).astype("object")
    return found


def _curves(source: Readable, notes: Mapping[str, str]) -> pd.DataFrame:
    """What tells the curves of the whole database apart, and their names."""
    known = curves(source)
    known["weights_note"] = _notes(known, notes)
    return known.assign(curve=curve_names(known))


def curves_and_models(source: Readable) -> set[str]:
    """All names that curves of the database go by."""
    known = _curves(source, weights_notes(source))
    return {*known["curve"], *known["model"], *(parse_model(n).curve for n in known["model"])}


def _medians(times: pd.DataFrame, columns: list[Hashable]) -> pd.DataFrame:
    """Median over repeats, per setting and machine, with the number of repeats."""
    groups = times.groupby(["setting", "environment_key"], sort=False, dropna=False)
    medians = groups[columns].median()
    medians["fps_low"], medians["fps_high"] = groups["fps"].min(), groups["fps"].max()
    medians["device"] = groups["device"].first()
    medians["threads"] = groups["threads"].first()
    medians["busy"] = groups["busy"].agg(lambda marks: any(mark is True for mark in marks))
    medians["repeats"] = groups.size()
    return medians.reset_index()


def _plain(value: Any) -> Any:
    """A cell as a JSON value, equal for equal cells."""
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, Mapping):
        return dict(sorted(value.items()))
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, np.generic):
        return value.item()
    return None if pd.isna(value) else value


def hashed(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """A hash over several columns, one short text a row."""
    rows = zip(*(frame[name] for name in names), strict=True)
    texts = (json.dumps([_plain(value) for value in row]) for row in rows)
    hashes = [hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts]
    return pd.Series(hashes, index=frame.index, dtype="object")


def _notes(frame: pd.DataFrame, notes: Mapping[str, str]) -> pd.Series:
    texts = [
        notes.get(sha256, "") if trained else UNTRAINED
        for sha256, trained in zip(frame["weights_sha256"], frame["trained"], strict=True)
    ]
    return pd.Series(texts, index=frame.index, dtype="object")


def _evaluations(frame: pd.DataFrame) -> pd.Series:
    """``davis16, 20 clips``; with the protocol or a hash where that isn't enough to tell apart."""
    identity = hashed(frame, EVALUATION)
    names = pd.Series(
        [
            _evaluation(dataset, sequences, max_frames)
            for dataset, sequences, max_frames in zip(
                frame["dataset"], frame["sequences"], frame["max_frames"], strict=True
            )
        ],
        index=frame.index,
        dtype="object",
    )
    for extra in (frame["protocol"], identity.str[:6]):
        meanings = identity.groupby(names).transform("nunique")
        if len(frame):
            names = names.where(meanings == 1, names + ", " + extra)
    return names


def _evaluation(dataset: str, sequences: tuple[str, ...], max_frames: Any) -> str:
    shown = f"{dataset}, {len(sequences)} sequence{'' if len(sequences) == 1 else 's'}"
    return shown if pd.isna(max_frames) else f"{shown}, first {max_frames} frames"
