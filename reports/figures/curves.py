"""Figures of curves over τ: reuse rate or speed against J&F."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from vosbench.harness.store import Readable, Selection
from vosbench.harness.store.catalog import training_families
from vosbench.reports.figures.curve_panels import FPS_LABEL, REUSE_LABEL, Curves, draw
from vosbench.reports.figures.options import FigureKind, FigureOptions
from vosbench.reports.figures.points import accuracy_points, everything, timed_points
from vosbench.reports.figures.published_points import (
    every_method,
    of_ablation,
    with_published,
    with_published_reuse,
)
from vosbench.reports.figures.seeds import one_name_each, over_seeds
from vosbench.reports.labels import curve_names, margins_name
from vosbench.reports.names import parse_model, role
from vosbench.reports.policies import policy_spec
from vosbench.runners.policy import Need


def reuse_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every accuracy trial that has a reuse rate."""
    points = accuracy_points(
        source, where, options, lambda found: found["reuse_rate"].notna() | _ungated(found)
    )
    return with_published_reuse(points, options)


def fps_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """Every setting with an accuracy and an FPS."""
    return with_published(timed_points(source, where, options, everything), options, every_method)


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

    return _by_family(
        with_published(timed_points(source, where, options, wanted), options, of_ablation)
    )


def oracle_points(source: Readable, where: Selection, options: FigureOptions) -> pd.DataFrame:
    """The learned gate, the oracle by annotated IoU, the controls, and other policies."""

    def wanted(found: pd.DataFrame) -> pd.Series[bool]:
        known = found["reuse_rate"].notna() & main_weights(found, where)
        return ~_roles(found).isin(_NO_WAYS) & known

    points = accuracy_points(source, where, options, wanted)
    return _by_family(with_published_reuse(points, options))


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
    return draw(points, Curves("Reuse rate against J&F", "reuse_rate", REUSE_LABEL))


def draw_fps(points: pd.DataFrame) -> Figure:
    """FPS against J&F, all models."""
    return draw(points, Curves("Speed against J&F", "fps", FPS_LABEL))


def draw_alternatives(points: pd.DataFrame) -> Figure:
    """FPS against J&F, one line per alternative."""
    title = "What to do with a frame that changed little: speed against J&F"
    return draw(points, Curves(title, "fps", FPS_LABEL))


def draw_oracles(points: pd.DataFrame) -> Figure:
    """Reuse rate against J&F, one line per way to decide."""
    title = "Learned gate, oracle and chance: reuse rate against J&F"
    return draw(points, Curves(title, "reuse_rate", REUSE_LABEL))


def draw_margins(points: pd.DataFrame) -> Figure:
    """Reuse rate against J&F, one line per M(m1, m2)."""
    title = "Margins M(m1, m2) of the gate loss: reuse rate against J&F"
    return draw(points, Curves(title, "reuse_rate", REUSE_LABEL))


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


REUSE_VS_JF = FigureKind(
    "reuse-vs-jf",
    "reuse rate against J&F, one line per model",
    "complete accuracy trials",
    "vosbench run --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.1 --dataset motion",
    reuse_points,
    draw_reuse,
    takes_metric=True,
)


FPS_VS_JF = FigureKind(
    "fps-vs-jf",
    "figure 6: speed against J&F of all models",
    "accuracy and timing of the same setting",
    "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.3 --dataset motion",
    fps_points,
    draw_fps,
    takes_metric=True,
)


ALTERNATIVES = FigureKind(
    "alternatives",
    "figure 7: ours, copy, fusion, other policies, N-gate and a reduced network",
    "accuracy and timing of a gated model's alternatives",
    "vosbench run --kind both --models g-frtm-fast,g-frtm-fast+copy,g-frtm-fast+fusion,"
    "frtm-fast --tau 0.1:1.0:0.3 --dataset motion",
    alternative_points,
    draw_alternatives,
    takes_metric=True,
)


GATE_VS_GIOU = FigureKind(
    "gate-vs-giou",
    "figure 8: learned gate, oracle by annotated IoU, controls, other policies",
    "accuracy trials of a gated model",
    "vosbench run --models g-frtm-fast,g-frtm-fast+g-iou,g-frtm-fast+random:0.4 "
    "--tau 0.1:1.0:0.1 --dataset motion",
    oracle_points,
    draw_oracles,
    takes_metric=True,
)


MARGINS = FigureKind(
    "margins",
    "figure 9: checkpoints of different margins M(m1, m2)",
    "accuracy trials of checkpoints whose margins are known",
    "vosbench run --models g-frtm-lite,g-frtm-lite@m0.7-0.2 --tau 0.1:1.0:0.1 --dataset motion",
    margin_points,
    draw_margins,
    takes_metric=True,
)
