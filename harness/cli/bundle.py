"""``vosbench import``: somebody else's results, as theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.cli.regression import say_imported
from vosbench.harness.store import Storage


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="A file written by `results --bundle`.")],
    db: options.Db = options.DEFAULT_DB,
    study: Annotated[str, typer.Option("--study", help="Name to file them under.")] = "imported",
) -> None:
    """Add a bundle's results to a database, marked as whose they are; nothing runs them.

    What is complete here already stays; where its masks differ, nothing is imported.
    """
    from vosbench.harness.regression.bundles import import_bundle, load_bundle

    load_bundle(file)  # before a database is made
    with Storage.open(db) as storage:
        say_imported(import_bundle(storage, file, study))
