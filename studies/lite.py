"""The study of docs/study.md: run it, then write its tables and figures from the database.

    python studies/lite.py run --davis DAVIS --data DATA --db study.db
    python studies/lite.py write --db study.db

``run`` resumes: what the database holds is not run again. ``write`` fills the blocks between
``<!-- NAME -->`` and ``<!-- end -->`` in docs/study.md and baselines/weights/README.md, draws the
figures beside the study and exports all results as CSV. Prose stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from lite_tables import GATED, PLAIN, SOME_TAUS, TABLES, G, gate_curves
from page import BESIDE, ROOT, WEIGHTS, execute, export, fill, placed

from vosbench.reports.export import export_frame

PAGES = (ROOT / "docs" / "study.md", WEIGHTS / "README.md")
WAYS = ",".join(
    f"{G}{way}"
    for way in (
        "", "+copy", "+fusion", "+cap:2", "+g-iou", "+random:0.2", "+random:0.4", "+random:0.6",
        "+random:0.8", "+every:2", "+every:3", "+always",
    )
)  # fmt: skip
MARGINS = "1.0,0;0.7,0.2;0.35,0.4"
RULES = ("code", "paper")
SEEDS = ("1", "2", "3")

app = typer.Typer(add_completion=False, no_args_is_help=True)
Db = Annotated[Path, typer.Option(help="The study's database.")]


@app.command()
def run(
    davis: Annotated[Path, typer.Option(help="DAVIS 2016, whole or in part.")],
    data: Annotated[Path, typer.Option(help="In place of the recipes' /data.")],
    db: Db = Path("study.db"),
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
) -> None:
    """Run what is missing: hours on a CPU."""
    gates = placed(f"{G}-gate", data, db.with_suffix(".gate.json"))
    threaded = () if threads is None else ("--threads", str(threads))
    for command in commands(davis, gates):
        execute(("vosbench", *command, "--db", str(db), *threaded))


def commands(davis: Path, gates: Path) -> Iterator[Sequence[str]]:
    """What the study runs, one `vosbench` command each; ``gates`` is the recipe of a gate."""
    on_davis = ("--dataset", "davis16", "--data-root", str(davis))
    taus, some = ("--tau", "0.1:1.0:0.1"), ("--tau", ",".join(SOME_TAUS))
    few = ("--tau", "1,0.9,0.8,0.7,0.6,0.5")
    yield ("run", "--models", WAYS, *few, *on_davis, "--study", "alternatives")
    yield ("run", "--models", G, *taus, *on_davis, "--study", "alternatives")
    yield ("run", "--models", WAYS, *taus, "--study", "alternatives")
    yield ("run", "--models", ",".join(PLAIN), *on_davis, "--study", "networks")
    yield (
        "run", "--models", ",".join((*PLAIN, *GATED)), *some, "--study", "checkpoints",
    )  # fmt: skip
    yield ("run", "--models", "g-frtm-fast,frtm-fast", *taus, "--study", "demonstration")
    shipped = ("--start", str(WEIGHTS / f"{G}.safetensors"))
    short = (
        "--tau", "0.95,0.8,0.5,0.3", "--sequences", "slow,fast,deform,occlusion",
        "--max-frames", "20",
    )  # fmt: skip
    for rule in RULES:
        recipe = gates.with_stem(f"{gates.stem}-{rule}")
        yield (
            "train", G, "--recipe", str(gates), "--switch", f"margin-m1={rule}", *shipped,
            "--write-recipe", str(recipe),
        )  # fmt: skip
        yield (
            "run", "--models", G, "--margins", MARGINS, "--train", str(recipe),
            "--train-seeds", ",".join(SEEDS), *short, "--study", f"gates-{rule}",
        )  # fmt: skip
    n_gates = [str(gates.with_suffix(f".n{seed}.safetensors")) for seed in SEEDS]
    for seed, out in zip(SEEDS, n_gates, strict=True):
        yield (
            "train", G, "--recipe", str(gates), *shipped, "--set", "reuse.gate.rate=0.5",
            "--set", "reuse.stage.steps=300", "--seed", seed, "--out", out,
        )  # fmt: skip
    yield ("run", "--models", G, "--weights", ",".join(n_gates), *short, "--study", "n-gates")
    timed = (*PLAIN, *GATED, f"{G}+copy", f"{G}+fusion")
    yield (
        "run", "--models", ",".join(timed), *some, *on_davis, "--sequences", "dog",
        "--max-frames", "12", "--kind", "both", "--repeats", "3", "--interleave", "--no-breakdown",
        "--study", "speed",
    )  # fmt: skip


@app.command()
def write(db: Db = Path("study.db")) -> None:
    """Write tables, figures and results.csv; says which could not be made."""
    source = str(db)
    for page in PAGES:
        fill(page, TABLES, source)
    for name, options in FIGURE_OPTIONS:
        out = BESIDE / f"{name}.png"
        command = ("vosbench", "report", "--fig", name, *options, "--db", source, "--out", str(out))
        execute(command, check=False)
        out.with_suffix(".csv").unlink(missing_ok=True)  # results.csv has it all
    export(source, "results.csv")
    export_frame(gate_curves(source), BESIDE / "gate-curves.csv")


FIGURE_OPTIONS = (
    ("reuse-vs-jf", ("--study", "alternatives")),
    ("alternatives", ("--study", "speed")),
    ("gate-vs-giou", ("--study", "alternatives")),
    ("equal-reuse", ("--study", "alternatives")),
    ("gate-calibration", ("--study", "alternatives", "--models", G)),
    ("margins", ("--study", "gates-code")),
)


if __name__ == "__main__":
    app()
