"""Results as a table of at most 80 columns, in which different measurements look different."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from vosbench.baselines.errors import InputError, suggestion
from vosbench.harness.cli.merged import Row
from vosbench.harness.metric import Better, further_metrics, metrics
from vosbench.harness.terminal import lines, plain_table

NARROW = 80
"""Columns of a table that isn't printed to a terminal of more."""

BUSY = "†"
"""Behind times that were disturbed."""

_LONGEST = 18
"""Longest list of sequences that is named in a cell."""


@dataclass(frozen=True)
class Column:
    """A column: its title, the text of each row's cell; numbers are flush right."""

    title: str
    text: Callable[[Row], str]
    number: bool = True


TITLES = {
    "id": "trial_id", "model": "model", "weights": "weights_sha256", "precision": "precision",
    "data": "dataset", "protocol": "protocol", "sequences": "sequences", "frames": "max_frames",
    "files": "manifest_sha256", "size": "input_size", "seed": "seed", "switches": "switches",
    "runner": "runner_version", "kind": "kind", "device": "device", "repeat": "repeat",
    "τ": "tau", "τ₂": "tau2", "reuse": "reuse_rate", "J&F": "jf_mean", "J": "j_mean", "F": "f_mean",
    "FPS": "fps", "ms": "ms_per_frame", "latency": "latency_p99_ms", "late": "latency_late_share",
    "decoding": "latency_decoding_p99_ms", "late decoding": "latency_decoding_late_share",
    "state": "state",
}  # fmt: skip
"""The result's column behind each title, as docs/results.md names it."""

_SPARE = (("ms",), ("J", "F"), ("decoding", "late decoding"))
"""What FPS and J&F say too, and gives way first where there is no room; intervals are next."""


def results_table(
    rows: Sequence[Row],
    *,
    ids: bool = False,
    columns: Sequence[str] = (),
    width: int = NARROW,
) -> RenderableType:
    """A table that fits ``width`` where it can, and notes below it.

    What tells measurements apart (weights, data, sequences, cut, files, machine …) has a column
    where it differs, and is said below the table where it doesn't. Columns without any value are
    left out.

    Args:
        rows: as :func:`vosbench.harness.cli.merged.merge_kinds` makes them, or one per trial.
        ids: each trial's id in front: what other commands know it by.
        columns: these alone, by title or by the name that results have.

    Raises:
        InputError: a column that there isn't.
    """
    if columns:
        chosen = _brief([_column(name, rows) for name in columns], rows, width)
    else:
        front = [_column("trial_id", rows)] if ids else []
        chosen = _fitted([*front, *_telling(rows), *_values(rows)], rows, width)
    titles = [column.title for column in chosen]
    table: Table = plain_table(*titles, right=tuple(c.title for c in chosen if c.number))
    for row in rows:
        table.add_row(*(column.text(row) for column in chosen))
    notes = list(_notes(rows, set(titles)))
    return Group(table, lines(notes)) if notes else table


def sorted_rows(rows: Iterable[Row], name: str) -> list[Row]:
    """Rows by a column, the best first: the highest, or the lowest where less is better.

    ``-NAME`` turns it round; rows without a value come last. Raises InputError for a column that
    there isn't.
    """
    rows = list(rows)
    key = _key(name.removeprefix("-"), rows)
    known = metrics().get(key)
    falling = known is not None and known.better is not Better.DOWN
    if name.startswith("-"):
        falling = not falling
    valued = [row for row in rows if _is_known(row.get(key))]
    rest = [row for row in rows if not _is_known(row.get(key))]
    return sorted(valued, key=lambda row: _comparable(row[key]), reverse=falling) + rest


def column_names(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """The results' columns that titles or names mean; raises InputError for others."""
    return [_key(name, rows) for name in names]


def _key(name: str, rows: Sequence[Row]) -> str:
    known = dict.fromkeys(name for row in rows[:1] for name in row)
    known |= dict.fromkeys(metrics())
    titles = TITLES | {m.label: m.name for m in further_metrics()}
    if name in known or name not in titles:
        if rows and name not in known:
            raise InputError(f"no column '{name}'{suggestion(name, {*titles, *known})}")
        return name
    return titles[name]


def _is_known(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124 - NaN


def _comparable(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else _decimal(value)


def _decimal(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def _column(name: str, rows: Sequence[Row]) -> Column:
    """A column that somebody asked for."""
    key = _key(name, rows)
    found = next((c for c in (*_every_telling(rows), *_all_values()) if _is(c, key)), None)
    words = any(isinstance(row.get(key), str) for row in rows)
    return found or Column(name, lambda row: _any_text(key, row.get(key)), number=not words)


def _is(column: Column, key: str) -> bool:
    titles = TITLES | {m.label: m.name for m in further_metrics()}
    return titles.get(column.title) == key


def _any_text(key: str, value: Any) -> str:
    metric = metrics().get(key)
    if not _is_known(value):
        return "–"
    if metric is not None:
        return metric.text(float(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _telling(rows: Sequence[Row]) -> list[Column]:
    """What tells rows apart, in those columns in which they differ; the model always."""

    def differ(name: str) -> bool:
        return len({repr(row[name]) for row in rows}) > 1

    def several(one: tuple[str, ...], other: str) -> bool:
        """Whether rows that agree in some columns differ in another."""
        pairs = {(*(repr(row[name]) for name in one), repr(row[other])) for row in rows}
        return len(pairs) > len({pair[:-1] for pair in pairs})

    timed = [row for row in rows if _is_known(row["fps"])]
    shown = {
        "model": True,
        "weights": several(("model",), "weights_sha256"),
        "precision": differ("precision"),
        "data": differ("dataset"),
        "protocol": several(("dataset",), "protocol"),
        "sequences": several(("dataset",), "sequences"),
        "frames": differ("max_frames"),
        "files": several(("dataset", "protocol", "sequences", "max_frames"), "manifest_sha256"),
        "size": differ("input_size"),
        "seed": differ("seed"),
        "switches": differ("switches"),
        "runner": several(("model",), "runner_version"),
        "kind": differ("kind"),
        "repeat": "repeats" not in (rows[0] if rows else {}) and differ("repeat"),
        "device": len({row["environment_key"] for row in timed}) > 1,
    }
    return [column for column in _every_telling(rows) if shown.get(column.title, False)]


def _every_telling(rows: Sequence[Row]) -> list[Column]:
    sets = sequence_names(rows)
    devices = {row["device"] for row in rows if row["device"] is not None}
    machines = {row["environment_key"] for row in rows if _is_known(row["fps"])}

    def device(row: Row) -> str:
        if not _is_known(row["fps"]):
            return "–"
        key = str(row["environment_key"])[:6]
        return str(row["device"]) if len(devices) >= len(machines) else f"{row['device']} {key}"

    return [
        Column("id", lambda row: str(row["trial_id"])),
        Column("model", lambda r: r["model"] + ("" if r["trained"] else " (untrained)"), False),
        Column("weights", lambda row: row["weights_sha256"][:8], False),
        Column("precision", lambda row: row["precision"], False),
        Column("data", lambda row: row["dataset"], False),
        Column("protocol", lambda row: row["protocol"], False),
        Column("sequences", lambda row: sets[row["sequences"]], False),
        Column("frames", lambda row: _cut(row["max_frames"])),
        Column("files", lambda row: row["manifest_sha256"][:8], False),
        Column("size", lambda row: str(row["input_size"] or "–"), False),
        Column("seed", lambda row: str(row["seed"])),
        Column("switches", lambda row: _switches(row["switches"]), False),
        Column("runner", lambda row: str(row["runner_version"]), False),
        Column("kind", lambda row: str(row["kind"]), False),
        Column("repeat", lambda row: str(row["repeat"])),
        Column("device", device, False),
    ]


def sequence_names(rows: Sequence[Row]) -> Mapping[tuple[str, ...], str]:
    """A short name for each set of sequences: their names, or their number; unique."""
    named: dict[tuple[str, ...], str] = {}
    for names in dict.fromkeys(row["sequences"] for row in rows):
        text = ", ".join(names)
        named[names] = text if len(text) <= _LONGEST else str(len(names))
    for text in set(named.values()):
        alike = [names for names in named if named[names] == text]
        for place, names in enumerate(alike if len(alike) > 1 else ()):
            named[names] = f"{text} {chr(ord('A') + place % 26)}{place // 26 or ''}"
    return named


def _cut(frames: Any) -> str:
    return "all" if not _is_known(frames) else f"{int(frames)}"


def _switches(switches: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in sorted(switches.items())) or "–"


def _values(rows: Sequence[Row]) -> list[Column]:
    """Columns of numbers that some row has, and the state where something is unfinished."""

    def has_value(column: Column) -> bool:
        if column.title == "state":
            return any(row["state"] != "complete" for row in rows)
        if column.title == "J&F" and any(row["unscored"] is not None for row in rows):
            return True  # none, for the reason below the table
        key = (TITLES | {m.label: m.name for m in further_metrics()})[column.title]
        return any(_is_known(row.get(key)) for row in rows)

    return [column for column in _all_values() if has_value(column)]


def _all_values() -> list[Column]:
    return [
        Column("τ", lambda row: "–" if row["tau"] is None else str(row["tau"])),
        Column("τ₂", lambda row: "–" if row["tau2"] is None else str(row["tau2"])),
        Column("reuse", lambda row: _number(row, "reuse_rate", 100, "reuse")),
        Column("J&F", lambda row: _number(row, "jf_mean", 100, "jf")),
        Column("J", lambda row: _number(row, "j_mean", 100)),
        Column("F", lambda row: _number(row, "f_mean", 100)),
        *(Column(m.label, lambda row, n=m.name: _any_text(n, row.get(n)))  # type: ignore[misc]
          for m in further_metrics()),
        Column("FPS", lambda row: _number(row, "fps", 1, "fps")),
        Column("ms", lambda row: _number(row, "ms_per_frame", 1)),
        *_latency_columns("latency", "late", "latency"),
        *_latency_columns("decoding", "late decoding", "latency_decoding"),
        Column("state", lambda row: str(row["state"]), False),
    ]  # fmt: skip


def _latency_columns(title: str, late: str, name: str) -> tuple[Column, Column]:
    """Ms of a streamed frame as p50/p90/p99, and the share in percent that came late."""

    def quantiles(row: Row) -> str:
        found = [row.get(f"{name}_p{q}_ms") for q in (50, 90, 99)]
        return "/".join(f"{ms:.0f}" if _is_known(ms) else "–" for ms in found)

    return (
        Column(title, quantiles),
        Column(late, lambda row: _number(row, f"{name}_late_share", 100)),
    )


def _number(row: Row, name: str, factor: float, limits: str = "") -> str:
    """A number of one decimal, with its limits in brackets where they are known."""
    value = row.get(name)
    if value is None or not _is_known(value):
        return "–"
    text = f"{factor * float(value):.1f}" + (BUSY if limits == "fps" and row.get("busy") else "")
    low, high = row.get(f"{limits}_low"), row.get(f"{limits}_high")
    if limits == "fps" and row.get("repeats", 0) < 2:
        return text
    if low is None or high is None or not (_is_known(low) and _is_known(high)):
        return text
    return f"{text} ({factor * low:.1f}–{factor * high:.1f})"


def _fitted(columns: list[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """Without what gives way, as far as needed."""
    for spare in _SPARE:
        if _width(columns, rows) > width:
            columns = [column for column in columns if column.title not in spare]
    return _brief(columns, rows, width)


def _brief(columns: list[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """Numbers without their limits, as far as needed."""
    for title in ("J&F", "reuse", "FPS"):
        if _width(columns, rows) > width:
            columns = [_bare(column) if column.title == title else column for column in columns]
    return columns


def _bare(column: Column) -> Column:
    return Column(column.title, lambda row: column.text(row).partition(" (")[0])


def _width(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """Of the table, with two columns between cells and one at each end."""
    cells = (max([len(c.title), *(len(c.text(row)) for row in rows)]) for c in columns)
    return sum(cells) + 3 * (len(columns) - 1) + 2


def _notes(rows: Sequence[Row], titles: set[str]) -> Iterator[str]:
    percent = [title for title in ("J&F", "J", "F", "reuse") if title in titles]
    own = [f"; {m.axis}" for m in further_metrics() if m.unit and m.label in titles]
    if percent:
        yield f"{_listed(percent)} in percent{''.join(own)}."
    if any(_is_known(row.get("jf_low")) or _is_known(row.get("reuse_low")) for row in rows):
        yield "In brackets: 95 %, over sequences drawn again with replacement."
    if "FPS" in titles and any(row.get("repeats", 0) > 1 for row in rows):
        yield "FPS: median of the repeats; in brackets the slowest and the fastest."
    if "FPS" in titles and any(row.get("busy") and _is_known(row["fps"]) for row in rows):
        yield f"{BUSY} others used the device meanwhile."
    yield from _on_latency(rows, titles)
    yield from _measured_on(rows, titles)
    if not all(row["trained"] for row in rows):
        yield "untrained: random weights; these numbers say nothing about a model."
    stand_ins = [row["model"] for row in rows if str(row["weights"]).endswith("(demonstration)")]
    if stand_ins:
        yield f"demonstration weights, not the paper's: {', '.join(dict.fromkeys(stand_ins))}."
    for reason in dict.fromkeys(row["unscored"] for row in rows):
        if reason is not None:
            yield f"no J&F: {reason}."
    for remark in dict.fromkeys(row["remarks"] for row in rows):
        if remark is not None:
            yield f"{remark}."
    devices = sorted({row["device"] for row in rows if row["device"] is not None})
    if devices and "device" not in titles:
        yield f"Device: {', '.join(devices)}."


def _on_latency(rows: Sequence[Row], titles: set[str]) -> Iterator[str]:
    if "latency" in titles:
        rates = sorted({f"{r['stream_fps']:g}" for r in rows if _is_known(r.get("stream_fps"))})
        said = f"ms from arrival to labels, p50/p90/p99, at {_listed(rates)} frames/s"
        yield f"latency: {said}; late: percent after the next arrival."
    if "decoding" in titles:
        yield "decoding, late decoding: the same with frames decoded as they arrive."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _measured_on(rows: Sequence[Row], titles: set[str]) -> Iterator[str]:
    """What the rows were measured on, as far as no column says it."""
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        of_it = [row for row in rows if row["dataset"] == dataset]
        sets = dict.fromkeys(row["sequences"] for row in of_it)
        cuts = {_cut(row["max_frames"]) for row in of_it}
        cut = cuts.pop() if len(cuts) == 1 and "frames" not in titles else "all"
        if len(sets) == 1:
            (names,) = sets
            count = f"{len(names)} sequences" if len(names) > 1 else f"sequence {names[0]}"
            first = "" if cut == "all" else f", the first {cut} frames of each"
            yield f"Measured on {dataset}: {count}{first}."
        elif cut != "all":
            yield f"Measured on the first {cut} frames of each sequence of {dataset}."
    for names, text in sequence_names(rows).items():
        if text[-1:].isupper() and text[:1].isdigit():
            yield f"{text}: {', '.join(names)}."
