"""The study of docs/half.md: run it, then write its tables from the database.

    python studies/half.py run --davis DAVIS --data DATA --db half.db     # hours on a CPU; resumes
    python studies/half.py write --db half.db

``run`` is `vosbench` commands and `studies/gate.py`; ``write`` fills the blocks of the page and
exports the results. Prose stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from gate import summary
from page import (
    BESIDE,
    ROOT,
    Tables,
    ahead,
    at,
    at_tau,
    equal_table,
    execute,
    export,
    fill,
    placed,
    point,
    points_ahead,
    settings_table,
    table,
)

from vosbench.harness.store import Selection
from vosbench.harness.trials import Kind
from vosbench.reports.frames import measured, trials

PAGE = ROOT / "docs" / "half.md"

G = "g-frtm-half"
TAUS = "0.5,0.7,0.75,0.8,0.9,1.0"
RATES = tuple(f"{G}+{way}" for way in ("random:0.4", "random:0.6", "every:2", "every:3", "always"))
CONTROLS = (f"{G}+g-iou", f"{G}+cap:2", *RATES)
WAYS = (G, f"{G}+copy", f"{G}+fusion", *CONTROLS)
SEEDS = ("1", "2")  # beside the one that ships
STUDIES = {"shipped": "half", **{f"seed {seed}": f"half-seed-{seed}" for seed in SEEDS}}
VIDEO = "{}-video"  # a study's runs on the sequences that trainings are chosen by

app = typer.Typer(add_completion=False, no_args_is_help=True)
Db = Annotated[Path, typer.Option(help="The study's database.")]


@app.command()
def run(
    davis: Annotated[Path, typer.Option(help="DAVIS 2016, whole or in part.")],
    data: Annotated[Path, typer.Option(help="In place of the recipe's /data.")],
    db: Db = Path("half.db"),
) -> None:
    """Run what is missing."""
    recipe = placed(G, data, db.with_suffix(".recipe.json"))
    for command in commands(davis, data / "video", recipe, db):
        execute(command)


def commands(davis: Path, video: Path, recipe: Path, db: Path) -> Iterator[Sequence[str]]:
    """What the study runs: arguments of `vosbench`, or of a script of this folder."""
    on_davis = ("--dataset", "davis16", "--data-root", str(davis))
    on_video = ("--dataset", "davis16", "--data-root", str(video))
    kept = ("--db", str(db))
    yield ("vosbench", "run", "--models", ",".join(WAYS), "--tau", TAUS, *on_davis,
           "--study", "half", *kept)  # fmt: skip
    yield ("vosbench", "run", "--models", ",".join((G, *CONTROLS)),
           "--tau", "0.1:1.0:0.1", "--study", "half", *kept)  # fmt: skip
    yield ("vosbench", "run", "--models", f"{G},g-frtm-lite", "--tau", "1,0.75,0.7",
           "--kind", "timing", "--repeats", "3", "--interleave", "--no-breakdown", *on_davis,
           "--sequences", "dog", "--max-frames", "24", "--study", "half-speed", *kept)  # fmt: skip
    for_choosing = ("vosbench", "run", "--models", f"{G},{G}+random:0.4,{G}+always",
                    "--tau", "1,0.75", *on_video, *kept)  # fmt: skip
    yield (*for_choosing, "--study", VIDEO.format("half"))
    for seed in SEEDS:
        out, study = str(db.with_suffix(f".{seed}.safetensors")), STUDIES[f"seed {seed}"]
        yield ("vosbench", "train", G, "--recipe", str(recipe), "--seed", seed, "--out", out,
               *kept)  # fmt: skip
        for data in (on_davis, ()):
            yield ("vosbench", "run", "--models", ",".join((G, f"{G}+g-iou", *RATES)),
                   "--weights", out, "--tau", "0.7,0.75,0.8,1.0", *data,
                   "--study", study, *kept)  # fmt: skip
        yield (*for_choosing, "--weights", out, "--study", VIDEO.format(study))
    for model in (G, "g-frtm-lite"):
        yield ("gate.py", model, "--data-root", str(davis), "--stride", "16", "--frames", "50",
               "--out", str(BESIDE / f"gate-{model}.csv"))  # fmt: skip


@app.command()
def write(db: Db = Path("half.db")) -> None:
    """Write the page's tables, and the results beside it."""
    fill(PAGE, TABLES, str(db))
    export(str(db), "half.csv")


def _settings(source: str, study: str) -> pd.DataFrame:
    found = trials(source, Selection(studies=[study]), Kind.ACCURACY)
    return found.assign(told=[at_tau(tau) for tau in found["tau"]])


def seeds_table(source: str) -> str:
    """J&F and reuse of the settings that were run with every seed."""
    by_seed = [
        pd.concat([
            _settings(source, VIDEO.format(study)).assign(evaluation="for choosing, 17 sequences"),
            _settings(source, study),
        ])
        for study in STUDIES.values()
    ]  # fmt: skip
    where = ["evaluation", "model", "told"]
    rows = []
    for names in by_seed[-1][where].itertuples(index=False):
        of_each = [at(found, **dict(zip(where, names, strict=True))) for found in by_seed]
        if all(run is not None for run in of_each):
            data, model, told = map(str, names)
            rows.append([data, f"`{model}` {told}".rstrip(), *(point(run) for run in of_each)])
    return table(["sequences", "setting", *STUDIES], rows)


def seeds_ahead_table(source: str) -> str:
    """How far the gate lies ahead of the controls at 40 % reuse, by seed."""
    by_seed = [ahead(source, study) for study in STUDIES.values()]
    at_40 = [data[(data["rate"] - 0.4).abs() < 1e-9] for data in by_seed]
    rows = [
        [str(panel), str(way)]
        + [points_ahead(at(data, panel=panel, way=way)) for data in at_40]
        for panel, way in at_40[-1][["panel", "way"]].drop_duplicates().itertuples(index=False)
    ]  # fmt: skip
    return table(["sequences", "ours minus", *STUDIES], rows)


def asked_table(source: str) -> str:
    """The gate asked another question, from the runs beside the page."""
    del source
    runs = pd.read_csv(BESIDE / "half-asked.csv")
    return settings_table(runs.rename(columns={"what": "weights"}), "weights")


def gate_table(source: str) -> str:
    """Correlations of what gates say with the true IoU, from the readings beside the page."""
    del source
    rows = []
    for path in sorted(BESIDE.glob("gate-g-*.csv")):
        told = summary(pd.read_csv(path))
        rows.append(
            [f"`{path.stem.removeprefix('gate-')}`", f"{told['readings']:.0f}"]
            + [f"{told[name]:.2f}" for name in ("P_gate", "age", "both")]
        )
    return table(["model", "readings", "P_gate", "age, −log n", "both"], rows)


def speed_table(source: str) -> str:
    """Milliseconds a frame: the median of the repeats."""
    found = measured(source, Selection(studies=["half-speed"]))
    rows = [
        [f"`{run['model']}`", f"{run['tau'].normalize():f}", f"{100 * run['reuse_rate']:.0f}",
         f"{run['ms_per_frame']:.0f}"]
        for _, run in found.sort_values(["model", "tau"], ascending=[True, False]).iterrows()
    ]  # fmt: skip
    return table(["model", "τ", "reuse, %", "ms a frame"], rows)


TABLES: Tables = {
    "ways": lambda source: settings_table(_settings(source, "half"), "evaluation"),
    "other seeds": seeds_table,
    "other seeds at 40 %": seeds_ahead_table,
    "another question": asked_table,
    "gate": gate_table,
    "equal reuse": lambda source: equal_table(source, "half"),
    "speed": speed_table,
}


if __name__ == "__main__":
    app()
