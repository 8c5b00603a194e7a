"""The tables of docs/study.md and of baselines/weights/README.md, from the study's database."""

from __future__ import annotations

import json
from decimal import Decimal

import pandas as pd
from page import BESIDE, WEIGHTS, Tables, at, at_tau, equal_table, percent, point, table
from safetensors import safe_open

from vosbench.harness.store import VALIDATION, Selection, State, Trainings, open_database, sequences
from vosbench.harness.trials import Kind
from vosbench.reports.figures import FigureOptions, figure_data
from vosbench.reports.figures.gate_calibration import correlation
from vosbench.reports.frames import measured, trials
from vosbench.reports.names import parse_model, role

G = "g-frtm-lite"
VARIANTS = ("m0.7-0.2", "m0.35-0.4", "ngate0.5")  # others are equal to one of these, or to G
GATED = (G, *(f"{G}@{variant}" for variant in VARIANTS), "g-ttvos-lite")
PLAIN = ("frtm-lite", "frtm-lite-r", "ttvos-lite")
SOME_TAUS = ("1", "0.9", "0.8", "0.7", "0.5", "0.3")


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
            run = at(found, tau=tau, way=way)
            row.append("–" if run is None else point(run))
        rows.append(row)
    controls = found[found["way"].isin(["random", "every", "always"])].sort_values("reuse_rate")
    text = table(["τ", *ways], rows)
    told = [f"`{parse_model(r['model']).policy}"
            + (f":{parse_model(r['model']).argument}" if parse_model(r["model"]).argument else "")
            + f"` {point(r)}" for _, r in controls.iterrows()]  # fmt: skip
    return f"{text}\n\nControls: {', '.join(told)}."


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
    return table(heads, rows)


def clips_table(source: str) -> str:
    """J&F of each DAVIS sequence: full path, ours at three thresholds, with reuse."""
    found = _alternatives(source)
    found = found[(found["dataset"] == "davis16") & (found["way"] == "ours")]
    taus = [Decimal(tau) for tau in ("1", "0.8", "0.7", "0.6")]
    each = sequences(source, Selection(keys=list(found["key"])))
    rows = []
    for clip in dict.fromkeys(each["sequence"]):
        runs = [at(each, sequence=clip, tau=tau) for tau in taus]
        rows.append([clip, *("–" if run is None else point(run) for run in runs)])
    return table(["sequence", *(f"τ = {tau.normalize():f}" for tau in taus)], rows)


def checkpoints_table(source: str) -> str:
    """Every shipped checkpoint: J&F, reuse rate and milliseconds a frame by τ."""
    accuracy = trials(source, Selection(studies=["checkpoints"]), Kind.ACCURACY)
    speed = measured(source, Selection(studies=["speed"]))
    rows = []
    for model in (*GATED, *PLAIN):
        row = [f"`{model}`"]
        for tau in SOME_TAUS if model in GATED else ("1",):
            wanted = Decimal(tau) if model in GATED else None
            run = at(accuracy, model=model, tau=wanted)
            timed = at(speed, model=model, tau=wanted)
            row.append(" · ".join((
                "–" if run is None else point(run),
                "–" if timed is None else f"{timed['ms_per_frame']:.0f} ms",
            )))  # fmt: skip
        rows.append(row + [""] * (1 + len(SOME_TAUS) - len(row)))
    return table(["checkpoint", *(f"τ = {tau}" for tau in SOME_TAUS)], rows)


def networks_table(source: str) -> str:
    """J&F of the networks without gates."""
    found = trials(source, Selection(studies=["networks", "checkpoints"]), Kind.ACCURACY)
    found = found[found["policy"].isna()].drop_duplicates(["model", "evaluation"])
    rows = [
        [f"`{run['model']}`", run["evaluation"], percent(run["jf_mean"]), percent(run["j_mean"]),
         percent(run["f_mean"])]
        for _, run in found.sort_values(["model", "evaluation"]).iterrows()
    ]  # fmt: skip
    return table(["network", "sequences", "J&F", "J", "F"], rows)


def margins_table(source: str, rule: str) -> str:
    """J&F and reuse by margins and τ: mean and standard deviation over seeds."""
    where = Selection(studies=[f"gates-{rule}"])
    data = figure_data("margins", source, where, FigureOptions())
    taus = sorted(set(data["point"]), key=Decimal, reverse=True)
    rows = []
    for margins, part in data.groupby("margins", sort=False):
        row = [f"M({str(margins).replace(',', ', ')})", str(int(part["seeds"].max()))]
        for tau in taus:
            run = at(part, point=tau)
            row.append("–" if run is None else _spread(run))
        rows.append(row)
    return table(["margins", "seeds", *(f"τ = {tau}" for tau in taus)], rows)


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
    return table(["seeds", *heads], [[seeds, *(_spread(run) for _, run in data.iterrows())]])


def _spread(run: pd.Series) -> str:
    return (
        f"{percent(run['jf_mean'])} ± {percent(run['jf_std'])} @ "
        f"{percent(run['reuse_rate'], 0)} ± {percent(run['reuse_std'], 0)}"
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
                (f"{record.spec.gate}{rule}", record.spec.seed, value.step,
                 value.name.removeprefix(VALIDATION), round(value.value, 4))
                for value in trainings.curve(record.key)
                if value.name.startswith(VALIDATION) and not value.name.endswith("gap")
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
    return table(["gate", *RETRAINED_SERIES.values()], rows).replace("-0", "−0")


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
    for path in sorted(WEIGHTS.glob("*.safetensors")):
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
    return table(["file", "size", "steps", "minutes", "cores", "held-out clips"], rows)


def more_pictures_table(source: str) -> str:
    """Networks before and after more pictures, from the runs beside the page."""
    del source
    runs = pd.read_csv(BESIDE / "more-pictures.csv")
    runs["on"] = runs["on"].replace("shared/video", "for choosing, 17 sequences")
    names = [parse_model(model) for model in runs["model"]]
    runs["network"] = [name.base for name in names]
    told = [at_tau(tau) or name.policy for tau, name in zip(runs["tau"], names, strict=True)]
    runs["setting"] = pd.Series(told).replace(["τ = 1", ""], "full")
    settings = ("full", "τ = 0.8", "τ = 0.7", "τ = 0.6", "random")
    rows = []
    for (network, on, what), part in runs.groupby(["network", "on", "what"]):
        found = (at(part, setting=setting) for setting in settings)
        rows.append([f"`{network}`", str(on), str(what),
                     *("" if run is None else point(run) for run in found)])  # fmt: skip
    return table(["network", "on", "weights", *settings], rows)


def demonstration_table(source: str) -> str:
    """The demonstration weights on `motion`."""
    found = trials(source, Selection(studies=["demonstration"]), Kind.ACCURACY)
    rows = [
        [f"`{run['model']}`", "–" if run["tau"] is None else f"{run['tau'].normalize():f}",
         percent(run["reuse_rate"]), percent(run["jf_mean"])]
        for _, run in found.iterrows()
    ]  # fmt: skip
    return table(["model", "τ", "reuse", "J&F"], rows)


TABLES: Tables = {
    "ways on davis16": lambda source: ways_table(source, "davis16"),
    "ways on motion": lambda source: ways_table(source, "motion"),
    "equal reuse": lambda source: equal_table(source, "alternatives"),
    "gate": gate_table,
    "clips": clips_table,
    "checkpoints": checkpoints_table,
    "networks": networks_table,
    "margins by the code's rule": lambda source: margins_table(source, "code"),
    "margins by the paper's rule": lambda source: margins_table(source, "paper"),
    "N-gate": n_gate_table,
    "gates trained anew": retrained_table,
    "other networks on more pictures": more_pictures_table,
    "demonstration": demonstration_table,
    "cards": cards_table,
}
