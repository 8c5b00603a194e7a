"""How ``--help`` looks, for all commands in one place: words for values, whole lines, examples."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from vosbench.harness.cli.examples import EXAMPLES

WORDS = {
    "--address": "HOST:PORT",
    "--allow": "VERDICT,…",
    "--base": "MODEL|WEIGHTS",
    "--baseline": "NAME|FILE",
    "--budget": "SECONDS",
    "--columns": "NAME,…",
    "--csv": "PATH|-",
    "--csv-dir": "DIR",
    "--data-root": "DIR",
    "--dataset": "NAME",
    "--db": "FILE|URL",
    "--device": "DEVICE",
    "--fig": "NAME",
    "--folder": "DIR",
    "--fps-tol": "[STAT:]N%",
    "--head": "MODEL|WEIGHTS",
    "--install-completion": "",
    "--jf-tol": "POINTS",
    "--kind": "KIND",
    "--metric": "NAME",
    "--models": "MODEL",
    "--precision": "PRECISION",
    "--protocol": "NAME",
    "--seconds": "SECONDS",
    "--sequences": "NAME",
    "--study": "NAME",
    "--set": "KEY=VALUE",
    "--switch": "NAME=paper|code",
    "--table": "NAME",
    "--tau": "τ",
    "--tau2": "τ₂",
    "--tol": "NAME=TOLERANCE",
    "--trace": "FROM:TO",
    "--train-seeds": "N,…",
    "--weights": "FILE|random:SEED",
}
"""What a value is called, where its option doesn't say it itself (``metavar``)."""

_LISTS = ("--dataset", "--metric", "--models", "--sequences", "--tau", "--tau2", "--weights")
"""Options that take a comma list wherever they may be given several times."""
_BY_TYPE = (("path", "FILE"), ("int", "N"), ("float", "X"), ("str", "TEXT"), ("text", "TEXT"))
_RANGE = re.compile(r"x\s*[<>]|[<>]=?\s*x")
_WIDTH = 80


class HelpedCommand(TyperCommand):
    """A command whose help is ours.

    ``--csv`` without a path means standard output, as the flag of that name once did.
    """

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """See click: arguments, then options."""
        _format_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """See click: two examples."""
        _format_examples(ctx, formatter)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """See click: ``[OPTIONS] TRIAL [SOURCES]...``."""
        return ["[OPTIONS]", *(_usage(each) for each in _arguments(self, ctx))]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if any("--csv" in each.opts for each in self.params):
            args = _with_place_of_csv(args)
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """A group of commands whose help is ours: each command's first sentence whole."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """See click."""
        _format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """See click."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, self.summary(ctx, name)) for name in self.list_commands(ctx)]
            )

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """See click."""
        _format_examples(ctx, formatter)

    def summary(self, ctx: Any, name: str) -> str:
        """A command in one line: the first sentence of its help."""
        command = self.get_command(ctx, name)
        text = " ".join((command.help or "").split("\n\n")[0].split()) if command else ""
        return re.split(r"(?<=\.)\s|[;:(]", text)[0].strip().rstrip(".") + "."


class App(typer.Typer):
    """Commands shown by :class:`HelpedCommand`, in a group that is shown by :class:`Group`."""

    def __init__(self, **options: Any) -> None:
        usual = {"cls": Group, "rich_markup_mode": None, "pretty_exceptions_enable": False}
        super().__init__(**(usual | {"add_completion": False} | options))

    def command(self, name: str | None = None, **options: Any) -> Any:
        """See Typer."""
        return super().command(name, **({"cls": HelpedCommand} | options))


def _format_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments and options as two lists; hidden ones and second names are left out."""
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        records = [
            _record(each, ctx)
            for each in command.get_params(ctx)
            if each.param_type_name == kind and not each.hidden
        ]
        if records:
            with formatter.section(title):
                formatter.write_dl(records, col_max=28)


def _record(parameter: Any, ctx: Any) -> tuple[str, str]:
    """Name with its value's word, and help with its default."""
    _, text = parameter.get_help_record(ctx)
    said, bracket, extra = text.rpartition("  [")
    if not bracket and text.startswith("["):
        bracket, extra = "[", text[1:]
    if bracket:
        kept = [part for part in extra.removesuffix("]").split("; ") if not _RANGE.search(part)]
        text = said + (f"  [{'; '.join(kept)}]" if kept else "")
    return _name(parameter, ctx), text.strip()


def _name(parameter: Any, ctx: Any) -> str:
    if parameter.param_type_name == "argument":
        return word(parameter, ctx)
    names = parameter.opts[:1] + parameter.secondary_opts[:1]
    return " ".join(filter(None, [" / ".join(names), word(parameter, ctx)]))


def word(parameter: Any, ctx: Any) -> str:
    """What a parameter's value is called: "" for a flag."""
    if getattr(parameter, "is_flag", False) or getattr(parameter, "count", False):
        return ""
    if parameter.metavar is not None:
        return str(parameter.metavar)
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    option = parameter.opts[0]
    shown = str(parameter.make_metavar(ctx) if hasattr(parameter, "make_metavar")
                else parameter.display_type(ctx))  # fmt: skip
    if option in WORDS and "|" not in shown:
        return WORDS[option] + (",…" if "list" in shown and option in _LISTS else "")
    if "|" in shown and len(shown) < 28:
        return shown.strip("<>[]")
    return WORDS.get(option) or next((w for t, w in _BY_TYPE if t in shown.lower()), "VALUE")


def _arguments(command: Any, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]


def _usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name.upper())
    name = name if argument.required else f"[{name}]"
    return name if argument.nargs == 1 else f"{name}..."


def _format_examples(ctx: Any, formatter: Any) -> None:
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name)
        ctx = ctx.parent
    lines = EXAMPLES.get(" ".join(names), ())
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"{'':{formatter.current_indent}}vosbench {line}\n")


def _with_place_of_csv(args: list[str]) -> list[str]:
    """``--csv`` at the end or before another option: to standard output."""
    placed: list[str] = []
    for place, here in enumerate(args):
        placed.append(here)
        if here == "--csv" and (args[place + 1 :] or ["--"])[0].startswith("--"):
            placed.append("-")
    return placed
