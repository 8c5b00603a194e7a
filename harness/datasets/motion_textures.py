"""Procedural textures: noise, stripes, cells, rings and spots in a few colours."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.decode import Size

Texture = NDArray[np.uint8]
"""uint8 RGB (H, W, 3)."""
Field = NDArray[np.float64]
"""Values in 0..1, (H, W)."""
Colours = NDArray[np.float64]
"""(N, 3) RGB 0..255, mapped evenly over 0..1."""


def fractal_noise(
    rng: np.random.Generator, size: Size, cell: float = 64.0, octaves: int = 5, decay: float = 0.55
) -> Field:
    """Sum of smooth random grids of halving cell size (``cell`` pixels at first), 0..1."""
    total = np.zeros(size)
    weight = 1.0
    for _ in range(octaves):
        rows, columns = (max(2, round(length / max(cell, 1.0)) + 2) for length in size)
        grid = rng.random((rows, columns))
        total += weight * cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)
        weight *= decay
        cell /= 2
    return stretched(total)


def stretched(field: Field) -> Field:
    """``field`` scaled so that its 1st and 99th percentile become 0 and 1."""
    low, high = np.percentile(field, (1, 99))
    result: Field = np.clip((field - low) / max(high - low, 1e-9), 0, 1)
    return result


def stripes(rng: np.random.Generator, size: Size) -> Field:
    """Wavy stripes in a random direction."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    angle = rng.uniform(0, np.pi)
    period = rng.uniform(10, 26)
    bend = fractal_noise(rng, size, cell=80, octaves=2) * rng.uniform(0.5, 2.0)
    wave = np.sin(2 * np.pi * ((x * np.cos(angle) + y * np.sin(angle)) / period + bend))
    grain = fractal_noise(rng, size, cell=12, octaves=3)
    return stretched(np.tanh(2.5 * wave) + 0.4 * grain)


def cells(rng: np.random.Generator, size: Size) -> Field:
    """Irregular patches with dark seams, like stones or scales."""
    count = max(8, round(size[0] * size[1] / rng.uniform(250, 900)))
    seeds = np.full(size, 255, np.uint8)
    seeds[rng.integers(0, size[0], count), rng.integers(0, size[1], count)] = 0
    distance, label = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    tone = rng.random(int(label.max()) + 1)[label]
    seam = cv2.morphologyEx(label.astype(np.float32), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    field = 0.7 * tone + 0.3 * stretched(-distance.astype(np.float64))
    return stretched(np.where(seam, 0.35 * field, field))


def rings(rng: np.random.Generator, size: Size) -> Field:
    """Contour lines of noise, like marble or wood."""
    noise = fractal_noise(rng, size, cell=90, octaves=4, decay=0.45)
    return stretched(np.sin(noise * rng.uniform(18, 40)))


def spots(rng: np.random.Generator, size: Size) -> Field:
    """Soft-edged spots on a plain ground, like a leopard's fur."""
    noise = fractal_noise(rng, size, cell=rng.uniform(14, 30), octaves=2)
    ground = fractal_noise(rng, size, cell=40, octaves=4)
    return stretched(1 / (1 + np.exp(-18 * (noise - 0.55))) + 0.35 * ground)


def clouds(rng: np.random.Generator, size: Size) -> Field:
    """Plain fractal noise."""
    return fractal_noise(rng, size, cell=rng.uniform(30, 110), octaves=6, decay=0.62)


FAMILIES: tuple[Callable[[np.random.Generator, Size], Field], ...] = (
    stripes,
    cells,
    rings,
    spots,
    clouds,
)


def colours(
    rng: np.random.Generator,
    hue: float,
    value: tuple[float, float],
    saturation: tuple[float, float] = (0.1, 0.5),
) -> Colours:
    """Three to four related colours around ``hue`` (0..1), from dark to light values (0..1)."""
    count = int(rng.integers(3, 5))
    hues = (hue + rng.normal(0, 0.035, count)) % 1
    saturations = rng.uniform(*saturation, count)
    values = np.linspace(*value, count)
    rgb = [
        colorsys.hsv_to_rgb(float(h), float(s), float(v))
        for h, s, v in zip(hues, saturations, values, strict=True)
    ]
    return np.asarray(rgb) * 255


def coloured(field: Field, palette: Colours) -> Texture:
    """A field painted with ``palette``, uint8 RGB (H, W, 3)."""
    stops = np.linspace(0, 1, len(palette))
    channels = [np.interp(field, stops, palette[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def random_texture(
    rng: np.random.Generator,
    size: Size,
    hue: float,
    value: tuple[float, float] = (0.15, 0.95),
    saturation: tuple[float, float] = (0.1, 0.5),
) -> Texture:
    """A texture of a random family in colours around ``hue``."""
    family = FAMILIES[int(rng.integers(len(FAMILIES)))]
    return coloured(family(rng, size), colours(rng, hue, value, saturation))
