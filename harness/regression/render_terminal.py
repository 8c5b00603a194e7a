"""A comparison in a terminal of 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vosbench.harness.regression.comparison import Comparison, Finding, PointResult
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.regression.wording import (
    clips_line,
    footnotes,
    interval_text,
    side_text,
    sides_text,
)
from vosbench.harness.terminal import styled

STYLES = {
    Verdict.PASS: "green",
    Verdict.REGRESSED: "bold red",
    Verdict.IMPROVED: "cyan",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.INCOMPARABLE: "magenta",
    Verdict.ERROR: "bold red",
}


def terminal(comparison: Comparison) -> RenderableType:
    """Something for ``rich.console.Console.print``: tables, what to look at, the total."""
    parts: list[RenderableType] = [
        styled(f"base  {side_text(comparison.base, comparison.base_versions)}"),
        styled(f"head  {side_text(comparison.head, comparison.head_versions)}"),
    ]
    for point in comparison.points:
        parts += [styled(point.label, "bold"), _table(point)]
    parts += _details(comparison)
    parts += [styled(note, "dim") for note in footnotes(comparison)]
    parts.append(_verdict_text(comparison.verdict, comparison.reason))
    return Group(*parts)


def _table(point: PointResult) -> Table:
    """The findings of a point, in columns that line up with those of other points."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for name, width in (("metric", 14), ("base → head", 18), ("change", 28), ("verdict", 12)):
        table.add_column(name, no_wrap=True, min_width=width)
    for finding in point.findings:
        table.add_row(
            finding.metric.label,
            sides_text(finding),
            interval_text(finding) or styled("—", "dim"),
            styled(finding.verdict, STYLES[finding.verdict]),
        )
    return table


def _details(comparison: Comparison) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for point in comparison.points:
        for finding in point.findings:
            if finding.verdict is not Verdict.PASS:
                lines.append(_reason_text(point.label, finding))
                clips = clips_line(finding)
                if clips:
                    lines.append(styled(f"  clips: {clips}", "dim"))
    return lines


def _reason_text(label: str, finding: Finding) -> Text:
    text = styled(f"{label}, {finding.metric.label}: ")
    return text.append_text(styled(finding.reason, STYLES[finding.verdict]))


def _verdict_text(verdict: Verdict, reason: str) -> Text:
    lead = "" if reason.startswith(verdict) else f"{verdict}: "
    return styled(f"{lead}{reason}", STYLES[verdict])
