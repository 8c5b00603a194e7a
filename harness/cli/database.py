"""``vosbench db``: care for the result database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.cli.help import App
from vosbench.harness.store import copy_database, open_database, upgrade_database
from vosbench.harness.store.storage import Storage
from vosbench.harness.text import say


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = App(help="Care for the result database.", no_args_is_help=True)
    group.command("upgrade")(upgrade)
    group.command("check")(check)
    group.command("copy")(copy)
    app.add_typer(group, name="db")


def upgrade(db: options.Db = options.DEFAULT_DB) -> None:
    """Bring a database of an older version up to date."""
    found = upgrade_database(db)
    say(f"{db}: up to date (it was at revision {found})")


def copy(
    to: Annotated[Path, typer.Argument(metavar="TO", help="The new file.")],
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Copy the database, also while a sweep writes to it (`cp` would leave its log behind)."""
    copy_database(db, to)
    say(f"{to}: a copy of {db}")


def check(db: options.Db = options.DEFAULT_DB) -> None:
    """Check that the database is sound; exit 1 if it isn't."""
    database = open_database(db, read_only=True)
    problems = Storage(database).integrity_check()
    for problem in problems:
        say(problem)
    if problems:
        raise typer.Exit(1)
    say(f"{db}: sound")
