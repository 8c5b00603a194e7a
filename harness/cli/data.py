"""``vosbench data``: where datasets lie, whether they are whole, how much moves in them."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vosbench.harness.cli import options
from vosbench.harness.cli.help import App
from vosbench.harness.cli.waiting import each, waiting
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import json_text, records_csv, say, write_file, write_out

if TYPE_CHECKING:
    from vosbench.harness.datasets.outlook import Outlook


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = App(help="Datasets: where they lie, whether they are whole.")
    group.command("add")(add)
    group.command("check")(check)
    group.command("stats")(stats)
    app.add_typer(group, name="data")


def add(name: str, folder: Path) -> None:
    """Remember the folder of a dataset, so that --data-root isn't needed."""
    from vosbench.harness.datasets.registry import add_root

    say(f"{name}: {add_root(name, folder)}")


def check(
    name: str,
    data_root: options.DataRoot = None,
    protocol: options.Protocol = None,
    sequences: options.Sequences = None,
    as_json: options.Json = False,
) -> None:
    """Read every file of a dataset; say what is wrong, and what a run will make of the rest.

    Exit 1 if anything is wrong.
    """
    from vosbench.harness.datasets import registry
    from vosbench.harness.datasets.check import check as check_dataset

    dataset = registry.open(name, data_root, protocol)
    names = dataset.named(sequences)
    with waiting("reading") as tell:
        count = len(names or dataset.sequences)
        done = itertools.count(1)
        report = check_dataset(dataset, names, lambda name: tell(name, next(done), count))
    if as_json:
        write_out(json_text(asdict(report) | {"root": str(report.root)}))
        raise typer.Exit(1 if report.problems else 0)
    console = Terminal()
    for line in (*map(_outlook_line, report.outlooks), *_scored_lines(report.outlooks)):
        console.say(line)
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


def _outlook_line(one: Outlook) -> str:
    """``dog: 60 frames 00000 … 00059, 854x480; 60 masks; objects 1 @ 00000; 0.3 % void``."""
    size = f"{one.size[1]}x{one.size[0]}"
    if one.label_size != one.size:
        size += f", masks {one.label_size[1]}x{one.label_size[0]}"
    objects = ", ".join(f"{name} @ {first}" for name, first in one.objects.items())
    void = "" if not one.void_share else f"; {100 * one.void_share:.2g} % void"
    return (
        f"{one.sequence}: {len(one.frames)} frames {one.frames[0]} … {one.frames[-1]}, {size}; "
        f"{one.annotated} masks; objects {objects or 'none'}{void}"
    )


def _scored_lines(outlooks: tuple[Outlook, ...]) -> list[str]:
    """What each protocol can score; sequences of which the same is true share a line."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in outlooks:
        for protocol, what in one.scored.items():
            alike.setdefault((protocol, what), []).append(one.sequence)
    return [
        f"by {protocol}: {what} ({_named(names, len(outlooks))})"
        for (protocol, what), names in alike.items()
    ]


def _named(names: list[str], all_of: int) -> str:
    if len(names) == all_of > 1:
        return "all sequences"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def stats(
    name: str,
    data_root: options.DataRoot = None,
    sequences: options.Sequences = None,
    as_json: options.Json = False,
    csv: options.Csv = None,
) -> None:
    """Show how much objects move: IoU of adjacent annotated masks (figure 1a of the paper)."""
    from vosbench.harness.datasets import registry
    from vosbench.harness.datasets.stats import clip_stats, iou_histogram

    dataset = registry.open(name, data_root)
    selection = dataset.select(dataset.named(sequences))
    with waiting("reading") as tell:
        clips = each(selection.clips, tell, lambda clip: clip.name)
        found = [item for clip in clips for item in clip_stats(clip)]
    histogram = iou_histogram(found)
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
    if csv is not None:
        write_file(csv, records_csv(objects))
        return
    if as_json:
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
