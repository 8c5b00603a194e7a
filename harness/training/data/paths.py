"""Smooth, bounded motion as closed functions of time, so that a clip may start anywhere on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Wave:
    """A vector that swings smoothly: Σ_k a_k (sin(ω_k t + φ_k) − sin φ_k); 0 at time 0."""

    amplitude: Points  # (K, ...)
    omega: Points
    phase: Points

    def at(self, time: float) -> Points:
        moved = np.sin(self.omega * time + self.phase) - np.sin(self.phase)
        return np.asarray((self.amplitude * moved).sum(axis=0))


def draw_wave(
    rng: np.random.Generator, shape: tuple[int, ...], reach: float, speed: float, terms: int = 2
) -> Wave:
    """Draw a wave of about ``reach`` to each side that moves about ``speed`` a frame."""
    amplitude = rng.uniform(0.3, 1.0, (terms, *shape)) * reach / terms
    pace = speed / max(reach, 1e-6) * rng.uniform(0.5, 1.5, (terms, *shape)) * 1.5
    # Faster than a quarter turn a frame would look like noise, not motion.
    omega = np.minimum(pace, math.pi / 2)
    return Wave(amplitude, omega, rng.uniform(0, 2 * math.pi, (terms, *shape)))


@dataclass(frozen=True)
class LayerMotion:
    """How a layer moves: similarity, shear, and a thin-plate deformation.

    Units: shift in pixels of the canvas, angle in radians, log-scales without unit, bend in
    fractions of the layer's extent.
    """

    shift: Wave  # (2,)
    angle: Wave  # ()
    scale: Wave  # (2,): log-scales along both axes
    shear: Wave  # ()
    bend: Wave  # (9, 2): displacements of a 3×3 grid of control points


@dataclass(frozen=True)
class Pace:
    """How fast things go, a frame: shift in extents of the object, and turn in radians."""

    shift: float
    turn: float
    bend: float


PACES: tuple[tuple[float, Pace, Pace], ...] = (
    (0.15, Pace(0.000, 0.000, 0.002), Pace(0.006, 0.006, 0.008)),  # still
    (0.35, Pace(0.010, 0.005, 0.005), Pace(0.040, 0.030, 0.020)),  # slow
    (0.32, Pace(0.040, 0.020, 0.010), Pace(0.120, 0.080, 0.050)),  # medium
    (0.18, Pace(0.120, 0.040, 0.020), Pace(0.400, 0.200, 0.100)),  # fast
)
"""Probability, and the range that a clip's pace is drawn from."""


def draw_pace(rng: np.random.Generator) -> Pace:
    """Draw a clip's pace, from still to fast."""
    _, low, high = PACES[int(rng.choice(len(PACES), p=[p for p, _, _ in PACES]))]
    return Pace(
        float(rng.uniform(low.shift, high.shift)),
        float(rng.uniform(low.turn, high.turn)),
        float(rng.uniform(low.bend, high.bend)),
    )


def draw_motion(
    rng: np.random.Generator, pace: Pace, extent: float, reach: float, bend: float
) -> LayerMotion:
    """Draw a layer's motion.

    Args:
        extent: size of what moves, in pixels; paces are relative to it.
        reach: how far it may shift, in pixels.
        bend: how far control points may move, in fractions of the extent.
    """
    return LayerMotion(
        shift=draw_wave(rng, (2,), reach, pace.shift * extent),
        angle=draw_wave(rng, (), math.radians(rng.uniform(2, 35)), pace.turn),
        scale=draw_wave(rng, (2,), rng.uniform(0.05, 0.35), pace.turn),
        shear=draw_wave(rng, (), rng.uniform(0.02, 0.2), pace.turn / 2),
        bend=draw_wave(rng, (9, 2), bend, pace.bend),
    )


def linear_part(motion: LayerMotion, time: float, scale: float, angle: float) -> Points:
    """The 2×2 matrix of a layer at ``time``, on top of its placement's scale and angle."""
    turn = angle + float(motion.angle.at(time))
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shear = np.array([[1.0, float(motion.shear.at(time))], [0.0, 1.0]])
    return np.asarray(rotation @ shear @ np.diag(scale * np.exp(motion.scale.at(time))))
