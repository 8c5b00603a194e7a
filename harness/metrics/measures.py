"""What a protocol measures of an object in a frame, and the figures that it makes of them.

A figure that a protocol lacks is absent; one that it has and that nothing is known of is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.metrics import lvos, mosev2, sav, statistics, vost
from vosbench.harness.metrics.planes import ObjectPlane, score_planes

Figures = dict[str, float | None]
SeriesByName = Mapping[str, NDArray[np.float64]]
FrameValues = Callable[[ObjectPlane | None, ObjectPlane | None, tuple[int, int]], tuple[float, ...]]


@dataclass(frozen=True)
class ObjectFigures:
    """The figures of one object; whether its class is unseen in training, None if unknown."""

    sequence: str
    object_id: int
    unseen: bool | None
    figures: Figures


def mean_figures(objects: Iterable[Figures]) -> Figures:
    """Means over objects of each figure that they have; of a sequence, whose classes are one."""
    found = list(objects)
    means: Figures = {}
    for name in dict.fromkeys(name for figures in found for name in figures):
        known = [value for figures in found if (value := figures[name]) is not None]
        means[name] = float(np.mean(known)) if known else None
    return means


def _everything(_series: SeriesByName) -> slice:
    return slice(None)


@dataclass(frozen=True)
class Measures:
    """What is measured, and how it is summed up.

    Attributes:
        series: names of what is measured in a frame; of them, ``kept`` is stored.
        frame: those of one object, from its planes in truth and prediction and the frame's size.
        figures: one object's figures, by the names under which they are stored.
        sequence: the figures of a sequence, from those of its objects.
        summary: the figures of a set, from those of all its objects.
        official: how the official tool names the figures of a set; other figures stay inside.
        object_official: how it names those of an object, where that differs.
        columns: figures that a table of objects shows, with their titles.
        counted: which of the frames count in the end, where that depends on what they show.
        official_csv: whether the official tool's CSV files can be written.
        seen_unseen: whether objects of classes that training lacks have means of their own.
    """

    series: tuple[str, ...]
    kept: tuple[str, ...]
    frame: FrameValues
    figures: Callable[[SeriesByName], Figures]
    summary: Callable[[Sequence[ObjectFigures]], Figures]
    official: Mapping[str, str]
    columns: Mapping[str, str]
    object_official: Mapping[str, str] = field(default_factory=dict)
    sequence: Callable[[Iterable[Figures]], Figures] = mean_figures
    counted: Callable[[SeriesByName], slice] = _everything
    official_csv: bool = False
    seen_unseen: bool = False

    @property
    def figure_names(self) -> tuple[str, ...]:
        """The names of an object's figures."""
        return tuple(self.figures({name: np.empty(0) for name in self.series}))


def jf_figures(series: SeriesByName) -> Figures:
    """Mean, recall and decay of J and of F, as DAVIS has them; None without a frame."""
    return {
        f"{letter}_{what}": value
        for letter in ("j", "f")
        for what, value in vars(statistics.series_statistics(series[letter])).items()
    }


def jf_summary(objects: Iterable[Figures]) -> Figures:
    """Means over all objects of which a frame counts, and half the sum of those of J and F."""
    found = list(objects)
    total: Figures = {}
    for letter in ("j", "f"):
        rows = [[figures[f"{letter}_{what}"] for what in _WHAT] for figures in found]
        known = [row for row in rows if None not in row]
        means = np.array(known, np.float64).mean(axis=0) if known else (None, None, None)
        total |= {
            f"{letter}_{what}": None if mean is None else float(mean)
            for what, mean in zip(_WHAT, means, strict=True)
        }
    j, f = total["j_mean"], total["f_mean"]
    return {"jf_mean": None if j is None or f is None else (j + f) / 2} | total


def _ytvos_summary(objects: Sequence[ObjectFigures]) -> Figures:
    """The same; and G with its four parts, where it is known which classes occur in training."""
    total = jf_summary(o.figures for o in objects)
    if any(o.unseen is None for o in objects):
        return total
    parts: Figures = {}
    for letter in ("j", "f"):
        for group, unseen in (("seen", False), ("unseen", True)):
            means = [o.figures[f"{letter}_mean"] for o in objects if o.unseen is unseen]
            known = [mean for mean in means if mean is not None]
            parts[f"{letter}_{group}"] = sum(known) / len(known) if known else None
    known = [value for value in parts.values() if value is not None]
    return total | {"g_all": sum(known) / 4 if len(known) == 4 else None} | parts


def _j(
    truth: ObjectPlane | None, predicted: ObjectPlane | None, _size: tuple[int, int]
) -> tuple[float, ...]:
    return (score_planes(truth, predicted).j,)


def _jf(
    truth: ObjectPlane | None, predicted: ObjectPlane | None, _size: tuple[int, int]
) -> tuple[float, ...]:
    return score_planes(truth, predicted)


def _jf_shown(
    truth: ObjectPlane | None, predicted: ObjectPlane | None, _size: tuple[int, int]
) -> tuple[float, ...]:
    shown = truth is not None or predicted is not None
    return *score_planes(truth, predicted), float(shown)


_WHAT = ("mean", "recall", "decay")
_DAVIS_NAMES = {
    f"{letter}_{what}": f"{letter.upper()}_{what}"
    for letter in ("j", "f")
    for what in ("mean", "recall", "decay")
}
_DAVIS_COLUMNS = {
    f"{letter}_{what}": letter.upper() if what == "mean" else what
    for letter in ("j", "f")
    for what in ("mean", "recall", "decay")
}
DAVIS = Measures(
    series=("j", "f"),
    kept=("j", "f"),
    frame=_jf,
    figures=jf_figures,
    sequence=jf_summary,
    summary=lambda objects: jf_summary(o.figures for o in objects),
    official={"jf_mean": "JF_mean"} | _DAVIS_NAMES,
    object_official=_DAVIS_NAMES,
    columns=_DAVIS_COLUMNS,
    official_csv=True,
)
YTVOS = Measures(
    series=("j", "f"),
    kept=("j", "f"),
    frame=_jf,
    figures=jf_figures,
    sequence=jf_summary,
    summary=_ytvos_summary,
    seen_unseen=True,
    official={"jf_mean": "JF_mean"} | _DAVIS_NAMES,
    object_official=_DAVIS_NAMES,
    columns=_DAVIS_COLUMNS,
    official_csv=True,
)
MOSEV2 = Measures(
    series=mosev2.SERIES,
    kept=mosev2.SERIES,
    frame=mosev2.frame_values,
    figures=mosev2.object_figures,
    summary=lambda objects: mosev2.summarise(o.figures for o in objects),
    official={
        "j_mean": "J",
        "f_mean": "F",
        "f_new_mean": "F_new",
        "jf_mean": "J&F",
        "jf_new_mean": "J&F_new",
        "disappear_j": "disappear_J",
        "disappear_f_new": "disappear_F_new",
        "disappear_jf_new": "disappear_J&F_new",
        "reappear_j": "reappear_J",
        "reappear_f_new": "reappear_F_new",
        "reappear_jf_new": "reappear_J&F_new",
    },
    columns={
        "j_mean": "J",
        "f_new_mean": "F_new",
        "f_mean": "F",
        "jf_new_mean": "J&F_new",
        "disappear_jf_new": "disappearing",
        "reappear_jf_new": "reappearing",
    },
)
LVOS = Measures(
    series=("j", "f"),
    kept=("j", "f"),
    frame=_jf,
    figures=lvos.object_figures,
    summary=lambda objects: lvos.summarise((bool(o.unseen), o.figures) for o in objects),
    official={
        "jf_mean": "J&F-Mean",
        **{
            f"{letter}_{which}": f"{letter.upper()}-{title}Mean"
            for letter in ("j", "f", "v")
            for which, title in (("mean", ""), ("seen", "seen-"), ("unseen", "unseen-"))
        },
    },
    object_official={
        "j_mean": "J",
        "f_mean": "F",
        "v_mean": "V",
        "j_recall": "J_recall",
        "f_recall": "F_recall",
    },
    columns={"j_mean": "J", "j_recall": "recall", "f_mean": "F", "f_recall": "recall"}
    | {"v_mean": "V"},
    seen_unseen=True,
)
VOST = Measures(
    series=("j",),
    kept=("j",),
    frame=_j,
    figures=vost.object_figures,
    summary=lambda objects: vost.summarise(o.figures for o in objects),
    official={
        "j_mean": "J-Mean",
        "j_recall": "J-Recall",
        "j_decay": "J-Decay",
        "j_tr_mean": "J_last-Mean",
        "j_tr_recall": "J_last-Recall",
        "j_tr_decay": "J_last-Decay",
    },
    object_official={
        "j_mean": "J",
        "j_recall": "J_recall",
        "j_decay": "J_decay",
        "j_tr_mean": "J_last",
        "j_tr_recall": "J_last_recall",
        "j_tr_decay": "J_last_decay",
    },
    columns={"j_mean": "J", "j_recall": "recall", "j_decay": "decay"}
    | {"j_tr_mean": "J_tr", "j_tr_recall": "recall", "j_tr_decay": "decay"},
)
SAV = Measures(
    series=sav.SERIES,
    kept=("j", "f"),
    frame=_jf_shown,
    figures=sav.object_figures,
    summary=lambda objects: sav.summarise(o.figures for o in objects),
    official={"jf_mean": "J&F", "j_mean": "J", "f_mean": "F"},
    columns={"jf_mean": "J&F", "j_mean": "J", "f_mean": "F"},
    counted=sav.counted,
)

MEASURES: Mapping[str, Measures] = {
    "davis": DAVIS,
    "ytvos": YTVOS,
    "mosev2": MOSEV2,
    "lvos": LVOS,
    "vost": VOST,
    "sav": SAV,
}
"""Measures by the name that a protocol gives (``Protocol.measures``)."""
