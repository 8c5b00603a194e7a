"""A model's card: what it is, where it was trained, all results by protocol, its cost by device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.harness.store import Readable, Selection, State, results, sequences
from vosbench.harness.trials import Kind
from vosbench.runners.registry import base_name, resolve

Row = Mapping[str, Any]

_ACCURACY = {"jf_mean": "J&F", "j_mean": "J", "f_mean": "F", "reuse_rate": "reuse"}
_COST = {
    "fps": "FPS",
    "ms_per_frame": "ms/frame",
    "p95_ms": "p95 ms",
    "stream_fps": "streamed at",
    "latency_p50_ms": "latency p50 ms",
    "latency_p90_ms": "p90 ms",
    "latency_p99_ms": "p99 ms",
    "late_percent": "late, %",
    "init_ms": "first frame ms",
    "objects_per_frame": "objects",
    "peak_memory_mib": "peak MiB",
    "energy_net_j_per_frame": "J/frame",
}
_CROWD = "crowd"
"""The dataset whose sequences differ by their number of objects alone."""
_BY_OBJECTS = {f"fps/{n}": f"FPS, {n} object{'s' if n > 1 else ''}" for n in (1, 5, 10)}


def model_card(source: Readable, model: str) -> str:
    """Markdown on a model and all its policies.

    Raises InputError where the database has no complete result of it.
    """
    base = base_name(model)
    found = results(source, Selection(states=(State.COMPLETE,)))
    rows: list[Row] = [
        {str(name): value for name, value in row.items()}
        for row in found.to_dict("records")
        if base_name(str(row["model"])) == base
    ]
    if not rows:
        raise InputError(f"no complete result of {base}: run `vosbench run --models {base}` first")
    measured = [row for row in rows if row["kind"] == Kind.ACCURACY]
    timed = [
        {**row, "late_percent": 100 * row.get("latency_late_share", math.nan)}
        for row in rows
        if row["kind"] == Kind.TIMING
    ]
    return "\n".join(
        [
            *_about(base, rows),
            *_section("Accuracy", measured, "protocol", _ACCURACY, percent=True),
            *_section("Cost", _with_crowds(source, timed), "device", _COST | _BY_OBJECTS),
        ]
    )


def _about(base: str, rows: Sequence[Row]) -> list[str]:
    said = [f"# {base}", ""]
    try:
        spec = resolve(base).spec
    except InputError:  # a model of a package that isn't installed here, or a bundle's
        said.append("- not installed here")
    else:
        said.append(f"- {spec.summary}")
        said += [f"- backbone: {spec.backbone}"] if spec.backbone else []
        said.append(f"- objects: {'several' if spec.multi_object else 'one'} at once")
    for name, sha256, trained in dict.fromkeys(
        (row["weights"], row["weights_sha256"], bool(row["trained"])) for row in rows
    ):
        note = "" if trained else ", untrained: its numbers say nothing about the model"
        said.append(f"- weights: {name} (sha256 {sha256[:16]}…){note}")
    margins = sorted({row["margins"] for row in rows if row["margins"]})
    said += [f"- margins of the gate loss: {', '.join(margins)}"] if margins else []
    remarks = dict.fromkeys(row["remarks"] for row in rows if row["remarks"])
    return [*said, *(f"- {remark}" for remark in remarks), ""]


def _with_crowds(source: Readable, timed: Sequence[Row]) -> list[Row]:
    """The rows; those timed on ``crowd`` with the FPS of its sequences by number of objects."""
    keys = [row["key"] for row in timed if row["dataset"] == _CROWD]
    if not keys:
        return list(timed)
    speeds: dict[str, dict[str, float]] = {key: {} for key in keys}
    for one in sequences(source, Selection(keys=keys)).to_dict("records"):
        speeds[one["key"]][f"fps/{one['objects']}"] = one.get("fps", math.nan)
    return [{**row, **speeds.get(row["key"], {})} for row in timed]


def _section(
    title: str, rows: Sequence[Row], by: str, columns: Mapping[str, str], *, percent: bool = False
) -> Iterable[str]:
    """A table for each value of ``by``; nothing where nothing was measured."""
    for value in dict.fromkeys(row[by] for row in rows):
        of_it = [row for row in rows if row[by] == value]
        known = {n: t for n, t in columns.items() if any(_is_known(row.get(n)) for row in of_it)}
        yield f"## {title}: {value or 'unknown'}"
        yield ""
        titles = ["model", "τ", "weights", "data", "sequences", "frames", *known.values()]
        yield f"| {' | '.join(titles)} |"
        yield f"|{' --- |' * len(titles)}"
        for row in of_it:
            cut = row["max_frames"]
            tau = row["tau"]
            cells = [row["model"], f"{tau:g}" if _is_known(tau) else "–", row["weights"]]
            cells += [row["dataset"], str(len(row["sequences"]))]
            cells.append(f"first {int(cut)}" if _is_known(cut) else "all")
            scale = 100 if percent else 1
            cells += [_number(row.get(name), scale) for name in known]
            texts = [str(cell).replace("|", "\\|") for cell in cells]
            yield f"| {' | '.join(texts)} |"
        yield ""


def _is_known(value: Any) -> bool:
    return value is not None and not math.isnan(float(value))


def _number(value: Any, scale: int) -> str:
    return f"{scale * float(value):.1f}" if _is_known(value) else "–"
