"""Layers of a synthetic clip: a texture with an opacity, warped onto the canvas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.training.data.paths import LayerMotion, Points, linear_part

Canvas = NDArray[np.float32]
_COARSE = 8  # warps are smooth: computed at every eighth pixel, then interpolated


@dataclass(frozen=True)
class Layer:
    """A texture, where it sits at time 0, and how it moves.

    Attributes:
        texture: float32 (h, w, 4): RGB 0..255 multiplied by the opacity, and the opacity 0..1.
        centre: of the moving thing, (x, y) in the texture.
        extent: its size, (x, y) in the texture.
        place: where the centre sits on the canvas, (x, y).
        scale, angle: of the texture on the canvas.
        shutter: fraction of a frame's motion that smears.
        opaque: covers everything: borders are mirrored instead of transparent.
    """

    texture: Canvas
    centre: Points
    extent: Points
    place: Points
    scale: float
    angle: float
    motion: LayerMotion
    shutter: float = 0.0
    opaque: bool = False


def make_texture(image: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Canvas:
    """Premultiplied texture of an image's masked part (all of it without a mask)."""
    alpha: Canvas = np.ones(image.shape[:2], np.float32)
    if mask is not None:
        alpha = np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8), np.float32)
    return np.dstack([image.astype(np.float32) * alpha[..., None], alpha]).astype(np.float32)


def thin_plate(points: Points, shifts: Points, at: Points) -> Points:
    """Thin-plate interpolation: ``shifts`` (N, 2) given at ``points`` (N, 2), at (..., 2)."""

    def kernel(squared: Points) -> Points:
        return np.asarray(0.5 * squared * np.log(np.maximum(squared, 1e-12)))

    count = len(points)
    gaps = ((points[:, None] - points[None]) ** 2).sum(-1)
    affine = np.hstack([np.ones((count, 1)), points])
    system = np.block([[kernel(gaps), affine], [affine.T, np.zeros((3, 3))]])
    solved = np.linalg.solve(system, np.vstack([shifts, np.zeros((3, 2))]))
    flat = at.reshape(-1, 2)
    distances = ((flat[:, None] - points[None]) ** 2).sum(-1)
    bent = (
        kernel(distances) @ solved[:count]
        + np.hstack([np.ones((len(flat), 1)), flat]) @ (solved[count:])
    )
    return np.asarray(bent.reshape(at.shape))


_GRID = np.stack(np.meshgrid((-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0)), -1).reshape(-1, 2)


def render(layer: Layer, time: float, size: tuple[int, int]) -> Canvas:
    """The layer on a canvas of ``size`` (H, W) at ``time``: float32 (H, W, 4), premultiplied."""
    height, width = size
    columns, rows = math.ceil(width / _COARSE) + 1, math.ceil(height / _COARSE) + 1
    xs, ys = np.arange(columns) * _COARSE, np.arange(rows) * _COARSE
    grid = np.stack(np.meshgrid(xs, ys), -1).astype(np.float64)
    linear = linear_part(layer.motion, time, layer.scale, layer.angle)
    offset = layer.place + layer.motion.shift.at(time)
    source = (grid - offset) @ np.linalg.inv(linear).T
    half = layer.extent / 2
    bend = layer.motion.bend.at(time)
    unit = source / half
    # Outside its surroundings the plate must not run away.
    source += thin_plate(_GRID, bend, np.clip(unit, -1.5, 1.5)) * layer.extent
    source += layer.centre
    fine = _refined(source.astype(np.float32), size)
    border = cv2.BORDER_REFLECT_101 if layer.opaque else cv2.BORDER_CONSTANT
    drawn = cv2.remap(
        layer.texture, fine[..., 0], fine[..., 1], cv2.INTER_LINEAR, borderMode=border
    )
    return _smeared(np.asarray(drawn, np.float32), layer, time)


def _refined(coarse: Canvas, size: tuple[int, int]) -> Canvas:
    """Interpolate a map known at every eighth pixel."""
    height, width = size
    grow = np.array([[_COARSE, 0.0, 0.0], [0.0, _COARSE, 0.0]])
    fine: Any = cv2.warpAffine(
        coarse, grow, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(fine, np.float32)


def _smeared(drawn: Canvas, layer: Layer, time: float) -> Canvas:
    step = layer.motion.shift.at(time) - layer.motion.shift.at(time - 1)
    length = float(np.hypot(*step)) * layer.shutter
    if length < 1.5:
        return drawn
    kernel = line_kernel(step, min(length, 31.0))
    return np.asarray(cv2.filter2D(drawn, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def line_kernel(direction: Points, length: float) -> NDArray[np.float32]:
    """A blur along a line of ``length`` pixels; sums to 1."""
    half = max(math.ceil(length / 2), 1)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    step = direction / max(float(np.hypot(*direction)), 1e-9) * length / 2
    ends = [tuple(int(v) for v in np.rint(half + sign * step)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def over(front: Canvas, back: Canvas) -> Canvas:
    """Put a premultiplied layer over another."""
    return np.asarray(front + back * (1 - front[..., 3:]), np.float32)
