"""Which grid point of base is compared with which of head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vosbench.baselines.errors import InputError
from vosbench.harness.regression.points import GridPoint, PointTrials, labels
from vosbench.harness.store.columns import decimal_text
from vosbench.harness.store.measured import MeasuredTrial, Run

_SHORTEST_HASH = 6


@dataclass(frozen=True)
class Pair:
    """Two sides to compare; ``head`` is empty where it lacks the point of base."""

    point: GridPoint
    label: str
    base: PointTrials
    head: PointTrials


def one_side(run: Run, name: str) -> Run:
    """The trials of one side: those of a model, or of weights.

    Args:
        run: what was measured.
        name: a model's whole name, the name of weights (a checkpoint's file), or the beginning
            of their hash.

    Raises:
        InputError: nothing of that name, or a name that several weights of a model share.
    """
    found = tuple(trial for trial in run.trials if _is_side(trial, name))
    if not found:
        models = ", ".join(sorted({trial.spec.model for trial in run.trials})) or "no trial"
        weights = ", ".join(sorted({trial.spec.weights for trial in run.trials}))
        raise InputError(f"nothing of {name} in {run.source}: it has {models} with {weights}")
    if not any(trial.spec.model == name for trial in found):
        for model in sorted({trial.spec.model for trial in found}):
            hashes = sorted({t.spec.weights_sha256 for t in found if t.spec.model == model})
            if len(hashes) > 1:
                short = " or ".join(text[:12] for text in hashes)
                raise InputError(f"several weights of {model} are called {name}: write {short}")
    return Run(f"{name} in {run.source}", found)


def _is_side(trial: MeasuredTrial, name: str) -> bool:
    spec = trial.spec
    if name in (spec.model, spec.weights) or Path(name).name == spec.weights:
        return True
    return len(name) >= _SHORTEST_HASH and spec.weights_sha256.startswith(name)


def pairs(
    old: Mapping[GridPoint, PointTrials],
    new: Mapping[GridPoint, PointTrials],
    *,
    across: bool = False,
) -> tuple[Pair, ...]:
    """Every point of base with its match in head, in the order of base.

    Args:
        old, new: points of base and head.
        across: model or weights are what differs. A model's policy is its own affair then, and
            so are margins; a side without thresholds meets every threshold of the other.
    """
    names = labels((*old, *new))
    if not across:
        return tuple(
            Pair(point, names[point], trials, new.get(point) or _nothing(point))
            for point, trials in old.items()
        )
    same_models = {point.model for point in old} == {point.model for point in new}
    return tuple(
        pair
        for point, trials in old.items()
        for pair in _matches(point, trials, new, names, same_models=same_models)
    )


def _matches(
    point: GridPoint,
    trials: PointTrials,
    new: Mapping[GridPoint, PointTrials],
    names: Mapping[GridPoint, str],
    *,
    same_models: bool,
) -> Iterator[Pair]:
    found = [other for other in new if _setting(point, other) == _setting(other, point)]
    if same_models:
        found = [other for other in found if other.model == point.model]
    if not found:
        yield Pair(point, names[point], trials, _nothing(point))
    for other in found:
        yield Pair(other, _label(point, other, names[other]), trials, new[other])


def _setting(point: GridPoint, other: GridPoint) -> GridPoint:
    """What both must agree in."""
    one_lacks_tau = point.tau is None or other.tau is None
    one_lacks_tau2 = point.tau2 is None or other.tau2 is None
    return replace(
        point,
        model="",
        policy=None,
        margins=None,
        tau=None if one_lacks_tau else point.tau,
        tau2=None if one_lacks_tau2 else point.tau2,
    )


def _label(point: GridPoint, other: GridPoint, name: str) -> str:
    if point.model == other.model:
        return name
    tau = ""
    if point.tau is not None and point.tau != other.tau:
        tau = f" τ={decimal_text(point.tau)}"
    return f"{point.model}{tau} → {name}"


def _nothing(point: GridPoint) -> PointTrials:
    return PointTrials(point, None, (), ())
