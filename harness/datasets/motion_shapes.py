"""Outlines of objects: closed polygons around the origin, about one unit in radius.

An object may consist of several polygons (its limbs); its mask is their union. ``phase`` in
radians moves what moves in a shape: limbs, tails, the waves of a blob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]
"""(N, 2): x to the right, y down."""

_STEPS = 72


class Shape(Protocol):
    """Something with an outline."""

    def polygons(self, phase: float, /) -> tuple[Polygon, ...]:
        """The outline at ``phase``."""


@dataclass(frozen=True)
class Superellipse:
    """|x/a|ⁿ + |y/b|ⁿ = 1: an ellipse for n = 2, nearly a rectangle for n = 6."""

    a: float
    b: float
    exponent: float

    def polygons(self, _phase: float, /) -> tuple[Polygon, ...]:
        """The outline, whatever the phase."""
        return (_superellipse(self.a, self.b, self.exponent),)


@dataclass(frozen=True)
class Jagged:
    """A polygon with straight edges around the origin; ``radii`` of its corners."""

    radii: tuple[float, ...]

    def polygons(self, _phase: float, /) -> tuple[Polygon, ...]:
        """The outline, whatever the phase."""
        angle = np.linspace(0, 2 * np.pi, len(self.radii), endpoint=False)
        radius = np.asarray(self.radii)
        return (np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1),)


@dataclass(frozen=True)
class Blob:
    """r(θ) = 1 + Σ aₖ cos(kθ + φₖ ± phase), k = 2, 3, ...: waves that run around the outline."""

    amplitudes: tuple[float, ...]
    offsets: tuple[float, ...]

    def polygons(self, phase: float, /) -> tuple[Polygon, ...]:
        """The outline at ``phase``."""
        angle = np.linspace(0, 2 * np.pi, _STEPS, endpoint=False)
        radius = np.ones(_STEPS)
        for k, (amplitude, offset) in enumerate(
            zip(self.amplitudes, self.offsets, strict=True), start=2
        ):
            turn = phase if k % 2 else -phase
            radius = radius + amplitude * np.cos(k * angle + offset + turn)
        return (np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1),)


@dataclass(frozen=True)
class Walker:
    """A four-legged animal from the side: stride in radians, half body height, neck height."""

    stride: float
    build: float
    neck: float

    def polygons(self, phase: float, /) -> tuple[Polygon, ...]:
        """Body, neck, head, tail and four swinging legs."""
        body = _superellipse(0.78, self.build, 2.6)
        head = _superellipse(0.26, 0.18, 2.2) + np.array([0.98, -self.neck])
        neck = _limb((0.6, -0.08), (0.9, -self.neck), 0.2, 0.13)
        tail_angle = 2.6 + 0.3 * np.sin(phase)
        tip = (-0.7 + 0.5 * np.cos(tail_angle), -0.1 + 0.5 * np.sin(tail_angle))
        parts = [body, neck, head, _limb((-0.68, -0.12), tip, 0.09, 0.04)]
        for hip, offset in ((0.55, 0.0), (0.4, np.pi), (-0.45, np.pi), (-0.6, 0.0)):
            swing = self.stride * np.sin(phase + offset)
            bend = swing + 0.35 * self.stride * (1 + np.cos(phase + offset))
            knee = (hip + 0.4 * np.sin(swing), 0.2 + 0.38 * np.cos(swing))
            foot = (knee[0] - 0.36 * np.sin(bend - 0.4), knee[1] + 0.36 * np.cos(bend - 0.4))
            parts += [_limb((hip, 0.15), knee, 0.15, 0.1), _limb(knee, foot, 0.1, 0.07)]
        return tuple(parts)


@dataclass(frozen=True)
class Swimmer:
    """A fish seen from the side; ``beat`` is how far its tail swings."""

    beat: float
    height: float

    def polygons(self, phase: float, /) -> tuple[Polygon, ...]:
        """Body, tail fin and dorsal fin."""
        swing = self.beat * np.sin(phase)
        body = _superellipse(0.95, self.height, 2.0)
        body[:, 1] += 0.25 * swing * np.clip(-body[:, 0], 0, None) ** 2
        root = np.array([-0.75, 0.14 * swing])
        spread = 0.55 + 0.15 * np.cos(phase)
        tail = root + np.array(
            [
                [0.1, -0.12],
                [-0.6, -spread + 0.45 * swing],
                [-0.4, 0.3 * swing],
                [-0.6, spread + 0.45 * swing],
                [0.1, 0.12],
            ]
        )
        top = -self.height
        fin = np.array([[0.35, top * 0.85], [-0.15, top - 0.3], [-0.4, top * 0.8]])
        return body, tail, fin


def random_shape(rng: np.random.Generator, animated: bool | None = None) -> Shape:
    """A shape of a random family; ``animated`` True or False for those that move or don't."""
    still = (_random_superellipse, _random_jagged)
    moving = (_random_blob, _random_walker, _random_swimmer)
    makers = {None: still + moving, True: moving, False: still}[animated]
    return makers[int(rng.integers(len(makers)))](rng)


def _random_superellipse(rng: np.random.Generator) -> Shape:
    return Superellipse(1.0, float(rng.uniform(0.5, 0.9)), float(rng.choice([1.6, 2.0, 3.5, 6.0])))


def _random_jagged(rng: np.random.Generator) -> Shape:
    radii = rng.uniform(0.55, 1.15, int(rng.integers(5, 10)))
    return Jagged(tuple(float(r) for r in radii))


def _random_blob(rng: np.random.Generator) -> Shape:
    amplitudes = rng.uniform(0.4, 1.0, 4) * [0.22, 0.16, 0.09, 0.06]
    offsets = rng.uniform(0, 2 * np.pi, 4)
    return Blob(tuple(map(float, amplitudes)), tuple(map(float, offsets)))


def _random_walker(rng: np.random.Generator) -> Shape:
    return Walker(
        float(rng.uniform(0.35, 0.6)), float(rng.uniform(0.28, 0.42)), float(rng.uniform(0.25, 0.6))
    )


def _random_swimmer(rng: np.random.Generator) -> Shape:
    return Swimmer(float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.32, 0.5)))


def _superellipse(a: float, b: float, exponent: float) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, _STEPS, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    x = a * np.sign(cosine) * np.abs(cosine) ** (2 / exponent)
    y = b * np.sign(sine) * np.abs(sine) ** (2 / exponent)
    return np.stack([x, y], axis=1)


def _limb(
    start: tuple[float, float], end: tuple[float, float], r_start: float, r_end: float
) -> Polygon:
    """A tapering limb with round ends."""
    p, q = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    along = np.arctan2(q[1] - p[1], q[0] - p[0])
    half = np.linspace(np.pi / 2, 3 * np.pi / 2, 10) + along
    back = p + r_start * np.stack([np.cos(half), np.sin(half)], axis=1)
    front = q - r_end * np.stack([np.cos(half), np.sin(half)], axis=1)
    return np.concatenate([back, front])
