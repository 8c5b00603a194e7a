"""The study of docs/study.md: run it, then write its tables and figures from the database.

    python studies/lite.py run --davis DAVIS --data DATA --db study.db
    python studies/lite.py write --db study.db

``run`` resumes: what the database holds is not run again. ``write`` fills the blocks between
``<!-- NAME -->`` and ``<!-- end -->`` in docs/study.md and baselines/weights/README.md, draws the
figures beside the study and exports all results as CSV. Prose stays as it is.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from safetensors import safe_open

from vosbench.harness.store import (
    VALIDATION,
    Selection,
    State,
    Trainings,
    open_database,
    results,
    sequences,
)
from vosbench.harness.trials import Kind
from vosbench.reports.export import export_frame
from vosbench.reports.figures import FigureOptions, figure_data
from vosbench.reports.figures.gate_calibration import correlation
from vosbench.reports.frames import measured, trials
from vosbench.reports.names import parse_model, role

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT / "docs" / "study.md"
WEIGHTS = ROOT / "baselines" / "weights" / "README.md"
FIGURES = ROOT / "docs" / "study"

G = "g-frtm-lite"
WAYS = ",".join(
    f"{G}{way}"
    for way in (
        "", "+copy", "+fusion", "+cap:2", "+g-iou", "+random:0.2", "+random:0.4", "+random:0.6",
        "+random:0.8", "+every:2", "+every:3", "+always",
    )
)  # fmt: skip
VARIANTS = ("m0.7-0.2", "m0.35-0.4", "ngate0.5")  # others are equal to one of these, or to G
GATED = (G, *(f"{G}@{variant}" for variant in VARIANTS), "g-ttvos-lite")
PLAIN = ("frtm-lite", "frtm-lite-r", "ttvos-lite")
SOME_TAUS = ("1", "0.9", "0.8", "0.7", "0.5", "0.3")
MARGINS = "1.0,0;0.7,0.2;0.35,0.4"
RULES = ("code", "paper")
SEEDS = ("1", "2", "3")
GATES = ROOT / "studies" / "recipes" / f"{G}-gate.json"

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
    gates = db.with_suffix(".gate.json")
    gates.write_text(GATES.read_text().replace('"/data/', f'"{data}/'))
    for command in commands(davis, gates):
        line = ["vosbench", *command]
        line += ["--db", str(db)]
        line += [] if threads is None else ["--threads", str(threads)]
        print("$ " + shlex.join(line), flush=True)
        _vosbench(*line[1:], check=True)


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
    shipped = ("--start", str(ROOT / "baselines/weights" / f"{G}.safetensors"))
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
        "--max-frames", "12", "--kind", "both", "--no-breakdown", "--study", "speed",
    )  # fmt: skip


@app.command()
def write(db: Db = Path("study.db")) -> None:
    """Write tables, figures and results.csv; says which could not be made."""
    source = str(db)
    FIGURES.mkdir(exist_ok=True)
    for path in (STUDY, WEIGHTS):
        path.write_text(filled(path.read_text(), source))
    for name, options in FIGURE_OPTIONS:
        out = FIGURES / f"{name}.png"
        _vosbench("report", "--fig", name, *options, "--db", source, "--out", str(out), check=False)
        out.with_suffix(".csv").unlink(missing_ok=True)  # results.csv has it all
    complete = Selection(states=(State.COMPLETE,))
    export_frame(results(source, complete), FIGURES / "results.csv")
    export_frame(gate_curves(source), FIGURES / "gate-curves.csv")


FIGURE_OPTIONS = (
    ("reuse-vs-jf", ("--study", "alternatives")),
    ("alternatives", ("--study", "speed")),
    ("gate-vs-giou", ("--study", "alternatives")),
    ("equal-reuse", ("--study", "alternatives")),
    ("gate-calibration", ("--study", "alternatives", "--models", G)),
    ("margins", ("--study", "gates-code")),
)


def filled(text: str, source: str) -> str:
    """A text with its blocks written anew."""

    def block(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- {name} -->\n\n{TABLES[name](source)}\n\n<!-- end -->"

    names = "|".join(TABLES)
    return re.sub(rf"<!-- ({names}) -->.*?<!-- end -->", block, text, flags=re.DOTALL)


def _vosbench(*arguments: str, check: bool) -> None:
    """Run a command with this interpreter's package."""
    main = "from vosbench.harness.cli import main; main()"
    subprocess.run([sys.executable, "-c", main, *arguments], check=check)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percent(value: float, digits: int = 1) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.{digits}f}"


def _at(frame: pd.DataFrame, **wanted: object) -> pd.Series | None:
    for name, value in wanted.items():
        frame = frame[[cell == value for cell in frame[name]]]
    return None if frame.empty else frame.iloc[0]


def _alternatives(source: str) -> pd.DataFrame:
    found = trials(source, Selection(studies=["alternatives"]), Kind.ACCURACY)
    return found.assign(
        way=[role(m, p) for m, p in zip(found["model"], found["policy"], strict=True)]
    )


def ways_table(source: str, dataset: str) -> str:
    """Reuse and J&F of all ways of deciding, by τ."""
    found = _alternatives(source)
    found = found[found["dataset"] == dataset]
    ways = ("ours", "copy", "fusion", "cap", "g-iou")  # the rest are controls
    rows = []
    for tau in sorted({tau for tau in found["tau"] if tau is not None}, reverse=True):
        row = [f"{tau.normalize():f}"]
        for way in ways:
            run = _at(found, tau=tau, way=way)
            row.append("–" if run is None else _point(run))
        rows.append(row)
    controls = found[found["way"].isin(["random", "every", "always"])].sort_values("reuse_rate")
    text = _table(["τ", *ways], rows)
    told = [f"`{parse_model(r['model']).policy}"
            + (f":{parse_model(r['model']).argument}" if parse_model(r["model"]).argument else "")
            + f"` {_point(r)}" for _, r in controls.iterrows()]  # fmt: skip
    return f"{text}\n\nControls: {', '.join(told)}."


def _point(run: pd.Series) -> str:
    return f"{_percent(run['jf_mean'])} @ {_percent(run['reuse_rate'])}"


def equal_table(source: str, study: str = "alternatives") -> str:
    """How far ours lies ahead of each other way at the same reuse, with intervals."""
    data = figure_data("equal-reuse", source, Selection(studies=[study]), FigureOptions())
    rates = sorted(set(data["rate"]))
    rows = []
    for (panel, way), part in data.groupby(["panel", "way"], sort=False):
        row = [str(panel), str(way)]
        for rate in rates:
            point = _at(part, rate=rate)
            row.append("–" if point is None else _ahead(point))
        rows.append(row)
    return _table(["sequences", "ours minus", *(f"at {100 * rate:.0f} %" for rate in rates)], rows)


def _ahead(point: pd.Series) -> str:
    text = f"{100 * point['ahead']:+.1f}"
    if not pd.isna(point["low"]):
        text += f" ({100 * point['low']:+.1f} to {100 * point['high']:+.1f})"
    return text.replace("-", "−")


def gate_table(source: str) -> str:
    """How well P_gate knows the IoU since the last full frame."""
    where = Selection(studies=["alternatives"])
    data = figure_data("gate-calibration", source, where, FigureOptions())
    keys = trials(source, where, Kind.ACCURACY).set_index("key")["evaluation"]
    data = data.assign(panel=data["key"].map(keys))
    rows = []
    for panel, part in data.groupby("panel", sort=False):
        inside = [correlation(clip) for _, clip in part.groupby("sequence")]
        within = pd.Series(inside).median()
        rows.append(
            [
                str(panel), str(len(part)), f"{correlation(part):.2f}", f"{within:.2f}",
                f"{part['p_gate'].mean():.2f}", f"{part['full_iou'].mean():.2f}",
            ]
        )  # fmt: skip
    heads = [
        "sequences",
        "frames",
        "correlation",
        "within a sequence (median)",
        "mean P",
        "mean IoU",
    ]
    return _table(heads, rows)


def clips_table(source: str) -> str:
    """J&F of each DAVIS sequence: full path, ours at three thresholds, with reuse."""
    found = _alternatives(source)
    found = found[(found["dataset"] == "davis16") & (found["way"] == "ours")]
    taus = [Decimal(tau) for tau in ("1", "0.8", "0.7", "0.6")]
    each = sequences(source, Selection(keys=list(found["key"])))
    rows = []
    for clip in dict.fromkeys(each["sequence"]):
        runs = [_at(each, sequence=clip, tau=tau) for tau in taus]
        rows.append([clip, *("–" if run is None else _point(run) for run in runs)])
    return _table(["sequence", *(f"τ = {tau.normalize():f}" for tau in taus)], rows)


def checkpoints_table(source: str) -> str:
    """Every shipped checkpoint: J&F, reuse rate and milliseconds a frame by τ."""
    accuracy = trials(source, Selection(studies=["checkpoints"]), Kind.ACCURACY)
    speed = measured(source, Selection(studies=["speed"]))
    rows = []
    for model in (*GATED, *PLAIN):
        row = [f"`{model}`"]
        for tau in SOME_TAUS if model in GATED else ("1",):
            wanted = Decimal(tau) if model in GATED else None
            run = _at(accuracy, model=model, tau=wanted)
            timed = _at(speed, model=model, tau=wanted)
            row.append(" · ".join((
                "–" if run is None else _point(run),
                "–" if timed is None else f"{timed['ms_per_frame']:.0f} ms",
            )))  # fmt: skip
        rows.append(row + [""] * (1 + len(SOME_TAUS) - len(row)))
    return _table(["checkpoint", *(f"τ = {tau}" for tau in SOME_TAUS)], rows)


def networks_table(source: str) -> str:
    """J&F of the networks without gates."""
    found = trials(source, Selection(studies=["networks", "checkpoints"]), Kind.ACCURACY)
    found = found[found["policy"].isna()].drop_duplicates(["model", "evaluation"])
    rows = [
        [f"`{run['model']}`", run["evaluation"], _percent(run["jf_mean"]), _percent(run["j_mean"]),
         _percent(run["f_mean"])]
        for _, run in found.sort_values(["model", "evaluation"]).iterrows()
    ]  # fmt: skip
    return _table(["network", "sequences", "J&F", "J", "F"], rows)


def margins_table(source: str, rule: str) -> str:
    """J&F and reuse by margins and τ: mean and standard deviation over seeds."""
    where = Selection(studies=[f"gates-{rule}"])
    data = figure_data("margins", source, where, FigureOptions())
    taus = sorted(set(data["point"]), key=Decimal, reverse=True)
    rows = []
    for margins, part in data.groupby("margins", sort=False):
        row = [f"M({str(margins).replace(',', ', ')})", str(int(part["seeds"].max()))]
        for tau in taus:
            point = _at(part, point=tau)
            row.append("–" if point is None else _spread(point))
        rows.append(row)
    return _table(["margins", "seeds", *(f"τ = {tau}" for tau in taus)], rows)


def n_gate_table(source: str) -> str:
    """J&F and reuse of the N-gates by τ: mean and standard deviation over seeds."""
    found = trials(source, Selection(studies=["n-gates"]), Kind.ACCURACY)
    by_tau = found.groupby("tau")
    jf, reuse = by_tau["jf_mean"], by_tau["reuse_rate"]
    data = pd.DataFrame({"jf_mean": jf.mean(), "jf_std": jf.std(),
                         "reuse_rate": reuse.mean(), "reuse_std": reuse.std()})  # fmt: skip
    data = data.sort_index(ascending=False)
    heads = [f"τ = {tau.normalize():f}" for tau in data.index]
    seeds = str(by_tau.size().min())
    return _table(["seeds", *heads], [[seeds, *(_spread(point) for _, point in data.iterrows())]])


def _spread(point: pd.Series) -> str:
    return (
        f"{_percent(point['jf_mean'])} ± {_percent(point['jf_std'])} @ "
        f"{_percent(point['reuse_rate'], 0)} ± {_percent(point['reuse_std'], 0)}"
    )


def gate_curves(source: str) -> pd.DataFrame:
    """What validation said of the gates trained anew: a row per training, step and kind of clip."""
    rows = []
    with open_database(source, read_only=True) as database:
        trainings = Trainings(database)
        for record in trainings.all():
            if record.state is not State.COMPLETE:
                continue
            by = json.loads(record.spec.recipe)["reuse"]["gate"]["margin"]
            rule = f", the {by}'s rule" if record.spec.margins else ""
            rows += [
                (f"{record.spec.gate}{rule}", record.spec.seed, point.step,
                 point.name.removeprefix(VALIDATION), round(point.value, 4))
                for point in trainings.curve(record.key)
                if point.name.startswith(VALIDATION) and not point.name.endswith("gap")
            ]  # fmt: skip
    return pd.DataFrame(rows, columns=["gate", "seed", "step", "series", "value"])


def retrained_table(source: str) -> str:
    """P_gate's correlation with the true IoU, and its mean, where trainings of gates ended."""
    found = gate_curves(source)
    found = found[found["step"] == found.groupby("gate")["step"].transform("max")]
    rows = []
    for gate, part in found.groupby("gate", sort=False):
        ends = {
            name: ", ".join(f"{value:.2f}" for value in of_one.sort_values("seed")["value"])
            for name, of_one in part.groupby("series")
        }
        rows.append([str(gate), *(ends.get(name, "–") for name in RETRAINED_SERIES)])
    return _table(["gate", *RETRAINED_SERIES.values()], rows).replace("-0", "−0")


RETRAINED_SERIES = {
    "gate": "correlation, held out",
    "video gate": "correlation, real",
    "p_gate": "mean P, held out",
    "video p_gate": "mean P, real",
}


def cards_table(source: str) -> str:
    """What each shipped file is, from its own header."""
    del source
    rows = []
    for path in sorted(WEIGHTS.parent.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        validation = json.loads(header["validation"])
        held_out = ", ".join(f"{name} {value:.2f}" for name, value in validation.items())
        size = path.stat().st_size / 2**20
        rows.append(
            [
                f"`{path.stem}`", f"{size:.1f} MiB", header["steps"], header["minutes"],
                header["cores"], held_out,
            ]
        )  # fmt: skip
    return _table(["file", "size", "steps", "minutes", "cores", "held-out clips"], rows)


def demonstration_table(source: str) -> str:
    """The demonstration weights on `motion`."""
    found = trials(source, Selection(studies=["demonstration"]), Kind.ACCURACY)
    rows = [
        [f"`{run['model']}`", "–" if run["tau"] is None else f"{run['tau'].normalize():f}",
         _percent(run["reuse_rate"]), _percent(run["jf_mean"])]
        for _, run in found.iterrows()
    ]  # fmt: skip
    return _table(["model", "τ", "reuse", "J&F"], rows)


TABLES: dict[str, Callable[[str], str]] = {
    "ways on davis16": lambda source: ways_table(source, "davis16"),
    "ways on motion": lambda source: ways_table(source, "motion"),
    "equal reuse": equal_table,
    "gate": gate_table,
    "clips": clips_table,
    "checkpoints": checkpoints_table,
    "networks": networks_table,
    "margins by the code's rule": lambda source: margins_table(source, "code"),
    "margins by the paper's rule": lambda source: margins_table(source, "paper"),
    "N-gate": n_gate_table,
    "gates trained anew": retrained_table,
    "demonstration": demonstration_table,
    "cards": cards_table,
}


if __name__ == "__main__":
    app()
