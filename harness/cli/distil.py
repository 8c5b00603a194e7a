"""``vosbench distil``: teach a backbone another one's ImageNet features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError, suggestion
from vosbench.harness.cli import options
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import say
from vosbench.runners.interface import Precision

if TYPE_CHECKING:
    from vosbench.harness.training.loop import TrainingProgress


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("distil")(distil)


def distil(
    student: Annotated[str, typer.Argument(help="resnet18, resnet50 or resnet101.")],
    pictures: Annotated[
        Path, typer.Option("--pictures", help="Folder with images/ and masks/ (masks unused).")
    ],
    out: Annotated[Path, typer.Option("--out", help="The backbone's weights (.pth).")],
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of AdamW.")] = 3000,
    batch: Annotated[int, typer.Option("--batch", min=2, help="Pictures of a step.")] = 12,
    size: Annotated[int, typer.Option("--size", help="Side of the crops, in pixels.")] = 192,
    rate: Annotated[float, typer.Option("--lr", min=0, help="Highest learning rate.")] = 2e-3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")] = 0,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder of the state; default: OUT.state.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[
        Precision,
        typer.Option("--precision", help="float32, or bf16 for GPUs and CPUs quick at it."),
    ] = Precision.FLOAT32,
    accumulate: Annotated[
        int, typer.Option("--accumulate", min=1, help="Parts of a batch, to save memory.")
    ] = 1,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the student's layers (torch.compile).")
    ] = False,
    threads: options.Threads = None,
) -> None:
    """Teach STUDENT the features of EfficientNet-Lite0, where no ImageNet weights can be had.

    `vosbench train --backbone OUT` takes what comes out. The same command goes on where an earlier
    one was stopped. torchrun starts it on several GPUs.
    """
    import torch

    from vosbench.baselines.resnet import BLOCKS
    from vosbench.harness.cli.session import choose_device
    from vosbench.harness.cli.train_options import bf16
    from vosbench.harness.training import distillation
    from vosbench.harness.training.distillation_recipe import DistillationRecipe
    from vosbench.harness.training.processes import device_of_process, joined

    if student not in BLOCKS:
        near = suggestion(student, BLOCKS)
        raise InputError(f"no student {student}{near}: choose from {', '.join(BLOCKS)}")
    if not out.absolute().parent.is_dir():
        raise InputError(f"no folder {out.absolute().parent} for --out: make it first")
    keep_large_blocks()
    if threads is not None:
        torch.set_num_threads(threads)
    recipe = DistillationRecipe(
        student=student,
        steps=steps,
        batch=batch,
        size=size,
        learning_rate=rate,
        seed=seed,
        autocast=bf16(precision),
        accumulate=accumulate,
    )
    chosen = choose_device(device_of_process(device))
    state = folder or out.with_name(out.name + ".state")
    opened = distillation.open_distillation(recipe, pictures, state)
    job = replace(opened, save_every=50, device=chosen, compiled=compiled)
    console = Terminal(stderr=True)
    with joined(chosen) as processes:
        job = replace(job, processes=processes)
        distilled = distillation.distil(job, lambda news: _show(console, news))
        if not processes.leads:
            return
    distillation.write_backbone(out, distilled.backbone)
    say(f"{out}: {steps} steps in {distilled.elapsed_s / 60:.1f} min")
    if distilled.unexplained:
        levels = ", ".join(f"{name} {value:.0%}" for name, value in distilled.unexplained.items())
        say(f"variance left unexplained on held-out pictures: {levels}")


def _show(console: Terminal, news: TrainingProgress) -> None:
    values = ", ".join(f"{name} {value:.3f}" for name, value in news.values.items())
    console.say(f"step {news.step}/{news.steps}: {values}")
