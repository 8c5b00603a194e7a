"""A comparison as JSON, for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from vosbench.harness.regression.comparison import Comparison, Finding, PointResult
from vosbench.harness.regression.verdict import EXIT_CODES

SCHEMA = 1
"""Raised with every change that an older reader would misread."""


def as_json(comparison: Comparison) -> str:
    """The whole comparison; what isn't known or bounded is null, shares are 0..1."""
    values = {
        "format": "vosbench-comparison",
        "schema": SCHEMA,
        "verdict": comparison.verdict.value,
        "exit_code": EXIT_CODES[comparison.verdict],
        "reason": comparison.reason,
        "base": {"source": comparison.base, "versions": list(comparison.base_versions)},
        "head": {"source": comparison.head, "versions": list(comparison.head_versions)},
        "alpha": comparison.alpha,
        "tests": comparison.tests,
        "tolerances": {each.metric.name: each.text for each in comparison.tolerances},
        "points": [_point(point) for point in comparison.points],
        "new_points": list(comparison.new_points),
    }
    return json.dumps(_known(values), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _point(point: PointResult) -> dict[str, Any]:
    setting = asdict(point.point) | {"switches": dict(point.point.switches)}
    for tau in ("tau", "tau2"):
        setting[tau] = None if setting[tau] is None else str(setting[tau])
    return {
        "label": point.label,
        "setting": setting,
        "trained": point.trained,
        "verdict": point.verdict.value,
        "findings": [_finding(finding) for finding in point.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "metric": finding.metric.name,
        "scale": finding.metric.scale.value,
        "verdict": finding.verdict.value,
        "reason": finding.reason,
        "leaning": finding.leaning,
        "measured": None if finding.measured is None else asdict(finding.measured),
        "clips": [asdict(clip) for clip in finding.clips],
    }


def _known(value: Any) -> Any:
    """JSON knows neither NaN nor infinity."""
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
