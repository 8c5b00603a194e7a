"""The setting: what two results must agree in before they are of the same thing, and parts of it.

All that joins, groups or compares results takes its columns from here: the rows of ``results``,
figures, tables and site, ``compare`` and baselines. A trial is a setting with a kind, a repeat and,
for timings, a machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from vosbench.harness.trials import TrialSpec

NETWORK = ("runner_version", "weights_sha256")
"""What computes: the runner's code and its tensors."""

EVALUATION = ("dataset", "protocol", "manifest_sha256", "sequences", "max_frames")
"""On what: two accuracies may stand in one plot if these agree."""

DECISION = ("policy", "tau", "tau2", "margins")
"""How it is decided what to reuse; margins are of the gate's training."""

CONDITIONS = ("seed", "precision", "input_size", "switches")
"""Under which circumstances."""

SETTING = ("model", *NETWORK, *EVALUATION, *DECISION, *CONDITIONS)
"""What accuracy and timing of the same thing have in common."""

UNDER_TEST = (*NETWORK, *EVALUATION[1:])
"""What ``compare`` is asked about, or refuses to compare across; no part of a grid point."""

POINT = tuple(name for name in SETTING if name not in UNDER_TEST)
"""A grid point: a setting as people ask for it, whatever code and weights measured it."""

CURVE = ("model", "policy", "margins", "weights", "trained", *NETWORK, *CONDITIONS)
"""A curve of a plot: settings that differ in their thresholds; ``weights`` and ``trained`` name
the tensors."""

SAME_NETWORK = (*NETWORK, *EVALUATION, *CONDITIONS)
"""Ways of deciding that are compared with each other: all but model, policy and thresholds."""


def values(trial: TrialSpec | Mapping[str, Any], names: tuple[str, ...]) -> tuple[Any, ...]:
    """Some columns of a trial, or of a row of ``results``: hashable, and equal for equal ones."""
    if isinstance(trial, TrialSpec):
        return tuple(_plain(getattr(trial, name)) for name in names)
    return tuple(_plain(trial[name]) for name in names)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value.normalize()
    if isinstance(value, Mapping):
        return tuple(sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(value)
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN
