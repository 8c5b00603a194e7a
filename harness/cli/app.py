"""``vosbench``: its commands, and what happens to errors.

Exit status: 0 done, 1 some trials failed, 2 bad input. What a person can mend is one line on
standard error; everything else is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import sys

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import (
    check,
    data,
    database,
    distil,
    evaluate,
    export,
    instruments,
    listings,
    profile,
    regression,
    render,
    report,
    results,
    run,
    site,
    sweeps,
    train,
    trainings,
)

app = typer.Typer(
    name="vosbench",
    help="Benchmark and ablation harness for video object segmentation with reuse gates.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

run.register(app)
check.register(app)
results.register(app)
report.register(app)
render.register(app)
site.register(app)
evaluate.register(app)
listings.register(app)
data.register(app)
export.register(app)
database.register(app)
profile.register(app)
instruments.register(app)
sweeps.register(app)
regression.register(app)
train.register(app)
distil.register(app)
trainings.register(app)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except InputError as error:
        print(f"vosbench: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("vosbench: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
