"""Backgrounds: a landscape, a room, a ground seen from above, each with clutter."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.motion_shapes import random_shape
from vosbench.harness.datasets.motion_textures import (
    Texture,
    clouds,
    coloured,
    colours,
    fractal_noise,
    random_texture,
)


def landscape(rng: np.random.Generator, size: Size) -> Texture:
    """Sky, two ranges of hills, a meadow that gets coarser towards the viewer."""
    height, width = size
    sky = coloured(clouds(rng, size) * 0.6 + 0.4, colours(rng, 0.58, (0.5, 0.98)))
    image = sky.astype(np.float64)
    for level, hue, value in ((0.34, 0.55, (0.3, 0.6)), (0.45, 0.3, (0.2, 0.5))):
        ridge = fractal_noise(rng, (2, width), cell=width / 5, octaves=5)[0]
        top = (level + 0.16 * (ridge - 0.5)) * height
        below = np.arange(height)[:, None] >= top
        image[below] = random_texture(rng, size, hue, value)[below]
    horizon = round(0.55 * height)
    rows = height - horizon
    plain = coloured(
        fractal_noise(rng, (rows * 3, width), cell=40, octaves=6, decay=0.7),
        colours(rng, float(rng.uniform(0.1, 0.35)), (0.2, 0.7)),
    )
    # Rows far away are squeezed: perspective of a plain.
    depth = np.linspace(0, 1, rows) ** 0.5
    image[horizon:] = plain[np.rint(depth * (len(plain) - 1)).astype(int)]
    return _cluttered(rng, image, count=9, low=0.5)


def room(rng: np.random.Generator, size: Size) -> Texture:
    """A papered wall, a skirting board, a wooden floor."""
    height, width = size
    hue = float(rng.random())
    wall = random_texture(rng, size, hue, (0.45, 0.75)).astype(np.float64)
    wall = 0.5 * wall + 0.5 * wall.mean(axis=(0, 1))
    floor_top = round(float(rng.uniform(0.58, 0.72)) * height)
    grain = fractal_noise(rng, (height, width // 6 + 2), cell=24, octaves=5)
    wide = np.asarray(
        cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float64
    )
    floor = coloured(wide, colours(rng, 0.08, (0.3, 0.65))).astype(np.float64)
    floor[:: max(12, height // 28)] *= 0.55
    image = wall
    image[floor_top:] = floor[floor_top:]
    image[floor_top - 6 : floor_top] = colours(rng, hue, (0.2, 0.9))[-1]
    return _cluttered(rng, image, count=12, low=0.15)


def ground(rng: np.random.Generator, size: Size) -> Texture:
    """A ground seen from above: two textures in patches, strewn with things."""
    first = random_texture(rng, size, float(rng.random()), (0.2, 0.65)).astype(np.float64)
    second = coloured(clouds(rng, size), colours(rng, float(rng.random()), (0.25, 0.8)))
    patches = 1 / (1 + np.exp(-25 * (fractal_noise(rng, size, cell=160, octaves=4) - 0.5)))
    return _cluttered(rng, first + patches[..., None] * (second - first), count=16, low=0.0)


FAMILIES: tuple[Callable[[np.random.Generator, Size], Texture], ...] = (landscape, room, ground)


def random_background(rng: np.random.Generator, size: Size) -> Texture:
    """A background of a random family, uint8 RGB (H, W, 3), under uneven light."""
    image = FAMILIES[int(rng.integers(len(FAMILIES)))](rng, size)
    light = 0.8 + 0.35 * fractal_noise(rng, size, cell=max(size) / 2, octaves=2)
    return np.clip(np.rint(image * light[..., None]), 0, 255).astype(np.uint8)


def _cluttered(
    rng: np.random.Generator, image: NDArray[np.float64], count: int, low: float
) -> Texture:
    """``image`` with things lying about below the height ``low`` (0..1), shadows under them."""
    height, width = image.shape[:2]
    for _ in range(count):
        radius = float(rng.uniform(0.03, 0.1)) * height
        reach = int(1.9 * radius) + 2
        row = int(rng.integers(int(low * height), height - 1))
        column = int(rng.integers(0, width))
        side = 2 * reach
        mask = np.zeros((side, side), np.uint8)
        for part in random_shape(rng).polygons(float(rng.uniform(0, 6))):
            cv2.fillPoly(mask, [np.rint(reach + radius * part).astype(np.int32)], 255)
        # Nothing reaches the window's edge, so that nothing comes back on the other side.
        fallen = np.roll(mask, (round(0.25 * radius), round(0.15 * radius)), axis=(0, 1))
        shadow = cv2.GaussianBlur(fallen, (0, 0), max(1.0, 0.12 * radius))[..., None] / 255
        cover = cv2.GaussianBlur(mask, (0, 0), 0.8)[..., None] / 255
        texture = random_texture(rng, (side, side), float(rng.random()), (0.15, 0.8))
        rows, columns, inside = _overlap(row - reach, column - reach, side, (height, width))
        patch = image[rows, columns] * (1 - 0.45 * shadow[inside])
        image[rows, columns] = patch + cover[inside] * (texture[inside] - patch)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _overlap(
    top: int, left: int, side: int, size: Size
) -> tuple[slice, slice, tuple[slice, slice]]:
    """Where a square window meets an image: its rows, its columns, and the window's own."""
    rows = slice(max(top, 0), min(top + side, size[0]))
    columns = slice(max(left, 0), min(left + side, size[1]))
    inner = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return rows, columns, inner
