"""A comparison in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vosbench.harness.regression.comparison import Comparison, Finding
from vosbench.harness.regression.verdict import Verdict
from vosbench.harness.regression.wording import (
    clips_line,
    footnotes,
    interval_text,
    label_text,
    reason_text,
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
        parts.append(styled(label_text(point), "bold"))
        for finding in point.findings:
            parts += _finding(finding)
    parts += [styled(note, "dim") for note in footnotes(comparison)]
    parts.append(_verdict_text(comparison.verdict, comparison.reason))
    return Group(*parts)


def _finding(finding: Finding) -> Iterator[RenderableType]:
    """Its numbers in columns that line up with those of others, then why, then the sequences."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, show_header=False)
    for name, width in (("metric", 14), ("base → head", 18), ("change", 27), ("verdict", 15)):
        table.add_column(name, no_wrap=True, min_width=width)
    style, passed = STYLES[finding.verdict], finding.verdict is Verdict.PASS
    table.add_row(
        finding.metric.label,
        sides_text(finding) or styled("—", "dim"),
        interval_text(finding) or styled("—", "dim"),
        styled(finding.verdict if passed else finding.leaning or finding.verdict, style),
    )
    yield table
    yield styled(f"  {reason_text(finding)}", "dim" if passed else style)
    clips = "" if passed else clips_line(finding)
    if clips:
        yield styled(f"  sequences: {clips}", "dim")


def _verdict_text(verdict: Verdict, reason: str) -> Text:
    lead = "" if reason.startswith(verdict) else f"{verdict}: "
    return styled(f"{lead}{reason}", STYLES[verdict])
