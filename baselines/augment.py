"""Augmentation of a first frame: the object cut out, the hole filled, the object pasted anew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Array = NDArray[Any]  # what OpenCV returns

_TRIES = 20
_FILL_SCALE = 4  # the hole is filled at a quarter of the size: it only has to look plausible


@dataclass(frozen=True)
class Augmented:
    """One sample: an image, uint8 (H, W, 3), and the object's mask in it, bool (H, W)."""

    image: Image
    mask: Mask


def first_frame_set(
    image: Image, mask: Mask, rng: np.random.Generator, count: int = 5
) -> tuple[Augmented, ...]:
    """Return the untouched frame and ``count − 1`` augmentations of it.

    Rotation ±5..45°, mirrored one time in five, scaled 0.5..2.5, slightly skewed, motion-blurred,
    moved anywhere in the picture; an object that left the picture is drawn again.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: the object, bool (H, W), not empty.
    """
    background = _fill_hole(image, mask)
    return (
        Augmented(image, mask),
        *(_augment(image, mask, background, rng) for _ in range(count - 1)),
    )


def _fill_hole(image: Image, mask: Mask) -> Image:
    height, width = mask.shape
    size = (max(width // _FILL_SCALE, 1), max(height // _FILL_SCALE, 1))
    margin = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    hole = cv2.resize(margin, size, interpolation=cv2.INTER_AREA)
    hole = (cv2.dilate(hole, np.ones((3, 3), np.uint8)) > 0).astype(np.uint8)
    filled = cv2.resize(cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA), (width, height))
    alpha = cv2.GaussianBlur(margin.astype(np.float32), (0, 0), 2)
    return _blend(filled, image, np.maximum(alpha, mask.astype(np.float32)))


def _augment(image: Image, mask: Mask, background: Image, rng: np.random.Generator) -> Augmented:
    height, width = mask.shape
    backdrop = _vary_background(background, rng)
    for attempt in range(_TRIES):
        # Later tries move less far, so that the last ones can't miss the picture.
        warp = _random_warp(mask, rng, reach=1 - attempt / (_TRIES - 1))
        moved = cv2.warpAffine(
            mask.astype(np.float32), warp, (width, height), flags=cv2.INTER_LINEAR
        )
        if (moved > 0.5).sum() >= max(10, 0.1 * mask.sum() * abs(np.linalg.det(warp[:, :2]))):
            break
    else:
        return Augmented(image, mask)
    # The border replicates the image, the alpha doesn't: no dark seam around the object.
    pasted = cv2.warpAffine(
        image, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    blur = _motion_blur(rng)
    if blur is not None:
        pasted = cv2.filter2D(pasted, -1, blur)
    alpha = moved if blur is None else cv2.filter2D(moved, -1, blur)
    alpha = np.clip(alpha, 0, 1)
    drawn = alpha if (alpha > 0.5).any() else moved
    return Augmented(_blend(pasted, backdrop, alpha), np.asarray(drawn > 0.5))


def _vary_background(background: Image, rng: np.random.Generator) -> Image:
    height, width = background.shape[:2]
    zoom = rng.uniform(1.0, 1.2)
    h, w = math.ceil(height / zoom), math.ceil(width / zoom)
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    cropped = cv2.resize(background[top : top + h, left : left + w], (width, height))
    sigma = rng.uniform(0, 2)
    return np.asarray(cropped if sigma < 0.5 else cv2.GaussianBlur(cropped, (0, 0), sigma))


def _random_warp(mask: Mask, rng: np.random.Generator, reach: float) -> NDArray[np.float64]:
    """Draw a 2×3 affine map that moves the object's centre to a random place."""
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    centre = np.array([columns.mean(), rows.mean()])
    angle = math.radians(rng.uniform(5, 45) * rng.choice((-1, 1)))
    scale = math.exp(rng.uniform(math.log(0.5), math.log(2.5)))
    extent = max(np.ptp(columns) + 1, np.ptp(rows) + 1)
    scale = min(scale, max(1.0, max(height, width) / extent))
    mirror = -1.0 if rng.random() < 0.2 else 1.0
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    skew = np.array([[1.0, rng.uniform(-0.1, 0.1)], [0.0, 1.0]])
    linear = scale * rotation @ skew @ np.diag([mirror, 1.0])
    anywhere = rng.uniform((0.1, 0.1), (0.9, 0.9)) * (width, height)
    goal = centre + reach * (anywhere - centre)
    return np.hstack([linear, (goal - linear @ centre)[:, None]])


def _motion_blur(rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Draw a line-shaped blur kernel of up to nine pixels; None half of the time."""
    length = int(rng.integers(3, 10)) if rng.random() < 0.5 else 1
    angle = rng.uniform(0, math.pi)
    if length == 1:
        return None
    kernel = np.zeros((length | 1, length | 1), np.float32)
    half = kernel.shape[0] // 2
    step = np.array([math.cos(angle), math.sin(angle)]) * half
    start, end = (np.array([half, half]) + sign * step for sign in (-1, 1))
    cv2.line(kernel, start.round().astype(int).tolist(), end.round().astype(int).tolist(), 1.0)
    kernel /= kernel.sum()
    return kernel


def _blend(front: Array, back: Array, alpha: Array) -> Image:
    """Put one image over another: (H, W, 3) each, alpha (H, W); float arithmetic where it shows."""
    mixed = np.array(back, np.uint8)
    left, top, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    shown = slice(top, top + height), slice(left, left + width)
    over = alpha[shown][..., None]
    part: Array = front[shown].astype(np.float32) * over
    part += back[shown].astype(np.float32) * (1 - over)
    mixed[shown] = part.round().astype(np.uint8)
    return mixed
