"""``vosbench results``: what the database holds, for people and for programs."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.attributes import Attribute, by_attribute
from vosbench.harness.cli.merged import Row, merge_kinds
from vosbench.harness.cli.results_table import column_names, results_table, sorted_rows
from vosbench.harness.store import Selection, objects, result_rows, results
from vosbench.harness.store.catalog import busy_keys
from vosbench.harness.terminal import Terminal, lines, plain_table
from vosbench.harness.text import STDOUT, csv_text, json_text, parse_names, say, write_file
from vosbench.harness.trials import Kind

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

_FILE_WIDTH = 120


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("results")(show)


def show(
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    kind: options.KindFilter = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="COLUMN", help="Best first; -COLUMN turns it round."),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", min=1, help="Only so many rows.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--columns", help="Only these, in this order.")
    ] = None,
    as_json: options.Json = False,
    csv: options.Csv = None,
    by: Annotated[
        Attribute | None, typer.Option("--by", help="Group objects by motion or size.")
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="A row a trial, with its id; else one a setting.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write there instead.")] = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="All columns, as .csv, .parquet or .jsonl."),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", help="Write them for others, to `vosbench import`."),
    ] = None,
    owner: Annotated[
        str, typer.Option("--owner", metavar="WHO", help="Whose they are, in the bundle.")
    ] = "",
) -> None:
    """Show results: a table, --csv, or --json (a list with one object per trial).

    Columns go by their titles here or by their names in docs/results.md.
    """
    where = options.selection(models, dataset, study, kind)
    chosen = Chosen(sort, top, parse_names(columns or ()))
    if bundle is not None:
        from vosbench.harness.regression.bundles import write_bundle

        say(f"wrote {bundle}: {write_bundle(db, where, bundle, owner)} trials")
        return
    grouped = None if by is None else by_attribute(objects(db, where), by)
    if export is not None:
        _export(chosen.frame(results(db, where) if grouped is None else grouped), export)
        return
    if grouped is not None:
        _print_by(chosen.frame(grouped), out, as_json=as_json, csv=csv)
        return
    if csv is not None:
        _emit(_csv(chosen.frame(results(db, where))), out or csv)
        return
    rows = result_rows(db, where)
    if as_json:
        names = chosen.names(rows)
        _emit(json_text([_json_row(row, names) for row in chosen.rows(rows)]) + "\n", out)
    elif not rows:
        raise InputError(f"nothing in {db} matches: `vosbench results` without filters shows all")
    else:
        told = with_busy(db, where, rows)
        shown = chosen.rows(told if each else merge_kinds(told))
        _print_table(with_limits(db, shown), out, ids=each, columns=chosen.columns)


@dataclass(frozen=True)
class Chosen:
    """Which rows and columns, and in which order; see the options of the same names."""

    sort: str | None
    top: int | None
    columns: tuple[str, ...]

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """In their order, and no more than were asked for."""
        ordered = list(rows) if self.sort is None else sorted_rows(rows, self.sort)
        return ordered[: self.top]

    def names(self, rows: Sequence[Row]) -> list[str]:
        """The columns by their names; none if all are meant."""
        return column_names(self.columns, rows)

    def frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The same of a frame."""
        if self == Chosen(None, None, ()):
            return frame
        records: list[Row] = [
            {**{str(name): value for name, value in row.items()}, "": place}
            for place, row in enumerate(frame.to_dict("records"))
        ]
        found = frame.iloc[[row[""] for row in self.rows(records)]]
        return found[self.names(records) or found.columns.to_list()]


def _json_row(row: Row, names: Sequence[str]) -> dict[str, Any]:
    """Plain JSON values; what isn't known is None."""
    chosen = dict.fromkeys(names or (*JSON_FIELDS, *row))
    return {name: _plain(row[name]) for name in chosen}


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


def _emit(text: str, out: Path | str | None) -> None:
    write_file(out or STDOUT, text, quiet=True)


def _print_table(
    rows: Sequence[Row], out: Path | None, *, ids: bool, columns: Sequence[str]
) -> None:
    file = None if out is None else io.StringIO()
    console = Terminal(file=file, width=None if out is None else _FILE_WIDTH)
    console.print(results_table(rows, ids=ids, columns=columns, width=console.width))
    if file is not None:
        write_file(str(out), file.getvalue(), quiet=True)


def _print_by(frame: pd.DataFrame, out: Path | None, *, as_json: bool, csv: str | None) -> None:
    if as_json:
        records = [
            {name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")
        ]
        _emit(json_text(records) + "\n", out)
    elif csv is not None or out is not None:
        _emit(csv_text(frame), out or csv)
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
    where = Selection(studies=(study,))
    rows = merge_kinds(with_busy(db, where, result_rows(db, where)))
    console = Terminal()
    console.print(results_table(with_limits(db, rows), width=console.width))


def with_busy(db: str, where: Selection, rows: Sequence[Row]) -> list[Row]:
    """Rows with ``busy``: whether others used the device while they were timed."""
    busy = busy_keys(db, where)
    return [{**row, "busy": row["key"] in busy} for row in rows]


def with_limits(db: str, rows: Sequence[Row]) -> list[Row]:
    """Rows with the intervals of J&F and reuse rate, NaN where there are none."""
    from vosbench.reports.intervals import key_intervals

    measured = [row for row in rows if row["kind"] != Kind.TIMING.value]
    stored = {
        name: {row["key"]: row[name] for row in measured} for name in ("jf_mean", "reuse_rate")
    }
    limits = key_intervals(db, stored)
    return [
        {**row, **{name: values.get(row["key"], math.nan) for name, values in limits.items()}}
        for row in rows
    ]
