"""``vosbench data``: where datasets lie, whether they are whole, how much moves in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.text.output import json_text, say, write_out
from vosbench.harness.text.terminal import Terminal, plain_table

Sequences = Annotated[
    list[str] | None, typer.Option("--sequences", help="Only these clips (comma list).")
]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Datasets: where they lie, whether they are whole.")
    group.command("add")(add)
    group.command("check")(check)
    group.command("stats")(stats)
    app.add_typer(group, name="data")


def add(name: str, folder: Path) -> None:
    """Remember the folder of a dataset, so that --data-root isn't needed."""
    from vosbench.harness.datasets.registry import add_root

    say(f"{name}: {add_root(name, folder)}")


def check(name: str, data_root: options.DataRoot = None, sequences: Sequences = None) -> None:
    """Read every file of a dataset and report what is wrong; exit 1 if anything is."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.datasets.check import check as check_dataset

    dataset = registry.open(name, data_root)
    report = check_dataset(dataset, dataset.named(sequences))
    console = Terminal()
    for kind, found in (("problem", report.problems), ("remark", report.remarks)):
        for item in found:
            console.say(f"{kind}: {item.sequence}: {item.message}")
    console.say(
        f"{report.dataset} ({report.protocol}) in {report.root}: {report.sequences} sequences, "
        f"{report.frames} frames, {report.annotations} annotations, {report.objects} objects"
    )
    if report.problems:
        raise typer.Exit(1)
    console.say(f"manifest {report.manifest_sha256}")


def stats(
    name: str,
    data_root: options.DataRoot = None,
    sequences: Sequences = None,
    as_json: options.Json = False,
) -> None:
    """Show how much objects move: IoU of adjacent annotated masks (figure 1a of the paper)."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.datasets.stats import clip_stats, iou_histogram

    dataset = registry.open(name, data_root)
    selection = dataset.select(dataset.named(sequences))
    found = [item for clip in selection.clips for item in clip_stats(clip)]
    histogram = iou_histogram(found)
    if as_json:
        objects = [
            {
                "sequence": o.sequence,
                "object": o.object_id,
                "adjacent_iou": o.mean_iou,
                "area": o.mean_area,
                "motion": o.motion,
                "size": o.size,
            }
            for o in found
        ]
        bins = {"edges": list(histogram.edges), "counts": list(histogram.counts)}
        write_out(json_text({"objects": objects, "histogram": bins}, indent=None))
        return
    titles = ("object", "adjacent IoU", "motion", "area", "size")
    table = plain_table(*titles, right=("adjacent IoU", "area"))
    for o in found:
        table.add_row(
            f"{o.sequence}_{o.object_id}",
            f"{o.mean_iou:.3f}",
            o.motion or "–",
            f"{o.mean_area:.3f}",
            o.size,
        )
    console = Terminal()
    console.print(table)
    total = max(1, sum(histogram.counts))
    for low, count in zip(histogram.edges, histogram.counts, strict=False):
        share = count / total
        console.say(f"IoU from {low:.1f}: {100 * share:5.1f} % {'█' * round(50 * share)}")
