"""``vosbench baseline`` and ``history``: what later results are compared with, and how it went."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import read_text
from vosbench.harness.cli import options
from vosbench.harness.cli.help import App
from vosbench.harness.store import Storage, open_database
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import STDOUT, csv_text, parse_names, records_csv, say, write_file

if TYPE_CHECKING:
    from vosbench.harness.regression.importing import Imported

Name = Annotated[str, typer.Argument(help="The baseline's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = App(help="Name results to compare with later.", no_args_is_help=True)
    for command in (set_baseline, list_baselines, show_baseline, remove_baseline, load_baseline):
        group.command(command.__name__.partition("_")[0])(command)
    app.add_typer(group, name="baseline")
    app.command("history")(history)


def set_baseline(
    name: Name,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    study: options.Study = None,
    kind: options.KindFilter = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", metavar="FILE,…", help="Only these weights.")
    ] = None,
    commit: Annotated[str | None, typer.Option("--commit", help="Only of this version.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write a portable JSON file as well.")
    ] = None,
) -> None:
    """Name the complete trials of a database, to compare with later."""
    from vosbench.harness.regression import baselines, portable

    where = options.selection(models, dataset, study, kind)
    where = replace(where, weights=parse_names(weights or ()))
    open_database(db, read_only=True).close()  # a database is not made only to name nothing in it
    with open_database(db) as database:
        record = baselines.set_baseline(database, name, where, commit=commit)
        if save is not None:
            portable.save_run(baselines.read_baseline(database, name), save)
    say(f"{name}: {record.trials} trials at {record.points} grid points, version {record.version}")


def list_baselines(db: options.Db = options.DEFAULT_DB, csv: options.Csv = None) -> None:
    """List baselines."""
    from vosbench.harness.regression import baselines

    with open_database(db, read_only=True) as database:
        found = baselines.list_baselines(database)
    titles = ("baseline", "trials", "points", "version", "made")
    table = plain_table(*titles, right=("trials", "points"))
    rows = [
        (
            record.name,
            str(record.trials),
            str(record.points),
            record.version,
            datetime.fromtimestamp(record.created_at, UTC).strftime("%Y-%m-%d %H:%M"),
        )
        for record in found
    ]
    if csv is not None:
        write_file(csv, records_csv([dict(zip(titles, row, strict=True)) for row in rows]))
        return
    if not rows:
        say(f"no baselines in {db}: `vosbench baseline set NAME` makes one")
        return
    for row in rows:
        table.add_row(*row)
    Terminal().print(table)


def show_baseline(name: Name, db: options.Db = options.DEFAULT_DB, csv: options.Csv = None) -> None:
    """Show what a baseline holds, and how well its timings repeat."""
    from vosbench.harness.regression import baselines
    from vosbench.harness.regression.render_history import (
        baseline_rows,
        baseline_table,
        day,
        where_text,
    )
    from vosbench.harness.regression.repeats import noise_floors

    with open_database(db, read_only=True) as database:
        record = baselines.baseline_record(database, name)
        run = baselines.read_baseline(database, name)
    rows = baseline_rows(run, noise_floors(run))
    if csv is not None:
        write_file(csv, records_csv(rows))
        return
    say(f"{name}: {record.trials} trials at {record.points} grid points, version {record.version}")
    say(f"made {day(record.created_at)} in {record.database}, of {where_text(record.where)}")
    Terminal().print(baseline_table(rows))


def remove_baseline(name: Name, db: options.Db = options.DEFAULT_DB) -> None:
    """Forget a baseline; its trials stay."""
    from vosbench.harness.store import baselines

    with open_database(db) as database:
        baselines.remove_baseline(database, name)
    say(f"{name}: removed")


def load_baseline(
    file: Annotated[Path, typer.Argument(help="A file written by `baseline set --save`.")],
    db: options.Db = options.DEFAULT_DB,
    study: Annotated[str, typer.Option("--study", help="Name to file them under.")] = "imported",
) -> None:
    """Put a portable file's results into a database."""
    from vosbench.harness.regression.importing import import_run
    from vosbench.harness.regression.portable import load_run

    run = load_run(file)
    with Storage.open(db) as storage:
        done = import_run(storage, run, study)
    say_imported(done)


def say_imported(done: Imported) -> None:
    """What came of an import."""
    say(
        f"{done.stored} trials stored, {done.present} there before, {done.busy} busy, "
        f"{done.left_out} incomplete in the file"
    )


def history(
    sources: Annotated[
        list[str] | None, typer.Argument(help="More databases, or portable JSON files.")
    ] = None,
    db: options.Db = options.DEFAULT_DB,
    models: options.Models = None,
    dataset: options.Datasets = None,
    order: Annotated[
        Path | None, typer.Option("--order", help="Commits in order, one a line.")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw it: png, svg or pdf.")] = None,
    csv: options.Csv = None,
) -> None:
    """Show J&F and FPS from commit to commit, and where their level stepped."""
    from vosbench.harness.regression.history import history as read_history
    from vosbench.harness.regression.history import history_frame
    from vosbench.harness.regression.portable import load_run
    from vosbench.harness.regression.render_history import history_tables
    from vosbench.harness.store.measured import read_run

    where = options.selection(models, dataset, None)
    runs = [
        load_run(Path(source)) if source.endswith(".json") else read_run(source, where)
        for source in (db, *(sources or ()))
    ]
    commits = read_text(order, "a list of commits").split() if order is not None else ()
    found = read_history(runs, order=commits)
    frame = history_frame(found)
    if frame.empty:
        raise InputError(f"no complete results in {db}: run `vosbench run` first")
    if csv != STDOUT:
        Terminal().print(history_tables(found))
    if csv is not None:
        write_file(csv, csv_text(frame))
    if plot is not None:
        from vosbench.reports.history import draw_history

        say(f"wrote {draw_history(frame, plot)}")
