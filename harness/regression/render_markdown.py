"""A comparison as Markdown, for the summary of a pull request."""

from __future__ import annotations

from vosbench.harness.regression.comparison import Comparison, Finding, PointResult
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.regression.wording import (
    clip_text,
    footnotes,
    interval_text,
    moved_clips,
    side_text,
    sides_text,
)

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
        _plain(comparison.reason),
        "",
        f"- base: {_plain(side_text(comparison.base, comparison.base_versions))}",
        f"- head: {_plain(side_text(comparison.head, comparison.head_versions))}",
        "",
    ]
    if comparison.points:
        lines += [
            "| grid point | metric | base → head | change | verdict |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(point, finding) for point in comparison.points for finding in point.findings]
        lines.append("")
    for point in comparison.points:
        for finding in point.findings:
            lines += _drill_down(point, finding)
    lines += [f"<sub>{_plain(note)}</sub>  " for note in footnotes(comparison)]
    return "\n".join(lines) + "\n"


def _row(point: PointResult, finding: Finding) -> str:
    verdict = f"{_SIGNS[finding.verdict]} {finding.verdict}: {_plain(finding.reason)}"
    cells = (
        _plain(point.label),
        _plain(finding.metric.label),
        sides_text(finding) or "—",
        interval_text(finding) or "—",
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _drill_down(point: PointResult, finding: Finding) -> list[str]:
    moved = moved_clips(finding)
    if finding.verdict is Verdict.PASS or not moved:
        return []
    title = f"{point.label}, {finding.metric.label}: clips that moved"
    return [
        f"<details><summary>{_plain(title)}</summary>",
        "",
        *(f"- {_plain(clip_text(finding.metric, clip))}" for clip in moved),
        "",
        "</details>",
        "",
    ]


def _plain(text: str) -> str:
    """Text that stays in its cell and starts no markup."""
    line = " ".join(text.split())
    for sign in ("\\", "|", "`", "*", "_", "[", "#"):
        line = line.replace(sign, f"\\{sign}")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
