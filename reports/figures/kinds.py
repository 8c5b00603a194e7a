"""All figures by name."""

from __future__ import annotations

from collections.abc import Mapping

from vosbench.reports.figures import (
    curves,
    equal_reuse,
    gate_calibration,
    gate_data,
    gate_timeline,
    motion,
    pareto,
    path_cost,
    qualitative,
)
from vosbench.reports.figures.options import FigureKind

_ALL = (
    FigureKind(
        "reuse-vs-jf",
        "reuse rate against J&F, one line per model",
        "complete accuracy trials",
        "vosbench run --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.1 --dataset motion",
        curves.reuse_points,
        curves.draw_reuse,
    ),
    FigureKind(
        "iou-histogram",
        "figure 1a: how alike neighbouring annotations are, per dataset",
        "accuracy trials with the IoU of adjacent annotations",
        "vosbench run --models frtm-fast --dataset motion",
        motion.histogram,
        motion.draw_histogram,
    ),
    FigureKind(
        "high-iou",
        "figure 1b: speed and J&F of baseline and gated model where little moves",
        "accuracy and timing of the same setting, with clips of high adjacent IoU",
        "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.7,1.0 --dataset motion",
        motion.still_clips,
        motion.draw_still,
    ),
    FigureKind(
        "fps-vs-jf",
        "figure 6: speed against J&F of all models",
        "accuracy and timing of the same setting",
        "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.3 "
        "--dataset motion",
        curves.fps_points,
        curves.draw_fps,
    ),
    FigureKind(
        "alternatives",
        "figure 7: ours, copy, fusion, other policies, N-gate and a reduced network",
        "accuracy and timing of a gated model's alternatives",
        "vosbench run --kind both --models g-frtm-fast,g-frtm-fast+copy,g-frtm-fast+fusion,"
        "frtm-fast --tau 0.1:1.0:0.3 --dataset motion",
        curves.alternative_points,
        curves.draw_alternatives,
    ),
    FigureKind(
        "gate-vs-giou",
        "figure 8: learned gate, oracle by annotated IoU, controls, other policies",
        "accuracy trials of a gated model",
        "vosbench run --models g-frtm-fast,g-frtm-fast+g-iou,g-frtm-fast+random:0.4 "
        "--tau 0.1:1.0:0.1 --dataset motion",
        curves.oracle_points,
        curves.draw_oracles,
    ),
    FigureKind(
        "equal-reuse",
        "every other way of deciding against our gate at equal reuse",
        "accuracy trials of a learned gate and of other policies of the same weights",
        "vosbench run --models g-frtm-fast,g-frtm-fast+copy,g-frtm-fast+fusion,g-frtm-fast+g-iou "
        "--tau 0.1:1.0:0.1 --dataset motion",
        equal_reuse.at_equal_reuse,
        equal_reuse.draw,
    ),
    FigureKind(
        "margins",
        "figure 9: checkpoints of different margins M(m1, m2)",
        "accuracy trials of checkpoints whose margins are known",
        "vosbench run --models g-frtm-lite,g-frtm-lite@m0.7-0.2 --tau 0.1:1.0:0.1 --dataset motion",
        curves.margin_points,
        curves.draw_margins,
    ),
    FigureKind(
        "qualitative",
        "figures 5, 10, 11: frames with masks, S, Δ and R8",
        "a trial that was traced",
        "vosbench run --models g-frtm-fast --tau 0.7 --dataset motion --trace 10:14",
        qualitative.traced,
        qualitative.draw,
    ),
    FigureKind(
        "pareto",
        "accuracy against time and energy, with the fronts",
        "accuracy and timing of the same setting",
        "vosbench run --kind both --models g-frtm-fast,frtm-fast --tau 0.1:1.0:0.3 "
        "--dataset motion",
        pareto.runs,
        pareto.draw,
    ),
    FigureKind(
        "gate-timeline",
        "P_gate, decisions and adjacent IoU along a clip",
        "an accuracy trial of a gated model with that τ and clip",
        "vosbench run --models g-frtm-fast --tau 0.7 --dataset motion",
        gate_data.one_clip,
        gate_timeline.draw,
    ),
    FigureKind(
        "gate-calibration",
        "P_gate against the IoU since the last full frame, and its ROC",
        "accuracy trials of a learned gate",
        "vosbench run --models g-frtm-fast --tau 0.1:1.0:0.1 --dataset motion",
        gate_calibration.gate_frames,
        gate_calibration.draw,
    ),
    FigureKind(
        "path-cost",
        "milliseconds and FLOPs of each path, stacked by stage",
        "timing trials with a breakdown",
        "vosbench run --kind timing --models g-frtm-fast+always,g-frtm-fast+never --dataset motion",
        path_cost.costs,
        path_cost.draw,
    ),
)

FIGURES: Mapping[str, FigureKind] = {kind.name: kind for kind in _ALL}
"""In the order in which they are listed."""
