"""``vosbench trainings``: what was trained, how far it is, and how it went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vosbench.harness.cli import options
from vosbench.harness.cli.help import App
from vosbench.harness.store import SPEED, VALIDATION, State
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import json_text, records_csv, say, write_file, write_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vosbench.harness.store import CurveValue, Database, TrainingRecord, Trainings

_ROWS = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = App(help="List trainings; show one.")
    group.callback(invoke_without_command=True)(trainings)
    group.command("show")(show)
    app.add_typer(group, name="trainings")


def trainings(
    context: typer.Context,
    db: options.Db = options.DEFAULT_DB,
    as_json: options.Json = False,
    csv: options.Csv = None,
) -> None:
    """List trainings, the oldest first; `trainings show KEY` prints a curve."""
    if context.invoked_subcommand is not None:
        return
    with _opened(db) as database:
        records = _trainings(database).all()
    if as_json:
        write_out(json_text([record.plain() for record in records]))
        return
    if csv is not None:
        write_file(csv, records_csv([record.plain() for record in records]))
        return
    if not records:
        say(f"no trainings in {db}")
        return
    heads = ("key", "model", "gate", "seed", "state", "steps", "minutes")
    table = plain_table(*heads, right=("seed", "steps", "minutes"))
    for record in records:
        done = record.state is State.COMPLETE
        table.add_row(
            record.key[:8],
            record.spec.model,
            record.spec.gate,
            str(record.spec.seed),
            record.state_word,
            str(record.notes.steps) if done else f"{record.steps_done}/{record.notes.steps}",
            f"{record.elapsed_s / 60:.1f}",
        )
    Terminal().print(table)


def show(
    key: Annotated[str, typer.Argument(help="Key, or how it begins.")],
    db: options.Db = options.DEFAULT_DB,
    as_json: options.Json = False,
    csv: options.Csv = None,
) -> None:
    """Show a training: what it was, and its curve; --csv has the curve."""
    with _opened(db) as database:
        record = _trainings(database).named(key)
        curve = _trainings(database).curve(record.key)
    if as_json:
        points = [[p.step, p.name, p.value if math.isfinite(p.value) else None] for p in curve]
        write_out(json_text(record.plain() | {"curve": points}))
        return
    if csv is not None:
        records = [{"step": p.step, "name": p.name, "value": p.value} for p in curve]
        write_file(csv, records_csv(records))
        return
    console = Terminal()
    for name, value in _facts(record):
        console.say(f"{name}: {value}")
    losses = [point for point in curve if not point.name.startswith((VALIDATION, SPEED))]
    if losses:
        console.print(curve_table(losses, "losses", ""))
    for prefix, title in (
        (VALIDATION, "validation: mean IoU on held-out clips; gate: correlation with the IoU"),
        (SPEED, "speed; waiting: share of the time that went into waiting for clips"),
    ):
        if shown := [point for point in curve if point.name.startswith(prefix)]:
            console.print(curve_table(shown, title, prefix))


def curve_table(curve: Sequence[CurveValue], title: str, prefix: str) -> Any:
    """Series of one kind, at :data:`_ROWS` steps or a few more; the last step is among them."""
    names = list(dict.fromkeys(point.name for point in curve))
    by_step: dict[int, dict[str, float]] = {}
    for point in curve:
        by_step.setdefault(point.step, {})[point.name] = point.value
    steps = sorted(by_step)
    heads = [name.removeprefix(prefix) for name in names]
    table = plain_table("step", *heads, right=("step", *heads))
    table.title = title
    for step in sorted({*steps[:: math.ceil(len(steps) / _ROWS)], steps[-1]}):
        values = [by_step[step].get(name) for name in names]
        table.add_row(str(step), *("" if v is None else f"{v:.3f}" for v in values))
    return table


def _facts(record: TrainingRecord) -> list[tuple[str, str]]:
    spec, notes = record.spec, record.notes
    minutes = f"{record.elapsed_s / 60:.1f} minutes, {notes.threads} threads of {notes.device}"
    facts = [
        ("training", record.key),
        ("model", f"{spec.model}, gate {record.spec.gate}, seed {spec.seed}"),
        ("data", f"{notes.data} ({spec.data_sha256[:12]})"),
        ("start", f"{notes.start} ({spec.start_sha256[:12]})" if spec.start_sha256 else ""),
        ("state", f"{record.state_word}, {record.steps_done} of {notes.steps} steps, {minutes}"),
        ("error", record.error or ""),
        ("traceback", record.traceback or ""),
        ("checkpoint", f"{record.path} ({record.checkpoint_sha256[:12]})"
         if record.checkpoint_sha256 else ""),
        ("recipe", spec.recipe),
    ]  # fmt: skip
    return [(name, value) for name, value in facts if value]


def _opened(db: str) -> Database:
    from vosbench.harness.store import open_database

    return open_database(db, read_only=True)


def _trainings(database: Database) -> Trainings:
    from vosbench.harness.store import Trainings

    return Trainings(database)
