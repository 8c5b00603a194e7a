"""``vosbench profile``: what a frame of each path costs, and which stage it is spent on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vosbench.harness.cli import options
from vosbench.harness.cli.remarks import say_how_read
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import json_text, records_csv, write_file, write_out
from vosbench.runners.interface import Precision, RunnerOptions

if TYPE_CHECKING:
    from vosbench.harness.evaluate.profile import PathCost

_BAR = 40


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile")(profile)


def profile(
    model: Annotated[str, typer.Argument(help="A model; gated ones are forced down each path.")],
    dataset: Annotated[
        str, typer.Option("--dataset", help="Its first sequence sets size and objects.")
    ] = "motion",
    data_root: options.DataRoot = None,
    sequence: Annotated[
        str | None, typer.Option("--sequences", "--sequence", help="Another sequence of it.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--weights", help="Checkpoint; default: shipped ones.")
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=2, help="Frames timed per path.")] = 16,
    device: options.Device = "auto",
    precision: options.PrecisionOf = Precision.FLOAT32,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Time although others use the device.")
    ] = False,
    as_json: options.Json = False,
    csv: options.Csv = None,
) -> None:
    """Show ms, GFLOP and joules of a full, a reused and a copied frame, and of a first frame."""
    from vosbench.harness.cli.session import choose_device
    from vosbench.harness.datasets import registry
    from vosbench.harness.evaluate.profile import profile as measure_profile
    from vosbench.harness.measure.allocator import keep_large_blocks
    from vosbench.harness.measure.device_lock import device_id, hold
    from vosbench.harness.measure.occupancy import occupancy, require_idle
    from vosbench.runners.registry import resolve

    opened = registry.open(dataset, data_root)
    clip = opened.clip(sequence or opened.sequences[0])
    chosen = choose_device(device)
    runner = resolve(model).build(RunnerOptions(weights=weights))
    say_how_read((runner.weights,))
    keep_large_blocks()
    with hold(device_id(chosen)):
        found = require_idle(occupancy(chosen), allow_busy=allow_busy)
        runner.load(chosen, precision)
        # One line and no bar: what is drawn meanwhile would be timed too.
        Terminal(stderr=True).say(f"timing {frames} frames of each path of {model} …")
        costs = measure_profile(runner, clip, chosen, frames)
    facts = {
        "model": model,
        "weights": runner.weights.name,
        "clip": clip.name,
        "size": list(clip.size),
        "objects": len(clip.objects),
        "device": str(chosen),
        "precision": precision.value,
        "busy": found.busy,
    }
    if csv is not None:
        write_file(csv, records_csv(_rows(facts, costs)))
    elif as_json:
        write_out(json_text(facts | _as_json(costs)))
    else:
        _show(facts, costs)


def _as_json(costs: tuple[PathCost, ...]) -> dict[str, Any]:
    paths = {
        str(c.path): {
            "ms": c.ms,
            "gflop": c.gflop,
            "gflop_executed": c.gflop_executed,
            "joules": c.joules,
            "joules_reason": c.joules_reason,
            "spanned_ms": c.spanned_ms,
        }
        for c in costs
    }
    stages = {
        str(c.path): {
            s.stage: {"ms": _known(s.ms), "gflop": s.gflop, "gflop_executed": s.gflop_executed}
            for s in c.stages
        }
        for c in costs
        if c.stages
    }
    return {"paths": paths, "stages": stages}


def _rows(facts: dict[str, Any], costs: tuple[PathCost, ...]) -> list[dict[str, Any]]:
    """A row per path, and per stage of it; a path's own stage is empty."""
    found: list[dict[str, Any]] = []
    names = ("ms", "gflop", "gflop_executed")
    for c in costs:
        path = {"model": facts["model"], "path": str(c.path)}
        own = {name: getattr(c, name) for name in names}
        found.append(path | {"stage": ""} | own | {"joules": c.joules})
        for s in c.stages:
            own = {name: getattr(s, name) for name in names}
            found.append(path | {"stage": s.stage} | own | {"joules": None})
    return found


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _show(facts: dict[str, Any], costs: tuple[PathCost, ...]) -> None:
    console = Terminal()
    height, width = facts["size"]
    console.say(
        f"{facts['model']} ({facts['weights']}) on {facts['clip']}, {width}x{height}, "
        f"{facts['objects']} object(s), {facts['device']}, {facts['precision']}"
    )
    numbers = ("ms", "GFLOP", "J", "ms of full", "GFLOP of full")
    table = plain_table("path", *numbers, right=numbers)
    full = next(c for c in costs if c.path == "full")
    for c in costs:
        table.add_row(
            str(c.path),
            f"{c.ms:.1f}",
            f"{c.gflop:.2f}",
            "–" if c.joules is None else f"{c.joules:.2f}",
            f"{100 * c.ms / full.ms:.0f} %",
            f"{100 * c.gflop / full.gflop:.0f} %" if full.gflop else "–",
        )
    console.print(table)
    console.say(
        f"GFLOP of the architecture as described; a full frame executed {full.gflop_executed:.2f}."
    )
    for c in costs:
        if c.stages:
            _show_stages(console, c, full)
    reasons = {c.joules_reason for c in costs if c.joules is None and c.path != "init"}
    for reason in sorted(r for r in reasons if r):
        console.say(f"No energy: {reason}")


def _show_stages(console: Terminal, cost: PathCost, full: PathCost) -> None:
    """A bar per stage, on the scale of the full path, so that paths can be compared."""
    covered = sum(s.ms for s in cost.stages if not math.isnan(s.ms))
    overhead = 100 * (cost.spanned_ms / cost.ms - 1)
    console.print()
    console.say(
        f"{cost.path}: {cost.ms:.1f} ms; stages cover {covered:.1f} of {cost.spanned_ms:.1f} ms "
        f"with spans on ({overhead:+.1f} %)"
    )
    for s in cost.stages:
        ms = 0.0 if math.isnan(s.ms) else s.ms
        bar = "█" * round(_BAR * ms / full.ms)
        console.say(f"  {s.stage:<17}{ms:8.1f} ms {s.gflop:7.2f} GFLOP {bar}")
