"""A figure for VOSBench: how J&F is spread over sequences, for every setting."""

from matplotlib.figure import Figure
from vosbench.harness.store import sequences
from vosbench.reports.figures import FigureKind


def rows(source, where, options):
    found = sequences(source, where)
    found = found.assign(setting=found["model"] + [f" {t or ''}" for t in found["tau"]])
    return found[["setting", "sequence", "jf_mean"]].dropna()


def draw(frame):
    figure = Figure(figsize=(6, 3))
    axes = figure.subplots()
    groups = frame.groupby("setting", sort=False)["jf_mean"]
    axes.boxplot([100 * values for _, values in groups], orientation="horizontal")
    axes.set_yticklabels([name for name, _ in groups])
    axes.set_xlabel("J&F of a sequence (%)")
    figure.tight_layout()
    return figure


SPREAD = FigureKind(
    "example-spread", "how J&F is spread over sequences", "accuracy trials",
    "vosbench run --models frtm-lite --dataset motion", rows, draw,
)  # fmt: skip
