"""Numbers and lines that all renderers share."""

from __future__ import annotations

import math

from vosbench.harness.metric import Metric, Scale
from vosbench.harness.regression.comparison import ClipChange, Comparison, Finding, PointResult
from vosbench.harness.regression.verdict import Verdict

CLIPS_SHOWN = 5
"""So many of the sequences that moved are named."""

_LARGEST = 10.0
"""Ratios that change by more are noise without a number."""


def value_text(metric: Metric, value: float) -> str:
    """A value of a metric: shares of a hundred, others with four digits."""
    if metric.scale is Scale.POINTS:
        return f"{100 * value:.2f}"
    return f"{value:#.4g}".rstrip(".")


def change_text(metric: Metric, change: float, *, unit: bool = True) -> str:
    """A signed change, in points, per cent or the metric's unit."""
    if math.isinf(change) or math.isnan(change):
        return "?"
    if metric.scale is Scale.UNITS:
        return f"{round(change, 2) + 0.0:+.2f}{f' {metric.unit}' if unit and metric.unit else ''}"
    sign = " %" if unit and metric.scale is Scale.RATIO else ""
    if metric.scale is Scale.RATIO and change >= _LARGEST:
        return f">{100 * _LARGEST:+.0f}{sign}"
    digits = 2 if metric.scale is Scale.POINTS else 1 if abs(change) < 1.0 else 0
    # Rounded first, and a zero added, so that nothing reads -0.00.
    return f"{round(100 * change, digits) + 0.0:+.{digits}f}{sign}"


def interval_text(finding: Finding) -> str:
    """The change with its interval; empty where nothing was measured."""
    measured, metric = finding.measured, finding.metric
    if measured is None:
        return ""
    low, high = (change_text(metric, end, unit=False) for end in (measured.low, measured.high))
    return f"{change_text(metric, measured.change)} ({low} to {high})"


def reason_text(finding: Finding) -> str:
    """Why, with what is probable in front where nothing is sure."""
    return f"{finding.leaning}: {finding.reason}" if finding.leaning else finding.reason


def label_text(point: PointResult) -> str:
    """The point, and whether its numbers are those of a model at all."""
    return point.label + ("" if point.trained else " (untrained)")


def sides_text(finding: Finding) -> str:
    """Base and head."""
    measured, metric = finding.measured, finding.metric
    if measured is None:
        return ""
    return f"{value_text(metric, measured.base)} → {value_text(metric, measured.head)}"


def moved_clips(finding: Finding) -> tuple[ClipChange, ...]:
    """The clips to name: the worst first, or the best where the finding is an improvement."""
    moved = [clip for clip in finding.clips if clip.change != 0.0]
    if finding.verdict is Verdict.IMPROVED:
        moved.reverse()
    return tuple(moved[:CLIPS_SHOWN])


def clip_text(metric: Metric, clip: ClipChange) -> str:
    """One clip's change: ``dog 81.20 → 64.10 (-17.10)``."""
    return (
        f"{clip.sequence} {value_text(metric, clip.base)} → {value_text(metric, clip.head)} "
        f"({change_text(metric, clip.change)})"
    )


def clips_line(finding: Finding) -> str:
    """The clips that moved most, in one line; empty if none did."""
    moved = moved_clips(finding)
    if not moved:
        return ""
    rest = sum(clip.change != 0.0 for clip in finding.clips) - len(moved)
    more = f"; {rest} more moved" if rest else ""
    return "; ".join(clip_text(finding.metric, clip) for clip in moved) + more


def footnotes(comparison: Comparison) -> tuple[str, ...]:
    """What a reader must know beside the numbers, a line each."""
    level = f"{100 * (1 - comparison.alpha):g} %"
    limits = ", ".join(
        f"{tolerance.metric.label} {tolerance.text}" for tolerance in comparison.tolerances
    )
    notes = [
        f"tolerances: {limits}; in brackets {level} intervals; "
        f"{comparison.tests} tests, false discovery rate {100 * comparison.alpha:g} %"
    ]
    notes += _noise_notes(comparison)
    if comparison.new_points:
        notes.append(f"no baseline yet for: {', '.join(comparison.new_points)}")
    if not all(point.trained for point in comparison.points):
        notes.append("untrained: random weights; these numbers say nothing about a model")
    return tuple(notes)


def _noise_notes(comparison: Comparison) -> list[str]:
    """What an A/A comparison may show, per metric; and where repeats were paired."""
    notes = []
    for tolerance in comparison.tolerances:
        metric = tolerance.metric
        measured = [
            finding.measured
            for point in comparison.points
            for finding in point.findings
            if finding.metric is metric
            and finding.measured is not None
            and finding.measured.noise > 0.0
        ]
        if not measured:
            continue
        low, high = (f"{100 * end(m.noise for m in measured):.1f} %" for end in (min, max))
        span = low if low == high else f"{low} to {high}"
        paired = sum(m.paired for m in measured)
        how = f"; paired by round at {paired} of {len(measured)} points" if paired else ""
        notes.append(f"A/A noise of {metric.label}: {span}{how}")
    return notes


def side_text(source: str, versions: tuple[str, ...]) -> str:
    """Where a side is from, with its versions."""
    shown = ", ".join(versions[:3]) + (", …" if len(versions) > 3 else "")
    return f"{source} ({shown})" if versions else source
