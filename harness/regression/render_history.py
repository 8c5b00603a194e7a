"""History and baselines in a terminal of 80 columns, in the units that people read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table

from vosbench.harness.regression.history import HistorySeries
from vosbench.harness.regression.points import by_point, labels
from vosbench.harness.regression.repeats import NoiseFloor
from vosbench.harness.regression.wording import change_text, value_text
from vosbench.harness.store import Selection
from vosbench.harness.store.measured import Run
from vosbench.harness.terminal import lines, plain_table, styled


def history_tables(series: Iterable[HistorySeries]) -> RenderableType:
    """A table per set of frames: a line a grid point and version, a column a metric and machine.

    A value at which the level stepped has the size of the step beside it.
    """
    groups: dict[str, list[HistorySeries]] = {}
    for one in series:
        groups.setdefault(one.protocol, []).append(one)
    parts: list[RenderableType] = []
    for protocol, members in groups.items():
        parts += [styled(protocol, "bold"), _history_table(members)]
    stepped = any(one.steps for members in groups.values() for one in members)
    notes = ["J&F in percent."]
    if stepped:
        notes.append("In brackets: the level stepped there, and by how much.")
    return Group(*parts, lines(notes, "dim"))


def _history_table(members: Sequence[HistorySeries]) -> Table:
    columns = tuple(dict.fromkeys((one.metric.label, one.machine) for one in members))
    heads = _heads(columns)
    table = plain_table("point", "version", *heads, right=heads)
    for label in dict.fromkeys(one.label for one in members):
        of_point = {(one.metric.label, one.machine): one for one in members if one.label == label}
        shown = label
        for version in _versions(of_point.values()):
            cells = (_value(of_point.get(column), version) for column in columns)
            table.add_row(shown, version, *cells)
            shown = ""
    return table


def _heads(columns: Sequence[tuple[str, str | None]]) -> tuple[str, ...]:
    """Labels of metrics; with the machine where one was timed on several."""
    names = [name for name, _ in columns]
    return tuple(
        f"{name}, {machine}" if names.count(name) > 1 else name for name, machine in columns
    )


def _versions(members: Iterable[HistorySeries]) -> tuple[str, ...]:
    """All versions of a point, in their order."""
    longest = sorted(members, key=lambda one: -len(one.values))
    return tuple(dict.fromkeys(value.version for one in longest for value in one.values))


def _value(one: HistorySeries | None, version: str) -> str:
    values = [] if one is None else [v.value for v in one.values if v.version == version]
    if one is None or not values:
        return "–"
    stepped = [step.change for step in one.steps if step.version == version]
    mark = f" ({change_text(one.metric, stepped[0])})" if stepped else ""
    return value_text(one.metric, values[0]) + mark


def day(at: float) -> str:
    """``2026-11-28``, of seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d") if math.isfinite(at) else "–"


def baseline_rows(run: Run, floors: Sequence[NoiseFloor]) -> list[dict[str, object]]:
    """A record per grid point of a baseline: shares 0..1, FPS, repeats, noise as a share."""
    points = by_point(run.trials)
    names = labels(points)
    noise = {floor.label: floor for floor in floors}
    rows: list[dict[str, object]] = []
    for point, trials in points.items():
        known = trials.accuracy.aggregates if trials.accuracy is not None else {}
        floor = noise.get(names[point])
        rows.append(
            {
                "point": names[point],
                "jf_mean": known.get("jf_mean", math.nan),
                "reuse_rate": known.get("reuse_rate", math.nan),
                "fps": math.nan if floor is None else floor.value,
                "repeats": 0 if floor is None else floor.repeats,
                "noise": math.nan if floor is None else floor.noise,
            }
        )
    return rows


def baseline_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Those records for people."""
    titles = ("point", "J&F", "reuse", "FPS", "repeats", "A/A noise")
    notes = ["J&F and reuse in percent."]
    if any(row["repeats"] for row in rows):
        notes.append("A/A noise: the change that as many repeats a side may show when nothing")
        notes.append("changed (95 %).")
    table = plain_table(*titles, right=titles[1:], caption=lines(notes))
    for row in rows:
        table.add_row(
            str(row["point"]),
            _number(row["jf_mean"], 100, 2),
            _number(row["reuse_rate"], 100, 1),
            _number(row["fps"], 1, 2),
            str(row["repeats"] or "–"),
            _number(row["noise"], 100, 1, " %") if row["repeats"] else "–",
        )
    return table


def _number(value: object, factor: float, digits: int, unit: str = "") -> str:
    if not isinstance(value, float) or math.isnan(value):
        return "unknown" if unit else "–"
    return f"{factor * value:.{digits}f}{unit}"


def where_text(where: Selection) -> str:
    """What a baseline was chosen by: ``models my-model; kinds timing``, or ``everything``."""
    parts = [
        f"{name} {', '.join(map(str, values))}" for name, values in vars(where).items() if values
    ]
    return "; ".join(parts) or "everything"
