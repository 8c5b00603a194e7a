"""``vosbench results``: what the database holds, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from vosbench.harness.cli import options
from vosbench.harness.cli.attributes import Attribute, by_attribute
from vosbench.harness.cli.merged import Row, merge_kinds
from vosbench.harness.metric import further_metrics
from vosbench.harness.store import Selection, objects, result_rows, results
from vosbench.harness.text.formats import csv_text
from vosbench.harness.text.output import json_text, say, write_out
from vosbench.harness.text.terminal import Terminal, lines, plain_table

if TYPE_CHECKING:
    import pandas as pd

JSON_FIELDS = (
    "model",
    "dataset",
    "tau",
    "tau2",
    "policy",
    "kind",
    "weights",
    "trained",
    "state",
    "jf_mean",
    "j_mean",
    "f_mean",
    "reuse_rate",
    "fps",
    "ms_per_frame",
    "mask_sha256",
    "device",
    "protocol",
    "unscored",
    "remarks",
)
"""What ``results --json`` prints of each trial, at least; the rest follows."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("results")(show)


def show(
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    kind: options.KindFilter = None,
    as_json: options.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    by: Annotated[
        Attribute | None, typer.Option("--by", help="Group objects by how they move, or by size.")
    ] = None,
    each: Annotated[
        bool,
        typer.Option(
            "--each", help="A row per trial, with its id; else accuracy and timing in one row."
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write there instead.")] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write all columns to FILE.csv, .parquet or .jsonl."),
    ] = None,
) -> None:
    """Show results: a table, --csv, or --json (a list with one object per trial).

    docs/results.md says what the columns are.
    """
    where = options.selection(models, dataset, study, kind)
    grouped = None if by is None else by_attribute(objects(db, where), by)
    if export is not None:
        _export(results(db, where) if grouped is None else grouped, export)
        return
    if grouped is not None:
        _print_by(grouped, out, as_json=as_json, csv=csv)
        return
    if csv:
        _emit(_csv(results(db, where)), out)
        return
    rows = result_rows(db, where)
    if as_json:
        _emit(json_text([_json_row(row) for row in rows]) + "\n", out)
    else:
        shown = rows if kind is not None or each else merge_kinds(rows)
        _print_table(results_table(shown, ids=each), out)


def _json_row(row: Row) -> dict[str, Any]:
    """Plain JSON values; what isn't known is None."""
    names = dict.fromkeys((*JSON_FIELDS, *row))
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return list(value)
    if isinstance(value, dict):
        return value
    if hasattr(value, "item"):
        return _plain(value.item())
    return float(value)  # Decimal thresholds


def _export(frame: pd.DataFrame, out: Path) -> None:
    from vosbench.reports.export import export_frame

    say(f"wrote {export_frame(frame, out)}: {len(frame)} rows, {len(frame.columns)} columns")


def _csv(frame: pd.DataFrame) -> str:
    """As ``--export`` writes it."""
    from vosbench.reports.export import scalars

    return csv_text(scalars(frame))


def _emit(text: str, out: Path | None) -> None:
    if out is None:
        write_out(text)
    else:
        out.write_text(text, encoding="utf-8")


def _print_table(table: Table, out: Path | None) -> None:
    if out is None:
        Terminal().print(table)
        return
    with out.open("w", encoding="utf-8") as file:
        Terminal(file=file, width=120).print(table)


def _print_by(frame: pd.DataFrame, out: Path | None, *, as_json: bool, csv: bool) -> None:
    if as_json:
        records = [
            {name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")
        ]
        _emit(json_text(records) + "\n", out)
    elif csv or out is not None:
        _emit(csv_text(frame), out)
    else:
        Terminal().print(_by_table(frame))


def _by_table(frame: pd.DataFrame) -> Table:
    group = next(name for name in frame.columns if name in tuple(Attribute))
    titles = ("model", "data", "τ", group, "objects", "J&F", "J", "F", "reuse")
    table = plain_table(
        *titles, right=titles[4:], caption=lines(["J&F, J, F and reuse in percent."])
    )
    for row in frame.to_dict("records"):
        tau = "–" if math.isnan(row["tau"]) else f"{row['tau']:g}"
        means = [row.get(name, math.nan) for name in ("jf_mean", "j_mean", "f_mean", "reuse_rate")]
        shown = ["–" if math.isnan(mean) else f"{100 * mean:.1f}" for mean in means]
        table.add_row(row["model"], row["dataset"], tau, row[group], str(row["objects"]), *shown)
    return table


def print_summary(db: str, study: str) -> None:
    """The table at the end of a run."""
    Terminal().print(results_table(merge_kinds(result_rows(db, Selection(studies=(study,))))))


def results_table(rows: Sequence[Row], *, ids: bool = False) -> Table:
    """A table that fits 80 columns; columns without any value are left out.

    ``ids`` puts each trial's id in front: what other commands know it by.
    """
    shown = [*(["id"] if ids else []), *_columns(rows)]
    words = ("model", "weights", "data", "protocol", "kind", "state")
    numbers = tuple(title for title in shown if title not in words)
    table = plain_table(*shown, right=numbers, caption=_notes(rows))
    for row in rows:
        cells = _cells(row)
        table.add_row(*(cells[title] for title in shown))
    return table


def _float(value: Any) -> float:
    return math.nan if value is None else float(value)


def _known(rows: Sequence[Row], name: str) -> bool:
    return any(not math.isnan(_float(row.get(name))) for row in rows)


def _columns(rows: Sequence[Row]) -> list[str]:
    def differ(name: str) -> bool:
        return len({row[name] for row in rows}) > 1

    def several(one: str, other: str) -> bool:
        pairs = {(row[one], row[other]) for row in rows}
        return len(pairs) > len({value for value, _ in pairs})

    optional = {
        "τ": "tau",
        "τ₂": "tau2",
        "reuse": "reuse_rate",
        "J&F": "jf_mean",
        "J": "j_mean",
        "F": "f_mean",
        **{each.label: each.name for each in further_metrics()},
        "FPS": "fps",
        "ms": "ms_per_frame",
    }
    # Beside these there is no room for what J&F and FPS say too; --json and --csv have it.
    spare = {"J", "F", "ms"} if differ("kind") or differ("precision") else set()
    found = [title for title, name in optional.items() if _known(rows, name) and title not in spare]
    if any(row["unscored"] is not None for row in rows) and "J&F" not in found:
        found.append("J&F")  # none, for the reason below the table
    # Trainings with several seeds, or several files of one model.
    named = several("model", "weights_sha256")
    unfinished = any(row["state"] != "complete" for row in rows)
    return [
        "model",
        *(["weights"] if named else []),
        *(["precision"] if differ("precision") else []),
        *(["data"] if differ("dataset") else []),
        *(["protocol"] if several("dataset", "protocol") else []),
        *(["kind"] if differ("kind") else []),
        *found,
        *(["state"] if unfinished else []),
    ]


def _cells(row: Row) -> dict[str, str]:
    def number(name: str, scale: float, digits: int) -> str:
        value = row[name]
        return "–" if value is None or math.isnan(value) else f"{scale * float(value):.{digits}f}"

    return {
        "id": str(row["trial_id"]),
        "model": row["model"] + ("" if row["trained"] else " (untrained)"),
        "weights": row["weights_sha256"][:8],
        "precision": row["precision"],
        "data": row["dataset"],
        "protocol": row["protocol"],
        "kind": str(row["kind"]),
        "state": str(row["state"]),
        "τ": "–" if row["tau"] is None else str(row["tau"]),
        "τ₂": "–" if row["tau2"] is None else str(row["tau2"]),
        "reuse": number("reuse_rate", 100, 1),
        "J&F": number("jf_mean", 100, 1),
        "J": number("j_mean", 100, 1),
        "F": number("f_mean", 100, 1),
        **{m.label: m.text(_float(row[m.name])) for m in further_metrics() if m.name in row},
        "FPS": number("fps", 1, 1),
        "ms": number("ms_per_frame", 1, 1),
    }


def _notes(rows: Sequence[Row]) -> Text:
    own = [f", {m.axis}" for m in further_metrics() if m.unit and _known(rows, m.name)]
    notes = [f"J&F, J, F and reuse in percent{''.join(own)}."]
    if not all(row["trained"] for row in rows):
        notes.append("untrained: random weights; these numbers say nothing about a model.")
    stand_ins = [row["model"] for row in rows if str(row["weights"]).endswith("(demonstration)")]
    if stand_ins:
        names = ", ".join(dict.fromkeys(stand_ins))
        notes.append(f"demonstration weights, not the paper's: {names}.")
    for reason in dict.fromkeys(row["unscored"] for row in rows):
        if reason is not None:
            notes.append(f"no J&F: {reason}.")
    for remark in dict.fromkeys(row["remarks"] for row in rows):
        if remark is not None:
            notes.append(f"{remark}.")
    devices = sorted({row["device"] for row in rows if row["device"] is not None})
    if devices:
        notes.append(f"Device: {', '.join(devices)}.")
    return lines(notes)
