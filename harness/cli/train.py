"""``vosbench train``: train a network, resume where it was stopped, file what came out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import say
from vosbench.runners.interface import Precision

if TYPE_CHECKING:
    from vosbench.harness.training.loop import Cadence, Report
    from vosbench.harness.training.request import TrainingRequest


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    model: Annotated[str, typer.Argument(help="What to train, e.g. g-frtm-lite.")],
    out: Annotated[Path | None, typer.Option("--out", help="Checkpoint (.safetensors).")] = None,
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="Shipped recipe (paper-davis, paper-ytvos) or JSON file."),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="KEY=VALUE of the recipe, e.g. reuse.stage.batch=16."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    pictures: Annotated[
        list[str] | None,
        typer.Option("--pictures", help="DIR[:WEIGHT] with images/ and masks/; repeatable."),
    ] = None,
    davis: Annotated[
        list[str] | None, typer.Option("--davis", help="DIR[:WEIGHT]: DAVIS, its train list.")
    ] = None,
    ytvos: Annotated[
        list[str] | None, typer.Option("--ytvos", help="DIR[:WEIGHT]: YouTube-VOS, its train/.")
    ] = None,
    motion: Annotated[
        float | None, typer.Option("--motion", min=0, help="WEIGHT of the built-in generator.")
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option("--validation", help="Real sequences in DAVIS' layout, scored beside others."),
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option("--steps", help="S1[,S2]: segmentation, then reuse (2000,2500); 0: none."),
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, help="Clips of a step, in all stages (8).")
    ] = None,
    margins: Annotated[
        str | None, typer.Option("--margins", help="m1,m2 of the gate loss (1.0,0).")
    ] = None,
    start: Annotated[Path | None, typer.Option("--start", help="Checkpoint to go on from.")] = None,
    backbone: Annotated[
        Path | None, typer.Option("--backbone", help="Backbone's weights; default: ImageNet's.")
    ] = None,
    switch: Annotated[
        list[str] | None,
        typer.Option("--switch", help="NAME=paper|code where the two differ."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of all that is random (0).")
    ] = None,
    precision: Annotated[
        Precision | None,
        typer.Option(
            "--precision", help="float32 (default), or bf16 for GPUs and CPUs quick at it."
        ),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the layers that learn (torch.compile).")
    ] = False,
    write_recipe: Annotated[
        Path | None, typer.Option("--write-recipe", help="Write that JSON, and train nothing.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Folder of encoded clips; default: the cache.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Folder of the state, to resume from.")
    ] = None,
    save_every: Annotated[
        int, typer.Option("--save-every", min=1, help="Steps between saved states.")
    ] = 100,
    validate_every: Annotated[
        int, typer.Option("--validate-every", min=1, help="Steps between validations.")
    ] = 200,
    log_every: Annotated[
        int, typer.Option("--log-every", min=1, help="Steps between values of the curve.")
    ] = 20,
    tensorboard: Annotated[
        Path | None, typer.Option("--tensorboard", help="Folder for TensorBoard's logs.")
    ] = None,
    note: Annotated[
        str | None, typer.Option("--note", help="What results say of these weights.")
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="Processes that draw clips meanwhile.")
    ] = 1,
    keep_clips: Annotated[
        bool, typer.Option("--keep-clips", help="Leave a stream's clips in the cache.")
    ] = False,
    threads: options.Threads = None,
    db: options.Db = options.DEFAULT_DB,
) -> None:
    """Train MODEL and file the checkpoint, its recipe and its curve.

    The same command goes on where an earlier one was stopped, to the step. torchrun starts it on
    several GPUs.
    """
    from vosbench.harness.cli.train_options import TrainOptions, completed
    from vosbench.harness.training.loop import Cadence

    given = TrainOptions(
        model=model,
        recipe=recipe,
        sets=tuple(sets or ()),
        pictures=tuple(pictures or ()),
        davis=tuple(davis or ()),
        ytvos=tuple(ytvos or ()),
        motion=motion,
        validation=validation,
        steps=steps,
        batch=batch,
        margins=margins,
        start=start,
        backbone=backbone,
        switches=options.pairs(switch, "--switch"),
        seed=seed,
        precision=precision,
    )
    request = completed(given)
    if write_recipe is not None:
        _write(write_recipe, request)
        return
    _check_out(out)
    keep_large_blocks()
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    _train(
        request,
        out,
        cache=cache,
        folder=folder,
        tensorboard=tensorboard,
        cadence=Cadence(save_every, validate_every, log_every, workers, keep_clips, compiled),
        device=device,
        note=note,
        db=db,
    )


def _write(path: Path, request: TrainingRequest) -> None:
    from vosbench.harness.training.trainers import trainer_of

    trainer_of(request.recipe.model).check(request)
    if not path.absolute().parent.is_dir():
        raise InputError(f"no folder {path.absolute().parent} for --write-recipe: make it first")
    path.write_text(request.to_json(), encoding="utf-8")


def _check_out(out: Path | None) -> None:
    if out is None:
        raise InputError("where should the checkpoint go? give --out FILE.safetensors")
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: a checkpoint's file ends in .safetensors")
    if not out.absolute().parent.is_dir():
        raise InputError(f"no folder {out.absolute().parent} for --out: make it first")


def _train(
    request: TrainingRequest,
    out: Path | None,
    *,
    cache: Path | None,
    folder: Path | None,
    tensorboard: Path | None,
    cadence: Cadence,
    device: str,
    note: str | None,
    db: str,
) -> None:
    from vosbench.harness.cli.session import choose_device
    from vosbench.harness.cli.training_display import run_shown
    from vosbench.harness.store import Storage
    from vosbench.harness.training import runs
    from vosbench.harness.training.loop import check_parts
    from vosbench.harness.training.processes import device_of_process, joined

    logs = _tensorboard(tensorboard)
    chosen = choose_device(device_of_process(device))
    with joined(chosen) as processes:
        check_parts(request.recipe, processes)
        cadence = replace(cadence, processes=processes)
        planned = runs.plan_training(request, cache=cache, folder=folder, out=out, device=chosen)
        if not processes.leads:
            runs.follow(planned, cadence)
            return
        with Storage.open(db) as storage:
            done = runs.finished_before(planned, storage)
            processes.tell(done is not None)
            if done is None:
                console = Terminal(stderr=True)
                done = run_shown(planned, storage, console, cadence=cadence, note=note, logs=logs)
    key = planned.spec.key[:12]
    if done.again:
        say(f"{done.path}: trained before as {key}, nothing to do")
        return
    took = f"{done.elapsed_s / 60:.1f} min" if done.elapsed_s >= 60 else f"{done.elapsed_s:.0f} s"
    say(f"{done.path}: {planned.steps} steps in {took}")
    say(f"`vosbench trainings show {key}` shows its curve")


def _tensorboard(folder: Path | None) -> Report | None:
    if folder is None:
        return None
    from vosbench.harness.training import reporting

    logs = reporting.tensorboard(folder)
    if logs is None:
        raise InputError("TensorBoard is not installed: pip install 'vosbench[train]'")
    return logs
