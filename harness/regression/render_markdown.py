"""A comparison as Markdown, for the summary of a pull request."""

from __future__ import annotations

from vosbench.harness.regression.comparison import Comparison, Finding, PointResult
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.regression.wording import (
    clip_text,
    footnotes,
    interval_text,
    label_text,
    moved_clips,
    reason_text,
    side_text,
    sides_text,
)
from vosbench.harness.text import markdown as escape

_SIGNS = {
    Verdict.PASS: "✅",
    Verdict.REGRESSED: "❌",
    Verdict.IMPROVED: "🎉",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.INCOMPARABLE: "🚫",
    Verdict.ERROR: "💥",
}


def markdown(comparison: Comparison) -> str:
    """Headline, one row per finding, and the clips that moved in folded sections."""
    lines = [
        f"### {_SIGNS[comparison.verdict]} VOSBench: {comparison.verdict}",
        "",
        escape(comparison.reason),
        "",
        f"- base: {escape(side_text(comparison.base, comparison.base_versions))}",
        f"- head: {escape(side_text(comparison.head, comparison.head_versions))}",
        "",
    ]
    if comparison.points:
        lines += [
            "| grid point | metric | base → head | change | verdict |",
            "|---|---|---|---|---|",
        ]
        for point in comparison.points:
            names = [label_text(point), *([""] * (len(point.findings) - 1))]
            lines += map(_row, names, point.findings)
        lines.append("")
    for point in comparison.points:
        for finding in point.findings:
            lines += _drill_down(point, finding)
    lines += [f"<sub>{escape(note)}</sub>  " for note in footnotes(comparison)]
    return "\n".join(lines) + "\n"


def _row(name: str, finding: Finding) -> str:
    """A row; only the first of a point names it."""
    verdict = f"{_SIGNS[finding.verdict]} {finding.verdict}: {escape(reason_text(finding))}"
    cells = (
        escape(name),
        escape(finding.metric.label),
        sides_text(finding) or "—",
        interval_text(finding) or "—",
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _drill_down(point: PointResult, finding: Finding) -> list[str]:
    moved = moved_clips(finding)
    if finding.verdict is Verdict.PASS or not moved:
        return []
    title = f"{point.label}, {finding.metric.label}: sequences that moved"
    return [
        f"<details><summary>{escape(title)}</summary>",
        "",
        *(f"- {escape(clip_text(finding.metric, clip))}" for clip in moved),
        "",
        "</details>",
        "",
    ]
