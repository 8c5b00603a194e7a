"""A metric is one record, which store, tables, comparison, figures and site read.

The entry-point group ``vosbench.metrics`` names records, one each or several in a tuple; ours are
registered in the same way. A metric with ``compute`` is a stranger's: it is computed from masks
wherever J and F are, and stored under its name.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from vosbench.baselines.errors import InputError, suggestion
from vosbench.harness.trials import Kind
from vosbench.runners.plugins import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Compute = Callable[[Iterable[tuple[Mask, Mask]]], float]

REGISTRY = Registry("vosbench.metrics", "metric")
SHARE = "%"
"""The unit of a share, 0..1, which is shown in percent."""


class Scale(StrEnum):
    """The unit of a change."""

    POINTS = "points"
    """Differences of shares (0..1), shown as points of a hundred."""
    RATIO = "ratio"
    """Differences of logarithms, shown as per cent."""
    UNITS = "units"
    """Differences, shown in the metric's own unit."""


class Better(StrEnum):
    """The direction in which a metric improves."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"
    """A change to either side is a regression."""


class Over(StrEnum):
    """What a trial's number is the mean over."""

    OBJECTS = "objects"
    SEQUENCES = "sequences"


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: as results store it: a column's name.
        label: for people.
        better: which way it improves.
        unit: ``%`` for a share, 0..1, that is shown in percent; else what stands behind a value.
        kind: the kind of trial that measures it; accuracy is compared object by object, timing
            sequence by sequence and repeat by repeat.
        tolerance: a change that is usually put up with, as ``compare --tol`` takes it; "" for a
            metric that isn't compared.
        over: a trial's number is the mean over all objects, or over the sequences' means.
        digits: decimals that a table shows.
        compute: of a stranger's metric, its value for one object of one sequence: it is given the
            annotated and the predicted mask, bool (H, W), of each frame that counts, in order, and
            returns NaN where it has no value.
    """

    name: str
    label: str
    better: Better
    unit: str = SHARE
    kind: Kind = Kind.ACCURACY
    tolerance: str = ""
    over: Over = Over.OBJECTS
    digits: int = 1
    compute: Compute | None = None

    @property
    def scale(self) -> Scale:
        """In which unit changes are judged."""
        if self.kind is Kind.TIMING:
            return Scale.RATIO
        return Scale.POINTS if self.unit == SHARE else Scale.UNITS

    @property
    def axis(self) -> str:
        """Label and unit, for an axis or a column's head."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def shown(self, value: float) -> float:
        """A value as people read it: shares in percent."""
        return 100 * value if self.unit == SHARE else value

    def text(self, value: float) -> str:
        """A value as a table shows it, without its unit."""
        return "–" if math.isnan(value) else f"{self.shown(value):.{self.digits}f}"

    def change(self, worsening: float) -> float:
        """A worsening as people read it: a difference, or head / base - 1."""
        towards = worsening if self.better is Better.DOWN else -worsening
        return math.expm1(towards) if self.scale is Scale.RATIO else towards

    def size_text(self, size: float) -> str:
        """The size of a worsening for people: ``0.30 points``, ``5.0 %``, ``0.30 px``."""
        change = abs(self.change(size))
        if self.scale is Scale.UNITS:
            return f"{change:.2f} {self.unit}".rstrip()
        unit = "points" if self.scale is Scale.POINTS else "%"
        return f"{100 * change:.{2 if self.scale is Scale.POINTS else 1}f} {unit}"


def _score(name: str, label: str, tolerance: str = "") -> Metric:
    return Metric(name, label, Better.UP, tolerance=tolerance)


def _timing(name: str, label: str, unit: str, better: Better = Better.DOWN) -> Metric:
    return Metric(name, label, better, unit, Kind.TIMING, "min:5%")


ACCURACY = (
    _score("jf_mean", "J&F", "0.3"),
    Metric("reuse_rate", "reuse rate", Better.NEITHER, tolerance="2"),
    _score("j_mean", "J", "0.3"),
    _score("f_mean", "F", "0.3"),
    _score("j_recall", "J recall"),
    _score("f_recall", "F recall"),
    Metric("j_decay", "J decay", Better.DOWN),
    Metric("f_decay", "F decay", Better.DOWN),
    _score("g_all", "G"),
    _score("j_seen", "J seen"),
    _score("j_unseen", "J unseen"),
    _score("f_seen", "F seen"),
    _score("f_unseen", "F unseen"),
)
OF_FAMILIES = (
    _score("j_tr_mean", "J_tr", "0.3"),
    _score("j_tr_recall", "J_tr recall"),
    Metric("j_tr_decay", "J_tr decay", Better.DOWN),
    Metric("v_mean", "V", Better.DOWN, tolerance="0.3"),
    Metric("v_seen", "V seen", Better.DOWN),
    Metric("v_unseen", "V unseen", Better.DOWN),
    _score("jf_new_mean", "J&F_new", "0.3"),
    _score("f_new_mean", "F_new"),
    _score("disappear_jf_new", "disappearing", "0.3"),
    _score("disappear_j", "disappearing J"),
    _score("disappear_f_new", "disappearing F_new"),
    _score("reappear_jf_new", "reappearing", "0.3"),
    _score("reappear_j", "reappearing J"),
    _score("reappear_f_new", "reappearing F_new"),
)
"""What only VOST, LVOS and MOSEv2 have; absent where another protocol scored."""
TIMING = (
    _timing("fps", "FPS", "1/s", Better.UP),
    _timing("ms_per_frame", "ms/frame", "ms"),
    _timing("init_ms", "first frame ms", "ms"),
    _timing("energy_net_j_per_frame", "net J/frame", "J"),
    _timing("energy_gross_j_per_frame", "gross J/frame", "J"),
    _timing("peak_memory_mib", "peak MiB", "MiB"),
)


def metrics() -> Mapping[str, Metric]:
    """All metrics by name: ours, then those of other packages; broken ones are left out."""
    return _found(tuple(sys.path))[0]


def broken_metrics() -> Mapping[str, str]:
    """Registered names that can't be used, and why."""
    return _found(tuple(sys.path))[1]


def metric(name: str) -> Metric:
    """The metric of that name; raises InputError, with the nearest, if there is none."""
    known = metrics()
    if name in known:
        return known[name]
    problem = broken_metrics().get(name)
    if problem is not None:
        raise InputError(f"metric '{name}' can't be used: {problem}")
    raise InputError(f"no metric '{name}'{suggestion(name, known)}: there are {', '.join(known)}")


def computed_metrics() -> tuple[Metric, ...]:
    """Those that are computed from masks beside J and F."""
    return tuple(each for each in metrics().values() if each.compute is not None)


def further_metrics() -> tuple[Metric, ...]:
    """Those that tables show where there are values: main ones of families, then computed ones."""
    return (*(each for each in OF_FAMILIES if each.tolerance), *computed_metrics())


@cache
def _found(_path: tuple[str, ...]) -> tuple[Mapping[str, Metric], Mapping[str, str]]:
    known = {each.name: each for each in (*ACCURACY, *OF_FAMILIES, *TIMING)}
    problems = {}
    for name, plugin in REGISTRY.plugins().items():
        if any(plugin.value is ours for ours in (ACCURACY, OF_FAMILIES, TIMING)):
            continue
        made = plugin.value if isinstance(plugin.value, tuple) else (plugin.value,)
        problem = plugin.problem or next(
            filter(None, (_defect(each, known) for each in made)), None
        )
        if problem is not None:
            problems[name] = problem
        else:
            known |= {each.name: each for each in made}
    return known, problems


def _defect(made: Any, known: Mapping[str, Metric]) -> str | None:
    if not isinstance(made, Metric):
        return f"it is a {type(made).__name__}, not a vosbench.harness.metric.Metric"
    if not re.fullmatch("[a-z][a-z0-9_]*", made.name):
        return f"its name is {made.name!r}: write lower-case letters, digits and _"
    if made.name in known:
        return f"the name {made.name} is taken"
    if made.compute is None or made.kind is not Kind.ACCURACY:
        return "it needs a function 'compute', and is of kind accuracy"
    return None
