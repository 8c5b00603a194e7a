"""``vosbench status``, ``cancel``, ``retry`` and ``gc``: sweeps, seen from another terminal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.store import (
    FiledPlan,
    Progress,
    State,
    Storage,
    StudyRecord,
    TrialRecord,
    open_database,
)
from vosbench.harness.terminal import Terminal, styled
from vosbench.harness.text import json_text, say, write_out

_REFRESH_S = 1.0
_FAILURES_SHOWN = 5
_PLANS_SHOWN = 3

OneStudy = Annotated[
    str | None, typer.Option("--study", help="This study; default: the only one there is.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("status")(status)
    app.command("cancel")(cancel)
    app.command("retry")(retry)
    app.command("gc")(collect_garbage)


@dataclass(frozen=True)
class StudyStatus:
    """A study as it stands: what was asked for, how far it is, which of its trials failed."""

    study: StudyRecord
    plans: tuple[FiledPlan, ...]
    progress: Progress
    failed: tuple[TrialRecord, ...]


def status(
    db: options.Db = options.DEFAULT_DB,
    study: options.Study = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep showing it until nothing is left to do.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Show how far sweeps are: trials by state, sequences, and who works on what."""
    console = Terminal()
    with Storage(open_database(db, read_only=True)) as storage:
        found = _statuses(storage, study)
        if as_json:
            write_out(json_text([_as_json(each) for each in found]))
        elif not watch:
            console.print(_shown(found))
        elif console.is_terminal:
            _watch_live(storage, study, console)
        else:
            _watch_lines(storage, study)


def _watch_live(storage: Storage, names: list[str] | None, console: Terminal) -> None:
    with Live(console=console, auto_refresh=False) as live:
        while True:
            found = _statuses(storage, names)
            live.update(_shown(found), refresh=True)
            if not any(each.progress.open for each in found):
                return
            time.sleep(_REFRESH_S)


def _watch_lines(storage: Storage, names: list[str] | None) -> None:
    """A line whenever something changed, for logs."""
    shown: dict[str, str] = {}
    while True:
        found = _statuses(storage, names)
        for each in found:
            line = f"{each.study.name}: {_counts(each.progress)}, {_clips(each.progress)}"
            if shown.get(each.study.name) != line:
                say(line + _left(each.progress))
                shown[each.study.name] = line
        if not any(each.progress.open for each in found):
            return
        time.sleep(_REFRESH_S)


def _statuses(storage: Storage, names: Sequence[str] | None) -> tuple[StudyStatus, ...]:
    known = storage.studies()
    for name in names or ():
        _require(known, name)
    chosen = [each for each in known if not names or each.name in names]
    return tuple(
        StudyStatus(
            each,
            storage.plans(each),
            storage.progress(each),
            tuple(trial for trial in storage.trials(each) if _has_failed(trial)),
        )
        for each in chosen
    )


def _has_failed(trial: TrialRecord) -> bool:
    """Also what is complete, where something could not be added to it."""
    ended = trial.state in (State.FAILED, State.SKIPPED, State.COMPLETE)
    return ended and trial.error is not None


def unfinished_line(trial: TrialRecord) -> str:
    """What a trial is, how it stands, and why."""
    at = "" if trial.spec.tau is None else f" at τ={trial.spec.tau}"
    state, error = trial.state.value, trial.error
    if trial.lacks:
        state = "not added to"
        if trial.origin is not None:
            error = f"imported from {trial.origin}, without the masks or traces asked for"
    if error is None:
        error = "not run yet" if trial.state is not State.RUNNING else "in work elsewhere"
    return f"{state}: {trial.spec.model}{at} on {trial.spec.dataset}: {error}"


def _require(known: Sequence[StudyRecord], name: str) -> StudyRecord:
    for each in known:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in known[-5:]) or "none"
    raise InputError(f"no study {name!r} in this database; the latest are: {names}")


def _only(known: Sequence[StudyRecord], name: str | None) -> StudyRecord:
    if name is not None:
        return _require(known, name)
    if len(known) == 1:
        return known[0]
    names = ", ".join(each.name for each in known[-5:])
    raise InputError(
        f"say which study with --study; the latest are: {names}" if known else "no study here"
    )


def _shown(found: Sequence[StudyStatus]) -> RenderableType:
    if not found:
        return styled("no study in this database")
    parts: list[RenderableType] = []
    for each in found:
        if parts:
            parts.append(styled(""))
        parts += _study_lines(each)
    return Group(*parts)


def _study_lines(status: StudyStatus) -> list[RenderableType]:
    progress = status.progress
    head = Table.grid(padding=(0, 1), expand=False)
    head.add_row(
        styled(status.study.name, "bold"),
        ProgressBar(max(1, progress.clips_total), progress.clips_done, width=24),
        styled(_clips(progress) + _left(progress)),
    )
    lines: list[RenderableType] = [head, styled("  " + _counts(progress))]
    for plan in status.plans[-_PLANS_SHOWN:]:
        lines.append(styled(f"  {_asked(plan)}"))
    if progress.running:
        lines.append(_workers(progress))
    for trial in status.failed[:_FAILURES_SHOWN]:
        lines.append(styled(f"  {unfinished_line(trial)}"))
    more = len(status.failed) - _FAILURES_SHOWN
    if more > 0:
        lines.append(styled(f"  and {more} more"))
    return lines


def _workers(progress: Progress) -> Table:
    """One line a worker, however many trials share its walk."""
    table = Table.grid(padding=(0, 2))
    for name in dict.fromkeys(each.worker for each in progress.running):
        held = [each for each in progress.running if each.worker == name]
        first = held[0]
        model = first.model if len(held) == 1 else f"{len(held)} settings of {first.model}"
        again = "" if first.attempt == 1 else f"attempt {first.attempt}, "
        silent_s = min(each.silent_s for each in held)
        table.add_row("", styled(name), styled(model), f"{again}{silent_s:.0f} s ago")
    return table


def _asked(plan: FiledPlan) -> str:
    """The command, and where it was typed if not here."""
    command = plan.command
    is_here = not command.folder or command.folder == str(Path.cwd())
    return command.text if is_here else f"{command.text}  (in {command.folder})"


def _counts(progress: Progress) -> str:
    counted = [(state, progress.trials[state]) for state in State]
    return ", ".join(f"{count} {state.value}" for state, count in counted if count) or "no trials"


def _clips(progress: Progress) -> str:
    return f"{progress.clips_done}/{progress.clips_total} sequences"


def _left(progress: Progress) -> str:
    """``, about 12 min left``; "" where nobody can know."""
    seconds = progress.left_s
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    minutes = round(seconds / 60)
    return f", about {minutes} min left" if minutes < 120 else f", about {minutes / 60:.1f} h left"


def _as_json(status: StudyStatus) -> dict[str, object]:
    progress = status.progress
    return {
        "study": status.study.name,
        "commands": [
            {"command": p.command.text, "folder": p.command.folder, "options": p.command.options}
            for p in status.plans
        ],
        "trials": {state.value: count for state, count in progress.trials.items()},
        "clips_done": progress.clips_done,
        "clips_total": progress.clips_total,
        "left_s": progress.left_s,
        "running": [asdict(each) for each in progress.running],
        "failed": [
            {"trial_id": each.id, "model": each.spec.model, "error": each.error}
            for each in status.failed
        ],
    }


def cancel(study: OneStudy = None, db: options.Db = options.DEFAULT_DB) -> None:
    """Stop a study's unfinished trials; their workers drop them at their next sequence."""
    with _existing(db) as storage:
        chosen = _only(storage.studies(), study)
        stopped = storage.cancel(chosen)
        say(f"{chosen.name}: {stopped} trials cancelled")
        if stopped:
            _print_commands("to run them after all", storage.plans(chosen))


def retry(
    failed: Annotated[
        bool, typer.Option("--failed", help="Failed and skipped trials: all that can be retried.")
    ] = False,
    study: OneStudy = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Let failed trials wait again; the study's command then runs them."""
    if not failed:
        raise InputError("say which trials: vosbench retry --failed")
    with _existing(db) as storage:
        chosen = _only(storage.studies(), study)
        count = storage.retry_failed(chosen)
        say(f"{chosen.name}: {count} trials wait again")
        if count:
            _print_commands("to run them", storage.plans(chosen))


def _print_commands(title: str, plans: Sequence[FiledPlan]) -> None:
    for plan in plans:
        say(f"{title}: {_asked(plan)}")


def collect_garbage(
    db: options.Db = options.DEFAULT_DB,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
) -> None:
    """Delete what nothing refers to: partial results of cancelled trials, and the like."""
    from vosbench.harness.datasets.places import delete_files, leftover_files
    from vosbench.harness.store.garbage import collect

    with _existing(db) as storage:
        found = storage.database.write(lambda connection: collect(connection, dry_run=dry_run))
    files = leftover_files()
    if not dry_run:
        delete_files(files)
    rows = [
        (found.cancelled_results, f"results of cancelled trials ({_size(found.cancelled_bytes)})"),
        (found.empty_attempts, "attempts that stored nothing and were followed by another"),
        (found.orphaned_trials, "unfinished trials that no study asks for"),
        (found.checkpoints, "records of weights that no trial names"),
        (found.environments, "machines on which nothing was run or planned"),
        (len(files), "leftovers of interrupted writes in the cache"),
    ]
    say("would delete:" if dry_run else "deleted:")
    for count, what in rows:
        say(f"{count:7d} {what}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"


def _existing(db: str) -> Storage:
    """The store at ``db``; unlike ``run``, these commands make none."""
    open_database(db, read_only=True).close()
    return Storage.open(db)
