"""``vosbench env`` and ``vosbench doctor``: what this machine is, and what its clocks are worth."""

from __future__ import annotations

from typing import Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.text.output import write_out
from vosbench.harness.text.terminal import Terminal
from vosbench.runners.interface import Precision


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("env")(environment)
    app.command("doctor")(doctor)


def environment(
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
    precision: Annotated[Precision, typer.Option("--precision")] = Precision.FLOAT32,
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
) -> None:
    """Try every instrument of this machine and say what can be trusted."""
    from vosbench.harness.measure.doctor import examine, render

    render(examine(seconds), Terminal())
