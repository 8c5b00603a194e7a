"""``vosbench``: its commands, and what happens to errors.

Exit status: 0 done, 1 some trials failed, 2 bad input, 128 + N ended by signal N. What a person
can mend is one line on standard error; everything else is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import gc
import signal
import sys
import traceback
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_group

from vosbench.baselines.errors import InputError
from vosbench.harness import streams
from vosbench.harness.cli.help import App, Group
from vosbench.harness.interrupts import interruptible
from vosbench.harness.release import program_version
from vosbench.harness.text import complain, say

COMMANDS = {
    "run": ("run", "Run models over thresholds and datasets; store the results."),
    "check": ("check", "Run the contract suite on a model."),
    "results": ("results", "Show results: a table, CSV or JSON."),
    "import": ("bundle", "Add results that others bundled, as theirs."),
    "report": ("report", "Make figures and tables, published beside measured."),
    "card": ("card", "Write a model's card: results and costs, as Markdown."),
    "render": ("render", "Make a video of a result."),
    "site": ("site", "Write all results as pages to open from a folder."),
    "eval": ("evaluate", "Score predicted PNGs as the official evaluations do."),
    "models": ("listings", "List models, policies and shipped weights."),
    "datasets": ("listings", "List datasets and their protocols."),
    "export": ("export", "Write the archive that a leaderboard takes."),
    "profile": ("profile", "Show ms, GFLOP and joules of each path, by stage."),
    "env": ("instruments", "Show the environment stored with results."),
    "doctor": ("instruments", "Try every instrument of this machine."),
    "status": ("sweeps", "Show how far sweeps are."),
    "cancel": ("sweeps", "Stop a study's unfinished trials."),
    "retry": ("sweeps", "Let failed trials wait again."),
    "gc": ("sweeps", "Delete what nothing refers to."),
    "compare": ("compare", "Compare two versions: a verdict per grid point."),
    "history": ("regression", "Show J&F and FPS from commit to commit."),
    "train": ("train", "Train a model; file the checkpoint and its curve."),
    "distil": ("distil", "Teach a backbone EfficientNet-Lite0's features."),
    "data": ("data", "Datasets: where they lie, whether they are whole."),
    "db": ("database", "Care for the result database."),
    "baseline": ("regression", "Name results to compare with later."),
    "trainings": ("trainings", "List trainings; show one."),
}
"""Module and line of help of each command, in the order of ``vosbench --help``."""


class Commands(Group):
    """The commands of the table; each is imported when it is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: Any = dict.fromkeys(COMMANDS)  # names to list, and to suggest for others

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        made = App()
        import_module(f"vosbench.harness.cli.{COMMANDS[cmd_name][0]}").register(made)
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        return get_group(made).get_command(ctx, cmd_name)

    def summary(self, ctx: Any, name: str) -> str:  # noqa: ARG002 - of the base
        """From the table: nothing is imported to list commands."""
        return COMMANDS[name][1]


_INTERRUPTED, _READER_LEFT = 130, 141
# Typer brings its own click, or takes the installed one, by its version.
_USAGE: type[Exception] = typer.BadParameter.__mro__[2]


app = App(name="vosbench", cls=Commands, no_args_is_help=True, add_completion=True)


def _print_version(asked: bool) -> None:
    if asked:
        say(f"vosbench {program_version()}")
        raise typer.Exit


@app.callback()
def vosbench(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Benchmark and ablation harness for video object segmentation with reuse gates."""


def main() -> None:
    """Entry point of the console script."""
    gc.disable()  # till the command is imported: to look for garbage in that takes a sixth of it
    streams.prepare()
    if sys.platform == "win32":
        complain("Windows is supported through WSL alone: install and run vosbench there")
        sys.exit(2)
    out, err = sys.stdout, sys.stderr
    lost: str | None = None
    try:
        status = _ended()
    except streams.OutputLost as reason:
        status, lost = 0, str(reason)
    except OSError as error:
        # The help is Typer's to print: it leaves no other sign of what it was doing.
        if traceback.extract_tb(error.__traceback__)[-1].name != "echo":
            raise
        status, lost = 0, error.strerror
    except SystemExit:
        if sys.stdout is out:
            raise
        status, lost = 0, ""  # so Typer ends where the reader of its help has left
    left = streams.why_lost(out)
    lost = left if lost is None else lost
    if lost is not None:
        streams.silence(out)
        status = status or (2 if lost else _READER_LEFT)
        if lost:
            complain(f"standard output can't be written: {lost}; what was computed is stored")
    if streams.why_lost(err) is not None:
        streams.silence(err)
    if status:
        sys.exit(status)


def _ended() -> int:
    """Run the command; its exit status."""
    with interruptible() as interrupts:
        try:
            status = app(standalone_mode=False, prog_name="vosbench")
        except InputError as error:
            complain(str(error))
            return 2
        except _USAGE as error:
            return _misused(error)
        except KeyboardInterrupt:
            status = _INTERRUPTED
    if status == _INTERRUPTED:
        number = interrupts.first or signal.SIGINT
        complain(
            f"stopped by {signal.Signals(number).name}: what was in work is handed back; "
            "the same command goes on from here"
        )
        return 128 + number
    return status if isinstance(status, int) else 0


def _misused(error: Any) -> int:
    """One line where options or arguments are wrong; the help where none were given."""
    if "NoArgs" in type(error).__name__:
        error.show()
        return int(error.exit_code)
    command = error.ctx.command_path if getattr(error, "ctx", None) is not None else "vosbench"
    complain(f"{error.format_message()} (see `{command} --help`)")
    return int(error.exit_code)
