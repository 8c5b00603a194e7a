"""Figures of curves over τ: reuse rate or speed against J&F."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vosbench.harness.store import Readable, Selection
from vosbench.reports.figures import canvas
from vosbench.reports.figures.options import FigureOptions
from vosbench.reports.figures.points import accuracy_points, everything, timed_points
from vosbench.reports.figures.published_points import NOTE as PRINTED_NOTE
from vosbench.reports.figures.published_points import WEIGHTS as PRINTED
from vosbench.reports.figures.published_points import with_published
from vosbench.reports.figures.seeds import NOTE as SEEDS_NOTE
from vosbench.reports.figures.seeds import one_name_each, over_seeds, training_families
from vosbench.reports.frames import UNTRAINED
from vosbench.reports.labels import curve_names, margins_name, remarks
from vosbench.reports.names import parse_model, role
from vosbench.reports.policies import policy_spec
from vosbench.reports.style import Look, family_look, margins_look, role_look
from vosbench.runners.policy import Need

ACCURACY_LABEL = "J&F (%)"
REUSE_LABEL = "reuse rate (%)"
FPS_LABEL = "frames per second"


@dataclass(frozen=True)
class Curves:
    """How a frame of points is drawn: the column along x, its label, and each row's look."""

    title: str
    x: str
    x_label: str
    look: Callable[[pd.Series], Look]


def reuse_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every accuracy trial that has a reuse rate."""
    return accuracy_points(
        source, where, options, lambda found: found["reuse_rate"].notna() | _ungated(found)
    )


def fps_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every setting with an accuracy and an FPS."""
    return with_published(timed_points(source, where, options, everything), options, _any_method)


_FORCED = {"always", "never", "always-copy"}
_NO_ALTERNATIVES = {"g-iou", "random", *_FORCED}
_NO_WAYS = {"copy", "fusion", "N-gate", "reduced", "baseline", *_FORCED}
"""Roles that figures 7 and 8 leave to each other; a stranger's policy is in both."""


def alternative_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Ours, copy, fusion, N-gate and other policies, and the ungated and reduced networks of
    their families; oracles and the random control aside."""

    def wanted(found: pd.DataFrame) -> pd.Series[bool]:
        alternatives = ~_roles(found).isin(_NO_ALTERNATIVES) & ~_oracles(found)
        return alternatives & _of_gated_families(found) & main_weights(found, where)

    points = timed_points(source, where, options, wanted)
    return _by_family(with_published(points, options, _is_alternative))


def oracle_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """The learned gate, the oracle by annotated IoU, the controls, and other policies."""

    def wanted(found: pd.DataFrame) -> pd.Series[bool]:
        known = found["reuse_rate"].notna() & main_weights(found, where)
        return ~_roles(found).isin(_NO_WAYS) & known

    return _by_family(accuracy_points(source, where, options, wanted))


def margin_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """The learned gate of every checkpoint whose margins are known, means over their seeds."""

    def wanted(found: pd.DataFrame) -> pd.Series[bool]:
        return (_roles(found) == "ours") & found["margins"].notna() & found["reuse_rate"].notna()

    points = accuracy_points(source, where, options, wanted)
    # Named by margins, not by the name that a checkpoint of these margins goes by.
    plain = points.assign(model=points["model"].map(lambda name: parse_model(name).base))
    families = training_families(source)
    names = curve_names(one_name_each(plain, families))
    written = points["margins"].map(margins_name)
    points["curve"] = [
        text + name.removeprefix(f"{base}").replace(f" · {text}", "")
        for base, text, name in zip(plain["model"], written, names, strict=True)
    ]
    return _by_family(over_seeds(points, families))


def main_weights(found: pd.DataFrame, where: Selection) -> pd.Series[bool]:
    """Not the checkpoints of a margins study, unless they were asked for by name."""
    variants = found["model"].map(lambda name: parse_model(name).variant)
    main = (variants == "") | variants.str.startswith("ngate")
    return (main | found["model"].isin(list(where.models))).astype(bool)


def _by_family(points: pd.DataFrame) -> pd.DataFrame:
    """A panel for each family of networks, where colours mean policies or margins."""
    families = points["model"].map(lambda name: parse_model(name).whole_family)
    if families.nunique() < 2:
        return points
    points = points.assign(panel=points["panel"] + ", " + families)
    order = points["panel"].map({name: i for i, name in enumerate(dict.fromkeys(points["panel"]))})
    return points.iloc[order.argsort(kind="stable")].reset_index(drop=True)


def draw_reuse(points: pd.DataFrame) -> Figure:
    """Reuse rate against J&F, one line per model."""
    return draw(points, Curves("Reuse rate against J&F", "reuse_rate", REUSE_LABEL, family))


def draw_fps(points: pd.DataFrame) -> Figure:
    """FPS against J&F, all models."""
    return draw(points, Curves("Speed against J&F", "fps", FPS_LABEL, family))


def draw_alternatives(points: pd.DataFrame) -> Figure:
    """FPS against J&F, one line per alternative."""
    title = "What to do with a frame that changed little: speed against J&F"
    return draw(points, Curves(title, "fps", FPS_LABEL, _role))


def draw_oracles(points: pd.DataFrame) -> Figure:
    """Reuse rate against J&F, one line per way to decide."""
    title = "Learned gate, oracle and chance: reuse rate against J&F"
    return draw(points, Curves(title, "reuse_rate", REUSE_LABEL, _role))


def draw_margins(points: pd.DataFrame) -> Figure:
    """Reuse rate against J&F, one line per M(m1, m2)."""
    title = "Margins M(m1, m2) of the gate loss: reuse rate against J&F"
    return draw(
        points,
        Curves(title, "reuse_rate", REUSE_LABEL, lambda row: margins_look(row["margins"])),
    )


def draw(points: pd.DataFrame, how: Curves) -> Figure:
    """One panel per set of clips, one line per curve, τ at the points."""
    names, left_out = canvas.shown(points["panel"], canvas.MOST_PANELS, "sets of clips")
    points = points[points["panel"].isin(names)]
    sheet = canvas.panels(names)
    handles: dict[str, Artist] = {}
    labels: list[canvas.PointLabel] = []
    for axes, name in zip(sheet.axes, names, strict=True):
        panel = points[points["panel"] == name]
        for curve, rows in panel.groupby("curve", sort=False):
            look = how.look(rows.iloc[0])
            handles[str(curve)] = _line(axes, rows, how.x, look)
            if "seeds" in rows:
                _bars(axes, rows, how.x, look)
            labels += [
                canvas.PointLabel(axes, row[how.x], row["jf_mean"], row["point"], look.colour)
                for _, row in rows.iterrows()
            ]
        _dress(axes, panel, how)
    sheet.label(how.x_label, ACCURACY_LABEL)
    untimed = (points["tau"].isna() & (points["point"] != "")).any()
    rates = " (of controls their rate or number)" if untimed else ""
    readable = 0 < sum(bool(label.text) for label in labels) <= canvas.MOST_LABELS
    key = f"numbers at points: τ{rates}" if readable else ""
    printed = points["weights"] == PRINTED
    source = f"(paper): {PRINTED_NOTE}" if printed.any() else ""
    spread = SEEDS_NOTE if "seeds" in points and (points["seeds"] > 1).any() else ""
    remark = "\n".join(filter(None, [remarks(points[~printed]), source, spread, key, left_out]))
    canvas.finish(sheet.figure, how.title, remark, list(handles.values()), list(handles))
    canvas.place_labels(sheet.figure, _spread(labels))
    return sheet.figure


def _line(axes: Axes, rows: pd.DataFrame, x: str, look: Look) -> Line2D:
    untrained = rows["weights_note"].iloc[0] == UNTRAINED
    printed = rows["weights"].iloc[0] == PRINTED
    (line,) = axes.plot(
        rows[x],
        rows["jf_mean"],
        color=look.colour,
        marker=look.marker,
        linestyle=look.line,
        markerfacecolor="white" if untrained else look.colour,
        markeredgecolor=look.colour if untrained else "white",
        markeredgewidth=1.4 if untrained else 0.7,
        markersize=12 if look.marker == "*" else None,
        alpha=0.4 if printed else 1.0,
        zorder=2 if printed else 3,
    )
    return line


def _bars(axes: Axes, rows: pd.DataFrame, x: str, look: Look) -> None:
    """How far the seeds of each point lie apart."""
    rows = rows[rows["seeds"] > 1]
    if len(rows):
        axes.errorbar(
            rows[x],
            rows["jf_mean"],
            yerr=rows["jf_std"],
            xerr=rows["reuse_std"],
            fmt="none",
            ecolor=look.colour,
            elinewidth=0.9,
            capsize=2,
            alpha=0.7,
            zorder=2,
        )


def _dress(axes: Axes, panel: pd.DataFrame, how: Curves) -> None:
    canvas.percent_axis(axes, x=how.x == "reuse_rate", y=True)
    if how.x == "reuse_rate":
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks(np.arange(0, 1.01, 0.2))
    else:
        canvas.maybe_log(axes, panel[how.x].to_numpy(float), "x")
        axes.margins(x=0.1)
    spread = panel["jf_std"].fillna(0.0) if "jf_std" in panel else 0.0
    low, high = (panel["jf_mean"] - spread).min(), (panel["jf_mean"] + spread).max()
    # Room for the labels; and differences of a tenth of a point must not look like cliffs.
    pad = max(0.12 * (high - low), 0.006)
    axes.set_ylim(low - pad, high + pad)


def _spread(labels: list[canvas.PointLabel]) -> list[canvas.PointLabel]:
    """The ends of curves first: when labels don't all fit, those are the ones to keep."""
    tried = {"1": 0, "0.1": 0, "0.5": 1, "0.7": 1}
    return sorted(labels, key=lambda label: tried.get(label.text, 2))


def family(row: pd.Series) -> Look:
    """A row's look by its network's family."""
    return family_look(row["model"], row["policy"])


def _role(row: pd.Series) -> Look:
    return role_look(role(row["model"], row["policy"]))


def _any_method(model: str) -> bool:  # noqa: ARG001 - every method has a place
    return True


def _is_alternative(model: str) -> bool:
    return parse_model(model).whole_family == "frtm-fast"


def _ungated(found: pd.DataFrame) -> pd.Series[bool]:
    return found["policy"].map(lambda policy: not policy).astype(bool)


def _roles(found: pd.DataFrame) -> pd.Series[str]:
    roles = [role(m, p) for m, p in zip(found["model"], found["policy"], strict=True)]
    return pd.Series(roles, index=found.index, dtype="object")


def _oracles(found: pd.DataFrame) -> pd.Series[bool]:
    """Runs of policies that see annotations."""
    specs = found["policy"].map(lambda policy: policy_spec((policy or "").partition(":")[0]))
    return specs.map(lambda spec: spec is not None and Need.TRUTH in spec.needs).astype(bool)


def _of_gated_families(found: pd.DataFrame) -> pd.Series[bool]:
    families = {parse_model(name).family for name in found["model"] if parse_model(name).gated}
    return found["model"].map(lambda name: parse_model(name).whole_family in families).astype(bool)
