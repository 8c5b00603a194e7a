"""``vosbench eval``: score a folder of predicted masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.waiting import Tell, waiting
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import complain, json_text, records_csv, say, write_file, write_out

if TYPE_CHECKING:
    from rich.table import Table

    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.datasets.dataset import Dataset
    from vosbench.harness.datasets.plan import ScoringPlan
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
    sequences: options.Sequences = None,
    as_json: options.Json = False,
    csv: options.Csv = None,
    csv_dir: Annotated[
        Path | None,
        typer.Option("--csv-dir", help="For the official CSV files; default RESULTS_DIR."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Workers; default: as pays off.")
    ] = None,
) -> None:
    """Score predicted PNGs by the dataset's protocol, and write the official CSV files."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.metric import metric
    from vosbench.harness.metrics import (
        all_equal_warning,
        evaluate_folder,
        scores_json,
    )
    from vosbench.harness.metrics.computed import folder_scores, mean_scores
    from vosbench.harness.metrics.measures import MEASURES

    opened = registry.open(dataset, data_root, protocol)
    selection = opened.select(opened.named(sequences))
    planned = [(clip, opened.plan(clip)) for clip in selection.clips]
    scored = [(clip, plan) for clip, plan in planned if plan.unscored is None]
    unscored = {clip.name: plan.unscored for clip, plan in planned if plan.unscored is not None}
    if not scored:
        name, reason = next(iter(unscored.items()))
        raise InputError(f"{dataset} can't be scored here: {name}: {reason}")
    with waiting("scoring") as tell:
        scores = evaluate_folder(
            results_dir, scored, workers=jobs, on_frames=_counted(scored, tell)
        )
    by_name = {clip.name: clip for clip, _ in scored}
    for name, reason in unscored.items():
        complain(f"{name} has no score: {reason}")
    _say_binary([clip for clip, _ in scored])
    warning = all_equal_warning(scores)
    if warning is not None:
        complain(f"warning: {warning}")
    own = mean_scores(folder_scores(results_dir, scored))
    if csv is not None:
        write_file(csv, records_csv(_rows(scores, by_name)))
    elif as_json:
        found = scores_json(
            scores, lambda s: by_name[s].unseen, lambda s, i: f"{s}_{by_name[s].object_name(i)}"
        )
        told = {"protocol": opened.protocol.name, **({"metrics": own} if own else {})}
        write_out(json_text(found | told, indent=None))
    else:
        Terminal().print(_table(scores, by_name))
        for name, value in own.items():
            say(f"{metric(name).axis}: {metric(name).text(value)}")
        say(f"{opened.protocol.name}: {opened.protocol.counts}")
    if MEASURES[opened.protocol.measures].official_csv:
        whole = len(scored) == len(opened.sequences)
        _write_csv(
            scores, csv_dir, results_dir, _split(opened, whole), quiet=as_json or csv is not None
        )
    elif csv_dir is not None:
        raise InputError(f"--csv-dir: {opened.protocol.name} has no CSV files: take --json")


def _counted(scored: Sequence[tuple[Clip, ScoringPlan]], tell: Tell) -> Callable[[int], None]:
    """Tells how many of all frames are scored, when some more are."""
    of = sum(len(plan.objects_at) for _, plan in scored)
    done = 0

    def more(frames: int) -> None:
        nonlocal done
        done += frames
        tell("frames", done, of)

    return more


def _write_csv(
    scores: tuple[SequenceScores, ...],
    csv_dir: Path | None,
    results_dir: Path,
    split: str,
    *,
    quiet: bool,
) -> None:
    from vosbench.harness.metrics import write_official_csv

    try:
        files = write_official_csv(scores, csv_dir or results_dir, split)
    except InputError as error:
        if csv_dir is not None:
            raise
        complain(f"CSV files not written: {error} (--csv-dir DIR)")
    else:
        if not quiet:
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


def _table(scores: tuple[SequenceScores, ...], clips: dict[str, Clip]) -> Table:
    """A row per object; then the set's own figures, in the same columns and in further lines."""
    from vosbench.harness.metrics import object_figures, summarise
    from vosbench.harness.metrics.measures import MEASURES

    measures = MEASURES[scores[0].measures]
    titles = measures.columns.values()
    table = plain_table("object", *titles, right=tuple(titles))
    for o in object_figures(scores):
        name = clips[o.sequence].object_name(o.object_id)
        table.add_row(f"{o.sequence}_{name}", *(_percent(o.figures[n]) for n in measures.columns))
    total = summarise(scores, lambda name: clips[name].unseen)
    table.add_section()
    jf = total.get("jf_mean")
    title = "all" if jf is None else f"all: J&F {100 * jf:.2f}"
    table.add_row(title, *(_percent(total.get(name)) for name in measures.columns))
    for name, official in measures.official.items():
        if name not in measures.columns and name != "jf_mean":
            table.add_row(f"{official} {_percent(total[name])}")
    return table


def _rows(
    scores: tuple[SequenceScores, ...], clips: dict[str, Clip]
) -> list[dict[str, str | float | None]]:
    """A row per object; shares 0..1."""
    from vosbench.harness.metrics import object_figures
    from vosbench.harness.metrics.measures import MEASURES

    columns = MEASURES[scores[0].measures].columns
    return [
        {"sequence": o.sequence, "object": clips[o.sequence].object_name(o.object_id)}
        | {name: o.figures.get(name) for name in columns}
        for o in object_figures(scores)
    ]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
