"""A proof as a person reads it: what failed first, a line a check, then each check's figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from textwrap import shorten
from typing import Any

from vosbench.harness.contract.prove_record import Figure, ProofOutcome, ProofReport, ProofVerdict

LINE = 88
"""Longest account of a check, in characters; its section has the rest."""


def account(outcome: ProofOutcome) -> str:
    """What a check came to, in a line."""
    if outcome.detail:
        return shorten(outcome.detail, LINE, placeholder=" …")
    said = "; ".join(map(str, outcome.figures))
    if len(said) <= LINE:
        return said
    nearest = max(outcome.figures, key=lambda figure: figure.nearness)
    bounded = sum(figure.bounded for figure in outcome.figures)
    return f"{bounded} figures hold; nearest to its bound: {nearest}"


def markdown(report: ProofReport) -> str:
    """A page to file with an issue."""
    environment = report.environment
    commit = str(environment.get("git_commit") or "unknown")[:8]
    changed = " and uncommitted changes" if environment.get("git_dirty") else ""
    lines = [
        f"# Proof on {report.device}, {report.date[:10]}",
        "",
        f"**{report.summary}**: {len(report.outcomes)} checks in {report.seconds:.0f} s",
        f"({report.seconds / 60:.1f} minutes), begun {report.date}, commit {commit}{changed}.",
        "",
        *_overview(report.outcomes),
    ]
    for outcome in report.outcomes:
        if outcome.figures or outcome.traceback:
            lines += ["", *_section(outcome)]
    lines += ["", "## Environment", "", "| | |", "| --- | --- |"]
    lines += [
        f"| {_cell(name)} | {_cell(_plain(value))} |"
        for name, value in environment.items()
        if value not in (None, ())
    ]
    return "\n".join(lines) + "\n"


def _overview(outcomes: Sequence[ProofOutcome]) -> Iterable[str]:
    """A line a check, failed ones first; what was not done by its reason."""
    yield "| check | verdict | seen | s |"
    yield "| --- | --- | --- | ---: |"
    order = list(ProofVerdict)
    for o in sorted(outcomes, key=lambda o: order.index(o.verdict)):
        if o.verdict is not ProofVerdict.NOT_DONE:
            verdict = f"**{o.verdict}**" if o.verdict is ProofVerdict.FAILED else o.verdict
            yield f"| {_cell(o.check)} | {verdict} | {_cell(account(o))} | {o.seconds:.0f} |"
    left: dict[str, list[str]] = {}
    for o in outcomes:
        if o.verdict is ProofVerdict.NOT_DONE:
            left.setdefault(o.detail, []).append(o.check)
    if left:
        yield ""
        yield "Not done:"
        yield ""
    for reason, checks in left.items():
        yield f"- {', '.join(checks)}: {reason}"


def _section(outcome: ProofOutcome) -> Iterable[str]:
    yield f"## {outcome.check}: {outcome.verdict}"
    yield ""
    yield f"{outcome.claim}."
    if outcome.detail:
        yield ""
        yield outcome.detail
    single = [figure for figure in outcome.figures if not figure.group]
    if single:
        yield from ("", "| figure | value | bound |", "| --- | ---: | --- |")
        for figure in single:
            yield f"| {_cell(figure.name)} | {_value(figure)} | {figure.bound} |"
    rows = [list(row) for _, row in groupby(outcome.figures, lambda figure: figure.group)]
    rows = [row for row in rows if row[0].group]
    titles = {tuple(figure.name for figure in row): None for row in rows}
    for names in titles:
        yield from ("", f"| | {' | '.join(map(_cell, names))} | bound |")
        yield f"| --- |{' ---: |' * len(names)} --- |"
        for row in rows:
            if tuple(figure.name for figure in row) == names:
                values = " | ".join(map(_value, row))
                yield f"| {_cell(row[0].group)} | {values} | {_bounds(row)} |"
    if outcome.traceback:
        yield from ("", "```", outcome.traceback.rstrip(), "```")


def _bounds(row: Sequence[Figure]) -> str:
    """The bound that most of a row have; others with their names."""
    bounds = [figure.bound for figure in row if figure.bounded]
    usual = max(bounds, key=bounds.count, default="")
    own = [f"{f.name} {f.bound}" for f in row if f.bounded and f.bound != usual]
    return "; ".join([usual, *own])


def _value(figure: Figure) -> str:
    return figure.number if figure.holds else f"**{figure.number}**"


def _plain(value: Any) -> str:
    """A tuple of pairs as "name value, …", one of others with commas."""
    if isinstance(value, list | tuple):
        return ", ".join(
            " ".join(map(str, each)) if isinstance(each, list | tuple) else str(each)
            for each in value
        )
    return str(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
