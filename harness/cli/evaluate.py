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
    from vosbench.harness.metrics import ScoringClip, SequenceScores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("eval")(evaluate)


def evaluate(
    results_dir: Annotated[
        Path, typer.Argument(help="Folder with <sequence>/<frame>.png, palette or grey ids.")
    ],
    dataset: Annotated[str, typer.Option("--dataset", help="Whose annotations.")],
    data_root: options.DataRoot = None,
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
    """Score predicted PNGs as the official evaluation does, and write its two CSV files."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.metrics import (
        all_equal_warning,
        evaluate_folder,
        scores_json,
        write_official_csv,
    )

    opened = registry.open(dataset, data_root)
    if opened.unscorable is not None:
        raise InputError(f"{dataset} can't be scored here: {opened.unscorable}")
    selection = opened.select(parse_names(sequences) if sequences else None)
    clips = [scoring_clip(opened, clip) for clip in selection.clips]
    scores = evaluate_folder(results_dir, clips, workers=jobs)
    warning = all_equal_warning(scores)
    if warning is not None:
        complain(f"warning: {warning}")
    if as_json:
        write_out(json_text(scores_json(scores), indent=None))
    else:
        Terminal().print(_table(scores))
    try:
        files = write_official_csv(scores, csv_dir or results_dir)
    except InputError as error:
        if csv_dir is not None:
            raise
        complain(f"CSV files not written: {error} (--csv-dir DIR)")
    else:
        if not as_json:
            say("wrote " + " and ".join(map(str, files)))


def scoring_clip(dataset: Dataset, clip: Clip) -> ScoringClip:
    """What the scorer needs of a clip."""
    from vosbench.harness.datasets.dataset import Rules
    from vosbench.harness.metrics import ScoringClip, ScoringRule

    davis = dataset.rules is Rules.DAVIS
    return ScoringClip(
        name=clip.name,
        frame_names=clip.frame_names,
        annotation_paths=clip.annotation_paths,
        merge_objects=clip.merge_objects,
        rule=ScoringRule.DAVIS if davis else ScoringRule.YOUTUBE_VOS,
        first_frames=None if davis else clip.objects,
    )


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
