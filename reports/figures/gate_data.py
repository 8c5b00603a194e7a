"""What a gate said, and what it should have known, frame by frame."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd

from vosbench.harness.store import Readable, Selection, series
from vosbench.harness.trials import PATH_CODES, Kind
from vosbench.reports.choices import choose
from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.frames import trials

_PATH_NAMES = {code: name for name, code in PATH_CODES.items()}
_USUAL_TAU = Decimal("0.7")
_FRAMES = ("p_gate", "adjacent_iou", "full_iou")


def gated_trials(source: Readable, where: Selection, tau: Decimal | None) -> pd.DataFrame:
    """Complete accuracy trials whose gate was evaluated; of one τ, if given."""
    found = trials(source, where, Kind.ACCURACY)
    found = found[found["policy"].map(bool).astype(bool)]
    if tau is not None:
        found = found[found["tau"].map(lambda value: value == tau).astype(bool)]
    return found


def decisions(source: Readable, chosen: pd.DataFrame, sequence: str | None) -> pd.DataFrame:
    """One row per trial, clip, frame and object that the gate saw or that took a path.

    Columns: key, curve, model, tau, sequence, frame, object (its index from 0 in the clip),
    path, p_gate, adjacent_iou, full_iou, weights_note.
    """
    columns = ["key", "curve", "model", "tau", "sequence", "frame", "object", "path", *_FRAMES]
    if chosen.empty:  # no key would select every trial
        return pd.DataFrame(columns=[*columns, "weights_note"])
    keys = Selection(keys=list(chosen["key"]))
    clips = [] if sequence is None else [sequence]
    # No keys would select every trial.
    paths = {} if chosen.empty else series(source, "path", keys, sequences=clips)
    values = {name: series(source, name, keys, sequences=clips) for name in _FRAMES}
    rows = {row["key"]: row for _, row in chosen.iterrows()}
    parts = []
    for (key, clip), codes in paths.items():
        time, number = (index.ravel() for index in np.indices(codes.shape))
        part = pd.DataFrame({"frame": time, "object": number})
        part["path"] = [_PATH_NAMES[int(code)] for code in codes.ravel()]
        for name in _FRAMES:
            array = values[name].get((key, clip))
            part[name] = np.nan if array is None else np.asarray(array, float).ravel()
        part = part.assign(key=key, sequence=clip)
        for name in ("curve", "model", "tau", "weights_note"):
            part[name] = [rows[key][name]] * len(part)
        parts.append(part[part["path"] != "absent"])
    frame = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return frame.reindex(columns=[*columns, "weights_note"]).reset_index(drop=True)


def one_clip(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """:func:`decisions` of one trial on one sequence, of gates that were evaluated.

    The trial is the first of the τ in ``options``, else of the τ nearest to 0.7, among those that
    measured the sequence. Without one in ``options`` it is the trial's sequence in which the rarer
    decision, reuse or not, is most frequent: one in which something is decided.

    Raises:
        InputError: no trial has such a sequence.
    """
    found = gated_trials(source, where, options.tau)
    distance = found["tau"].map(lambda tau: 2.0 if tau is None else abs(float(tau - _USUAL_TAU)))
    found = found.assign(distance=distance).sort_values("distance", kind="stable")
    if options.sequence is not None and len(found):
        measured = {name: name for names in found["sequences"] for name in names}
        wanted = choose("sequence", options.sequence, measured)
        found = found[[wanted in names for names in found["sequences"]]]
    for index in range(len(found)):
        rows = decisions(source, found.iloc[index : index + 1], options.sequence)
        rows = rows[rows["sequence"].isin(rows[rows["p_gate"].notna()]["sequence"])]
        if len(rows):
            return rows[rows["sequence"] == _most_decided(rows)].reset_index(drop=True)
    return decisions(source, found.iloc[:0], None)


def _most_decided(rows: pd.DataFrame) -> str:
    tracked = rows[rows["path"] != "init"]
    full = (tracked["path"] == "full").groupby(tracked["sequence"], sort=False).mean()
    undecided = (full - 0.5).abs()
    return str(undecided.idxmin()) if len(undecided) else str(rows["sequence"].iloc[0])
