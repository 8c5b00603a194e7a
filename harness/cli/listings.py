"""``vosbench models`` and ``vosbench datasets``: what there is to run, and on what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from vosbench.harness.cli import options
from vosbench.harness.terminal import Terminal, plain_table
from vosbench.harness.text import json_text, records_csv, write_file, write_out
from vosbench.runners.shipped import DEMONSTRATION

if TYPE_CHECKING:
    from vosbench.runners.catalogue import Entry

_WIDE = 120
"""Columns from which on a listing has room for sentences."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("models")(models)
    app.command("datasets")(datasets)


def models(
    as_json: options.Json = False,
    csv: options.Csv = None,
    switches: Annotated[
        bool, typer.Option("--switches", help="List where paper and code disagree instead.")
    ] = False,
) -> None:
    """List models, the policies that may follow a +, and which weights come along."""
    from vosbench.runners.catalogue import catalogue

    if switches:
        _print_switches()
        return
    entries = catalogue()
    if as_json or csv is not None:
        records = [vars(entry) for entry in entries]
        write_file(csv, records_csv(records)) if csv else write_out(json_text(records))
        return
    console = Terminal()
    _print_models(console, entries)
    _print_policies(console)


def _print_models(console: Terminal, entries: Sequence[Entry]) -> None:
    """One line a model; what it is comes along where the terminal has room for it."""
    wide = console.width >= _WIDE
    titles = ("model", "backbone", "params", "paths", "weights")
    table = plain_table(*titles, *(["what it is"] if wide else []), right=("params",))
    for entry in entries:
        if entry.problem is not None:
            table.add_row(entry.name, "", "", "", "broken")
            continue
        parameters = "–" if entry.parameters is None else f"{entry.parameters / 1e6:.1f} M"
        row = [entry.name, entry.backbone or "–", parameters, " ".join(entry.paths)]
        table.add_row(*row, _shipped(entry), *([entry.summary] if wide else []))
    console.print(table)
    for entry in entries:
        if entry.problem is not None:
            console.say(f"{entry.name} is broken: {entry.problem}")
        variants = [f"@{name}" for name in entry.weights if not name.startswith("default")]
        if variants and "reuse" in entry.paths:
            console.say(f"{entry.name} also as {' '.join(variants)}")
    if not wide:
        console.say(f"--json, or a terminal of {_WIDE} columns, says what each is", "dim")
    console.print()


def _shipped(entry: Entry) -> str:
    own = next((name for name in entry.weights if name.startswith("default")), None)
    if own is None:
        return "none"
    return DEMONSTRATION if DEMONSTRATION in own else "shipped"


def _print_policies(console: Terminal) -> None:
    from vosbench.runners.policy_registry import POLICIES, policy_defect

    table = plain_table("policy", "needs", "what it decides")
    table.title = "policies of gated models: MODEL+POLICY"
    for name, plugin in POLICIES.plugins().items():
        problem = plugin.problem or policy_defect(name, plugin.value)
        if problem is not None:
            table.add_row(name, "broken", problem)
            continue
        spec = plugin.value.spec
        thresholds = [
            word for word, takes in (("τ", spec.takes_tau), ("τ₂", spec.takes_tau2)) if takes
        ]
        needs = [*thresholds, *sorted(spec.needs)]
        shown = f"{name}:{spec.argument}" if spec.argument else name
        table.add_row(shown, ", ".join(needs) or "–", spec.summary)
    console.print(table)


def _print_switches() -> None:
    from vosbench.runners.switches import SWITCHES

    table = plain_table("switch", "acts on", "paper", "code")
    table.title = "--switch NAME=paper|code (default: code)"
    for name, item in SWITCHES.items():
        table.add_row(name, item.stage, item.paper, item.code)
    Terminal().print(table)


def datasets(as_json: options.Json = False, csv: options.Csv = None) -> None:
    """List datasets and their protocols."""
    from vosbench.harness.datasets.registry import listings

    found = listings()
    if as_json or csv is not None:
        records = [
            {
                "name": item.name,
                "protocol": item.spec.protocol if item.spec else None,
                "summary": item.spec.summary if item.spec else None,
                "problem": item.problem,
            }
            for item in found
        ]
        write_file(csv, records_csv(records)) if csv else write_out(json_text(records))
        return
    table = plain_table("dataset", "protocol", "what it is")
    for item in found:
        if item.spec is None:
            table.add_row(item.name, "broken", item.problem)
            continue
        name = f"{item.name}:{item.spec.argument}" if item.spec.argument else item.name
        table.add_row(name, item.spec.protocol, item.spec.summary)
    Terminal().print(table)
