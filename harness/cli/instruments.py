"""``vosbench env`` and ``vosbench doctor``: what this machine is, and what its clocks are worth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.baselines.errors import InputError
from vosbench.harness.cli import options
from vosbench.harness.cli.waiting import waiting
from vosbench.harness.terminal import Terminal
from vosbench.harness.text import write_out
from vosbench.runners.interface import Precision

if TYPE_CHECKING:
    import torch


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("env")(environment)
    app.command("doctor")(doctor)


def environment(
    device: options.Device = "auto",
    precision: options.PrecisionOf = Precision.FLOAT32,
    as_json: options.Json = False,
) -> None:
    """Show the environment that is stored with results, and its comparability key."""
    from vosbench.harness.cli.session import choose_device
    from vosbench.harness.measure.probe import read_environment

    found = read_environment(choose_device(device), precision.value)
    if as_json:
        write_out(found.to_json())
        return
    console = Terminal()
    console.say(f"comparability key  {found.key}")
    for title, part in (("stable", found.stable), ("notes", found.notes)):
        console.print()
        console.say(title)
        for name, value in vars(part).items():
            if name not in ("packages", "unknown"):
                console.say(f"  {name:<20}{'–' if value is None else value}")
    console.print()
    console.say("packages")
    for name, version in found.notes.packages:
        console.say(f"  {name:<20}{version}")
    for name, reason in found.notes.unknown:
        console.say(f"unknown {name}: {reason}")


def doctor(
    seconds: Annotated[float, typer.Option("--seconds", min=0.5, help="Length of loads.")] = 2.0,
    prove: Annotated[
        bool, typer.Option("--prove", help="Prove the program here: ten minutes at most.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="For the proof's report; default: proof."),
    ] = None,
    device: options.Device = "auto",
    budget: Annotated[
        float, typer.Option("--budget", min=0, help="Begin no check after so many seconds.")
    ] = 600.0,
) -> None:
    """Try every instrument of this machine and say what can be trusted.

    --prove ends with 0 where no check failed (some may be doubtful, as other processes disturbed
    them, or not done) and with 1 where one did.
    """
    if prove:
        from vosbench.harness.cli.session import choose_device

        _prove(choose_device(device), seconds, budget, out or Path("proof"))
        return
    if out is not None:
        raise InputError("--out is where --prove writes its report: give --prove too")
    from vosbench.harness.measure.doctor import examine, render

    with waiting("trying each instrument"):
        found = examine(seconds)
    render(found, Terminal())


def _prove(device: torch.device, seconds: float, budget_s: float, out: Path) -> None:
    """Print each outcome as it comes, and leave the report in ``out``."""
    from vosbench.harness.contract.prove import prove
    from vosbench.harness.contract.prove_record import ProofOutcome
    from vosbench.harness.contract.prove_report import account, markdown

    def heard(outcome: ProofOutcome) -> None:
        write_out(f"{outcome.verdict:<9} {outcome.check}: {account(outcome)}\n")

    report = prove(device, seconds=seconds, budget_s=budget_s, heard=heard)
    out.mkdir(parents=True, exist_ok=True)
    (out / "proof.json").write_text(report.to_json())
    (out / "proof.md").write_text(markdown(report))
    write_out(f"{report.summary}, in {report.seconds:.0f} s: {out / 'proof.md'}\n")
    if report.failed:
        raise typer.Exit(1)
