"""Square crops of pictures, varied as training wants them or centred as validation does."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.harness.training.data.pictures import PictureFolder

Image = NDArray[np.uint8]
"""RGB (H, W, 3)."""


def decoded(folder: PictureFolder, shorter: float) -> list[Image]:
    """All images of a folder, shrunk to ``shorter`` pixels a shorter side where they are larger.

    Raises:
        InputError: a file is damaged.
    """
    return [_shrunk(folder[index].image, shorter) for index in range(len(folder))]


def centred(image: Image, size: int) -> Image:
    """The largest square in the middle, at ``size`` pixels a side."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _resized(image[top : top + side, left : left + side], size)


def draw_crops(
    images: Sequence[Image],
    batch: int,
    size: int,
    smallest: float,
    rng: np.random.Generator,
    *,
    own: Collection[int] | None = None,
) -> list[Image]:
    """Draw pictures, each cropped, stretched, mirrored and relit: ``batch`` of (size, size, 3).

    Args:
        smallest: side of the smallest crop, as a fraction of a picture's shorter side.
        own: which of the batch to make; None for all. Chances are drawn for all of them.
    """
    which = rng.choice(len(images), batch, replace=len(images) < batch)
    chosen = [images[int(index)] for index in which]
    variations = [_Variation.draw(image.shape[:2], smallest, rng) for image in chosen]
    wanted = range(batch) if own is None else own
    return [variations[sample].of(chosen[sample], size) for sample in wanted]


def _shrunk(image: Image, shorter: float) -> Image:
    height, width = image.shape[:2]
    scale = shorter / min(height, width)
    if scale >= 1:
        return image
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _resized(crop: Image, size: int) -> Image:
    method = cv2.INTER_AREA if min(crop.shape[:2]) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(crop, (size, size), interpolation=method), np.uint8)


@dataclass(frozen=True)
class _Variation:
    """What is drawn for one crop: where it is, and its light.

    Attributes:
        rows, columns: of the picture.
        sigma: of the blur that puts it out of focus; None for a sharp one.
        saturation, contrast: 1 leaves the picture as it is.
        gains: of red, green and blue.
    """

    rows: slice
    columns: slice
    mirrored: bool
    sigma: float | None
    saturation: float
    contrast: float
    gains: NDArray[np.float32]

    @classmethod
    def draw(cls, shape: tuple[int, ...], smallest: float, rng: np.random.Generator) -> Self:
        """Draw one for a picture of this height and width."""
        height, width = shape
        side = min(height, width) * np.exp(rng.uniform(math.log(smallest), 0))
        stretch = np.exp(rng.uniform(-0.3, 0.3))
        tall = int(np.clip(side * stretch, 8, height))
        wide = int(np.clip(side / stretch, 8, width))
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        mirrored = bool(rng.random() < 0.5)
        sigma = float(rng.uniform(0.5, 2.0)) if rng.random() < 0.15 else None
        saturation, contrast = float(rng.uniform(0.5, 1.5)), float(rng.uniform(0.6, 1.4))
        gains = rng.uniform(0.7, 1.3) * rng.uniform(0.92, 1.08, 3)
        return cls(
            slice(top, top + tall),
            slice(left, left + wide),
            mirrored,
            sigma,
            saturation,
            contrast,
            gains.astype(np.float32),
        )

    def of(self, image: Image, size: int) -> Image:
        """The crop, (size, size, 3)."""
        crop = _resized(image[self.rows, self.columns], size)
        if self.mirrored:
            crop = np.ascontiguousarray(crop[:, ::-1])
        x = crop.astype(np.float32)
        if self.sigma is not None:
            x = np.asarray(cv2.GaussianBlur(x, (0, 0), self.sigma), np.float32)
        grey = x.mean(axis=-1, keepdims=True)
        x = grey + (x - grey) * self.saturation
        middle = float(grey.mean())
        x = middle + (x - middle) * self.contrast
        return np.asarray(np.clip(x * self.gains, 0, 255), np.uint8)
