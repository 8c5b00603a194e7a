"""``vosbench eval``: score a folder of predicted masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.sweep.grid import parse_names
from vosbench.harness.text.output import complain, json_text, say, write_out
from vosbench.harness.text.terminal import Terminal, plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.datasets.dataset import Dataset
    from vosbench.harness.metrics import SequenceScores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("eval")(evaluate)


def evaluate(
    results_dir: Annotated[
        Path, typer.Argument(help="Folder with <sequence>/<frame>.png, palette or grey ids.")
    ],
    dataset: Annotated[str, typer.Option("--dataset", help="Whose annotations.")],
    data_root: options.DataRoot = None,
    protocol: options.Protocol = None,
    sequences: Annotated[
        list[str] | None, typer.Option("--sequences", help="Only these clips (comma list).")
    ] = None,
    as_json: options.Json = False,
    csv_dir: Annotated[
        Path | None,
        typer.Option("--csv-dir", help="Where the official CSV files go; default RESULTS_DIR."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Workers; default: as pays off.")
    ] = None,
) -> None:
    """Score predicted PNGs by the dataset's protocol, and write the official CSV files."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.metrics import (
        all_equal_warning,
        evaluate_folder,
        scores_json,
        write_official_csv,
    )

    opened = registry.open(dataset, data_root, protocol)
    selection = opened.select(parse_names(sequences) if sequences else None)
    planned = [(clip, opened.plan(clip)) for clip in selection.clips]
    scored = [(clip, plan) for clip, plan in planned if plan.unscored is None]
    unscored = {clip.name: plan.unscored for clip, plan in planned if plan.unscored is not None}
    if not scored:
        name, reason = next(iter(unscored.items()))
        raise InputError(f"{dataset} can't be scored here: {name}: {reason}")
    scores = evaluate_folder(results_dir, scored, workers=jobs)
    for name, reason in unscored.items():
        complain(f"{name} has no score: {reason}")
    _say_binary([clip for clip, _ in scored])
    warning = all_equal_warning(scores)
    if warning is not None:
        complain(f"warning: {warning}")
    if as_json:
        write_out(json_text(scores_json(scores) | {"protocol": opened.protocol.name}, indent=None))
    else:
        Terminal().print(_table(scores))
        say(f"{opened.protocol.name}: {opened.protocol.counts}")
    whole = len(scored) == len(opened.sequences)
    try:
        files = write_official_csv(scores, csv_dir or results_dir, _split(opened, whole))
    except InputError as error:
        if csv_dir is not None:
            raise
        complain(f"CSV files not written: {error} (--csv-dir DIR)")
    else:
        if not as_json:
            say("wrote " + " and ".join(map(str, files)))


def _split(dataset: Dataset, whole: bool) -> str:
    """What CSV files are named after: the official name is that of a whole official set only.

    The official evaluation takes a file of its name for its own result, and shows it again.
    """
    name = dataset.protocol.name.partition("@")[0]
    official = dataset.name.startswith("davis") and ":" not in dataset.name
    split = name.partition("-")[2] if official else name
    return split if whole else f"{split}-subset"


def _say_binary(clips: list[Clip]) -> None:
    names = [clip.name for clip in clips if clip.binary]
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        complain(f"the masks of {names[0]}{more} hold 0 and 255 alone: 255 is one object")


def _table(scores: tuple[SequenceScores, ...]) -> Table:
    from vosbench.harness.metrics import object_statistics, summarise

    numbers = ("J", "recall", "decay", "F", "recall", "decay")
    table = plain_table("object", *numbers, right=numbers)

    def percent(values: list[float | None]) -> list[str]:
        return ["–" if v is None else f"{100 * v:.1f}" for v in values]

    for o in object_statistics(scores):
        values = [o.j.mean, o.j.recall, o.j.decay, o.f.mean, o.f.recall, o.f.decay]
        table.add_row(f"{o.sequence}_{o.object_id}", *percent(values))
    total = summarise(scores)
    table.add_section()
    table.add_row(
        f"all: J&F {100 * total.jf_mean:.2f}",
        *percent(
            [
                total.j_mean,
                total.j_recall,
                total.j_decay,
                total.f_mean,
                total.f_recall,
                total.f_decay,
            ]
        ),
    )
    return table
