"""Which way of deciding is best at the same rate of reuse, and whether clips can tell.

A threshold means another reuse rate for each way of deciding, so each way's points are joined to
a curve of J&F over reuse and read at fixed rates. Clips are drawn again with replacement, the same
for all ways, to see how far a difference depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.harness.setting import SAME_NETWORK
from vosbench.harness.store import Readable, Selection, objects
from vosbench.harness.trials import Kind
from vosbench.reports.figures import canvas
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.frames import hashed, trials
from vosbench.reports.labels import remarks
from vosbench.reports.looks import COLUMNS as LOOK
from vosbench.reports.looks import look_of
from vosbench.reports.names import way as way_of
from vosbench.reports.style import DIM

RATES = (0.2, 0.3, 0.4, 0.5, 0.6)
"""Reuse rates that are read off."""

WAYS = ("copy", "fusion", "cap", "g-iou", "every", "random", "budget")
"""What the learned gate is compared with first; names of :func:`~vosbench.reports.names.role`."""

_NO_WAYS = ("ours", "N-gate", "always", "never", "always-copy")
"""Other weights, or one rate of reuse alone: no curve to read."""

COLUMNS = (
    "panel", "curve", "model", "way", "other", *LOOK, "rate", "jf_mean", "ours", "ahead",
    "low", "high", "clips", "weights_note",
)  # fmt: skip

ENOUGH = 10
"""Sequences below which a comparison is warned of."""

_DRAWS = 2000


@dataclass(frozen=True)
class _Curve:
    """Settings of one way of deciding, on the same objects.

    Attributes:
        reuse, jf: fractions, (settings, objects).
    """

    reuse: NDArray[np.float64]
    jf: NDArray[np.float64]

    def read(self, weight: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
        """J&F at some rates, objects counted by ``weight`` (N,); NaN beyond the curve's ends."""
        reuse, jf = (x @ weight / weight.sum() for x in (self.reuse, self.jf))
        order = np.argsort(reuse, kind="stable")
        read = np.interp(rates, reuse[order], jf[order], left=np.nan, right=np.nan)
        return np.asarray(read, np.float64)


def at_equal_reuse(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """J&F of every way of deciding at :data:`RATES`, beside the learned gate's of the same weights.

    Fractions 0..1. ``ahead`` is ours minus the other's, ``low`` and ``high`` its 95 % interval over
    resampled clips; NaN with fewer than three clips, or where a resampled curve often ends short of
    the rate. A setting that reuses nothing is the start of all curves of its weights.
    """
    del options  # rates are fixed, so that reports compare
    found = trials(source, where, Kind.ACCURACY)
    found = found[found["policy"].map(bool).astype(bool)]
    found = found.assign(
        way=[way_of(m, p) for m, p in zip(found["model"], found["policy"], strict=True)],
        network=hashed(found, SAME_NETWORK),
    )
    rows: list[dict[str, Any]] = []
    for _, family in found.groupby("network", sort=False):
        rows += _compared(source, family)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _in_order(ways: Iterable[str]) -> list[str]:
    """Those that are compared with ours: first as :data:`WAYS` has them, then any others."""

    def place(name: str) -> tuple[int, str]:
        role = name.partition(":")[0]
        return (WAYS.index(role) if role in WAYS else len(WAYS), name)

    return sorted({name for name in ways if name.partition(":")[0] not in _NO_WAYS}, key=place)


def _compared(source: Readable, family: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of the runs of one network on the same clips."""
    others = _in_order(family["way"])
    if "ours" not in set(family["way"]) or not others:
        return
    reuse, jf, clips = _by_object(source, family)
    curves = _curves(family["way"].to_numpy(str), reuse, jf)
    rates = np.array(RATES)
    plain = {way: curve.read(np.ones(reuse.shape[1]), rates) for way, curve in curves.items()}
    drawn = _resampled(curves, clips, rates)
    ours = family[family["way"] == "ours"].iloc[0]
    for way in others:
        other = family[family["way"] == way].iloc[0]
        for index, rate in enumerate(RATES):
            if np.isnan(plain["ours"][index] + plain[way][index]):
                continue
            low, high = _interval(drawn["ours"][:, index] - drawn[way][:, index])
            yield {
                "panel": ours["evaluation"],
                "curve": ours["curve"],
                "model": ours["model"],
                "way": way,
                "other": other["curve"],
                **{name: other[name] for name in LOOK},
                "rate": rate,
                "jf_mean": plain[way][index],
                "ours": plain["ours"][index],
                "ahead": plain["ours"][index] - plain[way][index],
                "low": low,
                "high": high,
                "clips": len(set(clips)),
                "weights_note": ours["weights_note"],
            }


def _by_object(
    source: Readable, family: pd.DataFrame
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.str_]]:
    """Reuse rate and J&F, (settings, objects), and the clip of each object."""
    each = objects(source, Selection(keys=list(family["key"])))
    each = each.assign(jf=(each["j_mean"] + each["f_mean"]) / 2)
    wide = each.pivot(index="key", columns=["sequence", "object_id"], values=["reuse_rate", "jf"])
    wide = wide.loc[list(family["key"])]
    reuse, jf = (wide[name].to_numpy(float) for name in ("reuse_rate", "jf"))
    scored = ~np.isnan(jf).any(axis=0) & ~np.isnan(reuse).any(axis=0)
    clips = wide["jf"].columns.get_level_values("sequence").to_numpy(str)
    return reuse[:, scored], jf[:, scored], clips[scored]


def _curves(
    ways: NDArray[np.str_], reuse: NDArray[np.float64], jf: NDArray[np.float64]
) -> Mapping[str, _Curve]:
    untouched = np.flatnonzero((reuse == 0).all(axis=1))[:1]
    curves = {}
    for way in ("ours", *_in_order(ways)):
        chosen = np.union1d(np.flatnonzero(ways == way), untouched)
        curves[way] = _Curve(reuse[chosen], jf[chosen])
    return curves


def _resampled(
    curves: Mapping[str, _Curve], clips: NDArray[np.str_], rates: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    """J&F of each way at each rate, for clips drawn with replacement: (draws, rates) each."""
    _, index = np.unique(clips, return_inverse=True)
    count = int(index.max()) + 1
    rng = np.random.default_rng(0)
    times = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    return {
        way: np.stack([curve.read(drawn[index].astype(float), rates) for drawn in times])
        if count >= 3
        else np.full((1, len(rates)), np.nan)
        for way, curve in curves.items()
    }


def _interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    known = differences[~np.isnan(differences)]
    if len(known) < 0.95 * len(differences):
        return float("nan"), float("nan")
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def _span(counts: pd.Series[int]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"


def _too_few(counts: pd.Series[int]) -> str:
    few = int(counts.min())
    if few >= ENOUGH:
        return ""
    return (
        f"only {few} sequence{'' if few == 1 else 's'}: fewer than {ENOUGH} decide nothing, "
        "and their intervals are too narrow"
    )


def draw(rows: pd.DataFrame) -> Figure:
    """A panel per network and set of sequences: how far each way lies from ours."""
    names = rows["curve"] + " on " + rows["panel"]
    shown, left_out = canvas.shown(names, canvas.MOST_PANELS, "networks and sets of sequences")
    sheet = canvas.panels(shown, columns=min(2, len(shown)), width=5.0, height=3.7)
    ways = _in_order(rows["way"])
    handles: dict[str, Artist] = {}
    for axes, name in zip(sheet.axes, shown, strict=True):
        panel = rows[names == name]
        axes.axhline(0, color=DIM, linewidth=1)
        for offset, way in enumerate(ways):
            part = panel[panel["way"] == way]
            if part.empty:
                continue
            look = look_of(part.iloc[0])
            x = part["rate"] + 0.012 * (offset - (len(ways) - 1) / 2)
            bars = [part["ahead"] - part["low"], part["high"] - part["ahead"]]
            drawn = axes.errorbar(
                x, part["ahead"], yerr=bars, color=look.colour, marker=look.marker,
                linestyle="none", capsize=2, elinewidth=1,
            )  # fmt: skip
            handles[part["other"].iloc[0]] = drawn.lines[0]
        canvas.percent_axis(axes, x=True, y=True)
        axes.set_xticks(list(RATES))
    sheet.label("reuse rate (%)", "J&F, ours minus other (points)")
    remark = [
        remarks(rows),
        left_out,
        f"bars: 95 % interval over {_span(rows['clips'])} sequences drawn again; "
        "above 0 the learned gate is ahead",
        _too_few(rows["clips"]),
    ]
    lines = "\n".join(filter(None, remark))
    title = "Ways of deciding at equal reuse"
    canvas.finish(sheet.figure, title, lines, list(handles.values()), list(handles))
    return sheet.figure


EQUAL_REUSE = FigureKind(
    "equal-reuse",
    "every other way of deciding against our gate at equal reuse",
    "accuracy trials of a learned gate and of other policies of the same weights",
    "vosbench run --models g-frtm-fast,g-frtm-fast+copy,g-frtm-fast+fusion,g-frtm-fast+g-iou "
    "--tau 0.1:1.0:0.1 --dataset motion",
    at_equal_reuse,
    draw,
)
