"""``vosbench run``: lay out a grid, run what is missing, show what came out."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections import Counter
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import MOST, whole_number
from vosbench.harness.cli import options
from vosbench.harness.cli.remarks import say_how_read
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.sweep.run_options import RunOptions
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import names_a_place, parse_names
from vosbench.harness.trials import Extras, Kind
from vosbench.runners.interface import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vosbench.harness.datasets.dataset import SelectedSequences
    from vosbench.harness.store import TrialRecord
    from vosbench.harness.sweep.plan import Plan

_UNFINISHED_SHOWN = 20


class Kinds(StrEnum):
    """What ``--kind`` may say."""

    ACCURACY = "accuracy"
    TIMING = "timing"
    BOTH = "both"


class Executor(StrEnum):
    """What ``--executor`` may say."""

    LOCAL = "local"
    RAY = "ray"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    models: Annotated[
        list[str],
        typer.Option(
            "--models",
            help="ARCH[@VARIANT][+POLICY[:ARG]], masks:DIR; a path that exists keeps its commas.",
        ),
    ],
    tau: Annotated[
        list[str] | None,
        typer.Option("--tau", help="Thresholds: 0.7, 0.3,0.5 or a range 0.1:1.0:0.1."),
    ] = None,
    tau2: Annotated[
        list[str] | None,
        typer.Option("--tau2", help="Copy thresholds of fusion; default (1 + τ)/2."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Datasets; default: motion.")
    ] = None,
    data_root: options.DataRoot = None,
    protocol: options.Protocol = None,
    sequences: options.Sequences = None,
    max_frames: Annotated[
        int | None,
        typer.Option("--max-frames", max=MOST, help="Cut sequences after so many frames."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option("--weights", help="Checkpoints; default: shipped ones."),
    ] = None,
    margins: Annotated[
        str | None,
        typer.Option("--margins", metavar="m1,m2;…", help="Train gates with these first."),
    ] = None,
    train: Annotated[
        str | None,
        typer.Option("--train", metavar="FILE|default", help="Recipe of that training (JSON)."),
    ] = None,
    train_seeds: Annotated[
        str | None, typer.Option("--train-seeds", help="Seeds of each training: 0,1,2.")
    ] = None,
    kind: Annotated[Kinds, typer.Option("--kind", help="What to measure.")] = Kinds.ACCURACY,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, max=10_000, help="Timing repetitions.")
    ] = 1,
    interleave: Annotated[
        bool, typer.Option("--interleave", help="Repeats of models and weights take turns.")
    ] = False,
    device: options.Device = "auto",
    precision: options.PrecisionOf = Precision.FLOAT32,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=MOST, help="Seed of all that is random.")
    ] = 0,
    switch: Annotated[
        list[str] | None,
        typer.Option("--switch", help="Which to follow where the two differ."),
    ] = None,
    db: options.Db = options.DEFAULT_DB,
    study: Annotated[
        str | None, typer.Option("--study", help="Name to file the trials under.")
    ] = None,
    lockstep: Annotated[
        bool, typer.Option(help="Walk settings of one checkpoint together.")
    ] = True,
    save_masks: Annotated[
        bool, typer.Option("--save-masks", help="Store predicted label maps as well.")
    ] = False,
    trace: Annotated[
        str | None,
        typer.Option("--trace", help="Store what the network saw in these frames."),
    ] = None,
    breakdown: Annotated[bool, typer.Option(help="Timing: a second pass, for the stages.")] = True,
    min_duration: Annotated[
        float,
        typer.Option(
            "--min-duration", min=0, max=86_400, help="Timing: least seconds of each sequence."
        ),
    ] = 0.0,
    stream: Annotated[
        float | None,
        typer.Option(
            "--stream", min=0.01, max=10_000, metavar="FPS", help="Timing: latency at this rate."
        ),
    ] = None,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Time although others use the device; flagged.")
    ] = False,
    locked_clocks: Annotated[
        str | None, typer.Option("--locked-clocks", help="Clocks you locked, for the record.")
    ] = None,
    threads: options.Threads = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes for accuracy trials.")] = 1,
    executor: Annotated[
        Executor, typer.Option("--executor", help="Here, or on a Ray cluster.")
    ] = Executor.LOCAL,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Of Ray, or auto; default: RAY_ADDRESS."),
    ] = None,
) -> None:
    """Run models over thresholds and datasets, and store the results.

    Trials that the database holds already are not run again: the same command resumes.
    """
    from vosbench.harness.sweep.plan import Request, make_plan
    from vosbench.runners.switches import checked_switches

    console = Terminal(stderr=True)
    with waiting("reading data"):
        selections = _selections(dataset, data_root, protocol, sequences, max_frames)
    request = Request(
        models=_named(models),
        selections=selections,
        taus=parse_taus(tau or ()),
        tau2s=parse_taus(tau2 or (), "--tau2"),
        weights=parse_names(weights or (), names_a_place),
        kinds=tuple(Kind) if kind is Kinds.BOTH else (Kind(kind.value),),
        repeats=repeats,
        seed=seed,
        precision=precision.value,
        switches=checked_switches(options.pairs(switch, "--switch")),
        interleave=interleave,
    )
    if interleave:
        _check_interleaved(kind, executor)
    if margins is not None or train is not None or train_seeds is not None:
        from vosbench.harness.cli.margins import with_trained

        request = with_trained(request, margins, train, train_seeds, db, threads, console)
    from vosbench.harness.cli.session import Session

    with ExitStack() as stack:
        on_ray = executor is Executor.RAY
        how = RunOptions(
            Extras(save_masks, _frames(trace)),
            lockstep=lockstep,
            breakdown=breakdown,
            min_duration_s=min_duration,
            stream_fps=stream,
            allow_busy=allow_busy,
            locked_clocks=locked_clocks,
            jobs=jobs,
            threads=threads,
        )
        session = Session.begin(request, device="cpu" if on_ray else device, db=db, options=how)
        if on_ray:
            if jobs > 1:
                raise InputError("--jobs is for this machine: Ray runs as many as the cluster has")
            from vosbench.harness.sweep.ray_cluster import connected

            cluster = stack.enter_context(connected(address, db, device))
            session = session.on(cluster)
        elif address is not None:
            raise InputError("--address is for --executor ray")
        with waiting("reading weights"):
            plan = make_plan(session.request)
        say_how_read(planned.info for planned in plan.weights)
        name = study or _study_name(plan)
        trials = session.run(plan, name, _command_line(), console)
    from vosbench.harness.cli.results import print_summary

    print_summary(db, name)
    _say_imported(trials, console)
    unfinished = [trial for trial in trials if not trial.is_done]
    if unfinished:
        _say_unfinished(unfinished, name, db, console)
        raise typer.Exit(1)


def _say_imported(trials: Sequence[TrialRecord], console: Terminal) -> None:
    """Numbers of others are not passed off as measured here."""
    for origin, count in Counter(t.origin for t in trials if t.origin is not None).items():
        console.say(f"{count} trials are imported from {origin}: not run here")


def _say_unfinished(
    unfinished: Sequence[TrialRecord], study: str, db: str, console: Terminal
) -> None:
    """One line for each trial that the command hasn't got, and what to do about it."""
    from vosbench.harness.cli.sweeps import unfinished_line

    for trial in unfinished[:_UNFINISHED_SHOWN]:
        console.say(unfinished_line(trial))
    more = len(unfinished) - _UNFINISHED_SHOWN
    where = shlex.join(["--study", study, *(() if db == options.DEFAULT_DB else ("--db", db))])
    if more > 0:
        console.say(f"and {more} more: vosbench status {where}")
    if any(trial.error is not None for trial in unfinished):
        console.say(f"to try them again: vosbench retry --failed {where}, then the same command")


def _check_interleaved(kind: Kinds, executor: Executor) -> None:
    if kind is Kinds.ACCURACY:
        raise InputError("--interleave is the order of timings: give --kind timing or both")
    if executor is not Executor.LOCAL:
        raise InputError("--interleave needs one machine: a cluster runs what is free")


def _named(models: list[str]) -> tuple[str, ...]:
    names = parse_names(models, names_a_place)
    if not names:
        raise InputError("--models names no model: `vosbench models` lists them")
    return names


def _selections(
    datasets: list[str] | None,
    root: Path | None,
    protocol: str | None,
    sequences: list[str] | None,
    max_frames: int | None,
) -> tuple[SelectedSequences, ...]:
    from vosbench.harness.datasets import registry

    names = parse_names(datasets or ["motion"], names_a_place)
    opened = [registry.open(name, root, protocol) for name in names]
    return tuple(dataset.select(dataset.named(sequences), max_frames) for dataset in opened)


def _frames(text: str | None) -> tuple[range, ...]:
    """Parse FROM:TO, both ends included."""
    if text is None:
        return ()
    first, last = (whole_number(part) for part in text.partition(":")[::2])
    if first is None or last is None or last < first:
        raise InputError(f"--trace {text}: write FROM:TO, e.g. 23:26")
    return (range(first, last + 1),)


def _study_name(plan: Plan) -> str:
    digest = hashlib.sha256("".join(spec.key for spec in plan.specs).encode()).hexdigest()
    return f"run-{digest[:10]}"


def _command_line() -> str:
    return shlex.join(["vosbench", *sys.argv[1:]])
