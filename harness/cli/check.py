"""``vosbench check``: whether a model keeps the promises of the runner interface."""

from __future__ import annotations

import traceback
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.remarks import say_how_read
from vosbench.harness.cli.waiting import each, waiting
from vosbench.harness.sweep.grid import parse_taus
from vosbench.harness.terminal import Terminal, plain_table, styled
from vosbench.harness.text import json_text, write_out
from vosbench.runners.interface import Precision, RunnerOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vosbench.harness.contract import Check, ContractClip, Outcome, Subject
    from vosbench.harness.contract.policies import PolicySubject

_STYLE = {"passed": "green", "failed": "bold red", "skipped": "dim"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    name: Annotated[str, typer.Argument(help="A model, as --models names it, or +POLICY.")],
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Checkpoint; default: shipped ones."),
    ] = None,
    tau: Annotated[str, typer.Option("--tau", help="Threshold of gated models.")] = "0.5",
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Play sequences of this dataset as well.")
    ] = None,
    data_root: options.DataRoot = None,
    sequences: options.Sequences = None,
    max_frames: Annotated[
        int, typer.Option("--max-frames", min=2, help="Frames of each sequence of the dataset.")
    ] = 6,
    built_in: Annotated[
        bool, typer.Option(help="Play the built-in sequences; masks:DIR has none.")
    ] = True,
    device: options.Device = "cpu",
    precision: options.PrecisionOf = Precision.FLOAT32,
    as_json: options.Json = False,
    trace: Annotated[
        bool, typer.Option("--traceback", help="Show where the model raised what.")
    ] = False,
) -> None:
    """Run the contract suite on a model or a gate policy: exit status 1 if a check fails.

    The suite plays a few small built-in sequences, and those of a dataset if one is given; a policy
    is tried on a small model. Plug-in authors can run the same checks in pytest: see
    vosbench.harness.contract.
    """
    if name.startswith("+"):
        _check_policy(name, _tau(tau), as_json=as_json, trace=trace)
        return
    from vosbench.harness.cli.session import choose_device
    from vosbench.harness.contract import CHECKS, Subject

    clips = _clips(built_in, dataset, data_root, sequences, max_frames)
    settings = RunnerOptions(weights=weights, tau=_tau(tau))
    try:
        subject = Subject.of(name, clips, settings, choose_device(device), precision)
        built = subject.model.build(subject.options).weights
    except InputError as error:
        if trace:
            traceback.print_exception(error)
        raise
    say_how_read((built,))
    weights = f" ({built.note})" if built.note else ""
    _report(subject, CHECKS, f"{subject.model.name}{weights}", as_json=as_json, trace=trace)


def _check_policy(name: str, tau: Decimal, *, as_json: bool, trace: bool) -> None:
    from vosbench.harness.contract.policies import POLICY_CHECKS, PolicySubject

    subject = PolicySubject.of(name.removeprefix("+"), tau)
    title = ", ".join(f"+{written}" for written in subject.written)
    _report(subject, POLICY_CHECKS, title, as_json=as_json, trace=trace)


def _report(
    subject: Subject | PolicySubject,
    checks: Sequence[Check],
    title: str,
    *,
    as_json: bool,
    trace: bool,
) -> None:
    from vosbench.harness.contract import Status, run_checks

    with waiting("checking") as tell:
        told = each(checks, tell, lambda check: check.name)
        outcomes = list(run_checks(told, subject))
    for outcome in outcomes:
        if trace and outcome.error is not None:
            traceback.print_exception(outcome.error)
    if as_json:
        _print_json(title, outcomes)
    else:
        _print_table(title, subject.clips, outcomes)
    if any(outcome.status is Status.FAILED for outcome in outcomes):
        raise typer.Exit(1)


def _tau(text: str) -> Decimal:
    taus = parse_taus([text])
    if len(taus) != 1:
        raise InputError(f"--tau {text}: a check is made at one threshold")
    return taus[0]


def _clips(
    built_in: bool,
    dataset: str | None,
    root: Path | None,
    sequences: list[str] | None,
    max_frames: int,
) -> tuple[ContractClip, ...]:
    from vosbench.harness.contract.clips import of_dataset, tiny_clips
    from vosbench.harness.datasets import registry

    found = list(tiny_clips()) if built_in else []
    if dataset is not None:
        opened = registry.open(dataset, root)
        names = opened.named(sequences) or opened.sequences[:1]
        found += [of_dataset(clip, max_frames) for clip in opened.select(names).clips]
    elif sequences:
        raise InputError("--sequences names some of a dataset: give --dataset too")
    if not found:
        raise InputError("--no-built-in leaves no sequence to play: give --dataset")
    for clip in found:
        if not clip.objects:
            raise InputError(f"sequence {clip.name} has no object to track: leave it out")
    return tuple(found)


def _print_table(title: str, clips: Sequence[ContractClip], outcomes: list[Outcome]) -> None:
    table = plain_table("check", "", "what was found")
    for outcome in outcomes:
        status = styled(outcome.status, _STYLE[outcome.status])
        table.add_row(outcome.check.name, status, outcome.line)
    console = Terminal()
    console.print(table)
    counts = {s: sum(o.status == s for o in outcomes) for s in _STYLE}
    summary = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    played = ", ".join(clip.name for clip in clips)
    console.say(f"{title}: {summary}; played {played}")


def _print_json(name: str, outcomes: list[Outcome]) -> None:
    checks = [{"check": o.check.name, "status": o.status.value, "found": o.line} for o in outcomes]
    write_out(json_text({"model": name, "checks": checks}))
