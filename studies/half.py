"""The study of docs/half.md: run it, then write its tables from the database.

    python studies/half.py run --davis DAVIS --data DATA --db half.db     # hours on a CPU; resumes
    python studies/half.py write --db half.db

``run`` is `vosbench` commands and `studies/gate.py`; ``write`` fills the blocks of the page, draws
its figures and exports the results. Prose stays as it is.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from vosbench.harness.store import Selection, State, results
from vosbench.harness.trials import Kind
from vosbench.reports.export import export_frame
from vosbench.reports.frames import measured, trials

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "half.md"
BESIDE = ROOT / "docs" / "study"

G = "g-frtm-half"
RECIPE = ROOT / "studies" / "recipes" / f"{G}.json"
TAUS = "0.5,0.7,0.75,0.8,0.9,1.0"
CONTROLS = tuple(
    f"{G}+{way}" for way in ("cap:2", "random:0.4", "random:0.6", "every:2", "every:3", "always")
)
WAYS = (G, f"{G}+copy", f"{G}+fusion", f"{G}+g-iou", *CONTROLS)

app = typer.Typer(add_completion=False, no_args_is_help=True)
Db = Annotated[Path, typer.Option(help="The study's database.")]


def commands(davis: Path, recipe: Path, db: Path) -> Iterator[Sequence[str]]:
    """What the study runs: arguments of `vosbench`, or of a script of this folder."""
    on_davis = ("--dataset", "davis16", "--data-root", str(davis))
    kept = ("--db", str(db))
    yield ("vosbench", "run", "--models", ",".join(WAYS), "--tau", TAUS, *on_davis,
           "--study", "half", *kept)  # fmt: skip
    yield ("vosbench", "run", "--models", ",".join((G, f"{G}+g-iou", *CONTROLS)),
           "--tau", "0.1:1.0:0.1", "--study", "half", *kept)  # fmt: skip
    yield ("vosbench", "run", "--models", f"{G},g-frtm-lite", "--tau", "1,0.75,0.7",
           "--kind", "timing", "--repeats", "3", "--interleave", "--no-breakdown", *on_davis,
           "--sequences", "dog", "--max-frames", "24", "--study", "half-speed", *kept)  # fmt: skip
    again = str(db.with_suffix(".1.safetensors"))
    yield ("vosbench", "train", G, "--recipe", str(recipe), "--seed", "1", "--out", again, *kept)
    for data in (on_davis, ()):
        yield ("vosbench", "run", "--models", f"{G},{G}+always", "--weights", again,
               "--tau", "0.7,0.75,0.8,1.0", *data, "--study", "half-seed-1", *kept)  # fmt: skip
    for model in (G, "g-frtm-lite"):
        yield ("gate.py", model, "--data-root", str(davis), "--stride", "16", "--frames", "50",
               "--out", str(BESIDE / f"gate-{model}.csv"))  # fmt: skip


@app.command()
def run(
    davis: Annotated[Path, typer.Option(help="DAVIS 2016, whole or in part.")],
    data: Annotated[Path, typer.Option(help="In place of the recipe's /data.")],
    db: Db = Path("half.db"),
) -> None:
    """Run what is missing."""
    recipe = db.with_suffix(".recipe.json")
    recipe.write_text(RECIPE.read_text().replace('"/data/', f'"{data}/'))
    for command in commands(davis, recipe, db):
        print("$ " + shlex.join(command), flush=True)
        name, *arguments = command
        main = "from vosbench.harness.cli import main; main()"
        script = ["-c", main] if name == "vosbench" else [str(ROOT / "studies" / name)]
        subprocess.run([sys.executable, *script, *arguments], check=True)


@app.command()
def write(db: Db = Path("half.db")) -> None:
    """Write the page's tables, and the results beside it."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), str(db)), encoding="utf-8")
    complete = Selection(states=(State.COMPLETE,))
    export_frame(results(str(db), complete), BESIDE / "half.csv")


def filled(text: str, source: str) -> str:
    """A text with its blocks written anew."""

    def block(match: re.Match[str]) -> str:
        return f"<!-- {match[1]} -->\n\n{TABLES[match[1]](source)}\n\n<!-- end -->"

    names = "|".join(TABLES)
    return re.sub(rf"<!-- ({names}) -->.*?<!-- end -->", block, text, flags=re.DOTALL)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _point(run: pd.Series) -> str:
    return f"{100 * run['jf_mean']:.1f} @ {100 * run['reuse_rate']:.1f}"


def ways_table(source: str, study: str = "half") -> str:
    """J&F and reuse of every setting, by dataset."""
    found = trials(source, Selection(studies=[study]), Kind.ACCURACY)
    rows = []
    for (data, model), part in found.groupby(["evaluation", "model"], sort=False):
        told = [
            ("" if run["tau"] is None else f"τ = {run['tau'].normalize():f}: ") + _point(run)
            for _, run in part.sort_values("reuse_rate").iterrows()
        ]
        rows.append([str(data), f"`{model}`", " · ".join(told)])
    return _table(["sequences", "model", "J&F @ reuse"], rows)


def gate_table(source: str) -> str:
    """Correlations of what gates say with the true IoU, from the readings beside the page."""
    del source
    from gate import summary

    rows = []
    for path in sorted(BESIDE.glob("gate-g-*.csv")):
        told = summary(pd.read_csv(path))
        rows.append(
            [f"`{path.stem.removeprefix('gate-')}`", f"{told['readings']:.0f}"]
            + [f"{told[name]:.2f}" for name in ("P_gate", "age", "both")]
        )
    return _table(["model", "readings", "P_gate", "age, −log n", "both"], rows)


def equal_reuse_table(source: str) -> str:
    """How far the gate lies ahead of the controls at the same reuse."""
    from lite import equal_table

    return equal_table(source, "half")


def speed_table(source: str) -> str:
    """Milliseconds a frame: the median of the repeats."""
    found = measured(source, Selection(studies=["half-speed"]))
    rows = [
        [f"`{run['model']}`", f"{run['tau'].normalize():f}", f"{100 * run['reuse_rate']:.0f}",
         f"{run['ms_per_frame']:.0f}"]
        for _, run in found.sort_values(["model", "tau"], ascending=[True, False]).iterrows()
    ]  # fmt: skip
    return _table(["model", "τ", "reuse, %", "ms a frame"], rows)


TABLES: dict[str, Callable[[str], str]] = {
    "ways": ways_table,
    "another seed": lambda source: ways_table(source, "half-seed-1"),
    "gate": gate_table,
    "equal reuse": equal_reuse_table,
    "speed": speed_table,
}


if __name__ == "__main__":
    app()
