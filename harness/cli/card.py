"""``vosbench card``: a model's results and costs on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.text import write_file, write_out


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("card")(card)


def card(
    model: Annotated[str, typer.Argument(help="A model; all its policies are on the card.")],
    db: options.Db = options.DEFAULT_DB,
    out: Annotated[Path | None, typer.Option("--out", help="Write there instead.")] = None,
) -> None:
    """Write a model's card as Markdown: what it is, results by protocol, cost by device."""
    from vosbench.reports.card import model_card

    text = model_card(db, model)
    if out is None:
        write_out(text)
    else:
        write_file(str(out), text)
