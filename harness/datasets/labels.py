"""The one reader of masks stored as PNG: samples as they are, object ids, never colours.

Run, eval, the data check, oracles and ``masks:`` all read through :func:`read_labels`. What a
sample means, :mod:`vosbench.harness.datasets.objects` says.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, read_regular
from vosbench.baselines.pictures import require_pixels
from vosbench.harness.datasets.decode import Size
from vosbench.harness.datasets.label_png import (
    GREY,
    GREY_ALPHA,
    PALETTE,
    LabelPng,
    Samples,
    parse_png,
)
from vosbench.harness.datasets.objects import VOID, present_ids

LABEL_SUFFIXES = frozenset({".png"})

Labels = NDArray[np.uint8]

_A_MASK = "a mask"
_MANY_LEVELS = 8
"""Grey levels between 0 and 255 from which on a mask may be a soft one."""
_HIGH_LEVEL = 64
"""The highest of them is at least this: ids begin at 1, and few sequences have so many."""
_THIN = 0.1
"""A level is thin if fewer of its pixels than this share have only their like around them."""


def read_labels(path: Path, size: Size | None = None) -> Labels:
    """A mask's samples as they are stored, uint8 (H, W), writable: palette indices or grey values.

    1, 2, 4, 8 and 16 bits are read, palettes, grey, and grey with alpha, which is left out.
    Nothing is stretched: the samples of a 1-bit mask are 0 and 1.

    Args:
        path: a PNG.
        size: the height and width that it must have; None for any.

    Raises:
        InputError: it is missing, no whole PNG, holds colours, a value above 255 or soft edges, or
            is of another size.
    """
    png = _parsed(path)
    samples = _samples(path, png)
    if size is not None and samples.shape != size:
        raise InputError(
            f"{path}: {samples.shape[1]}x{samples.shape[0]} pixels, where its sequence has "
            f"{size[1]}x{size[0]}: frames and masks of a sequence must be of one size"
        )
    if png.header.colour != PALETTE:
        _refuse_soft(path, samples)
    return samples


def label_size(path: Path) -> Size:
    """Height and width of a mask from its header; InputError if it is no whole PNG."""
    header = _parsed(path).header
    return header.height, header.width


def label_colours(path: Path) -> Labels | None:
    """The file's palette, uint8 (N, 3) RGB; None if it has none."""
    palette = _parsed(path).palette
    if palette is None:
        return None
    return np.frombuffer(palette[: len(palette) // 3 * 3], np.uint8).reshape(-1, 3)


def _parsed(path: Path) -> LabelPng:
    png = parse_png(read_regular(path, PICTURE_BYTES, _A_MASK))
    if png is None:
        raise InputError(
            f"{path}: can't be read as PNG, damaged or cut off: fetch or write it anew"
        )
    require_pixels(path, png.header.height, png.header.width, _A_MASK)
    return png


def _samples(path: Path, png: LabelPng) -> Labels:
    if png.header.colour not in (GREY, GREY_ALPHA, PALETTE):
        raise InputError(
            f"{path}: holds colours, not object ids: save masks as palette or grey PNGs whose "
            "values are ids"
        )
    samples: Samples | None = png.samples()
    if samples is None:
        raise InputError(
            f"{path}: can't be read as PNG, its rows are damaged: fetch or write it anew"
        )
    if samples.dtype == np.uint16:
        highest = int(samples.max())
        if highest > VOID:
            raise InputError(
                f"{path}: holds the value {highest} in 16 bits; object ids go from 1 to "
                f"{VOID - 1}, and {VOID} is void: number the objects anew"
            )
    return samples.astype(np.uint8, copy=False)


def _refuse_soft(path: Path, samples: Labels) -> None:
    """Raise InputError for a grey mask of soft edges or of probabilities, which holds no ids.

    Between background and object such a mask has levels that are thin: lines along the edges,
    where objects are areas. Many of them, spread over the range, or a few high ones in a mask that
    is 255 otherwise (as one that was made smaller) make it soft.
    """
    # 0 and 255 become 1 and 0 here: masks of these values alone need no closer look.
    if samples.max(initial=0) < _MANY_LEVELS or not ((samples + np.uint8(1)) & 0xFE).any():
        return
    present = present_ids(samples)
    levels = sorted(present - {VOID})
    many = len(levels) >= _MANY_LEVELS and levels[-1] >= _HIGH_LEVEL
    few = len(levels) > 1 and levels[0] >= 2 * _MANY_LEVELS and VOID in present
    if not (many or few):
        return
    kernel = np.ones((3, 3), np.uint8)
    even = cv2.erode(samples, kernel) == cv2.dilate(samples, kernel)
    pixels = np.bincount(samples.ravel(), minlength=256)[levels]
    inner = np.bincount(samples[even], minlength=256)[levels]
    thin = np.count_nonzero(inner < _THIN * pixels)
    if thin == len(levels) if few and not many else thin > len(levels) / 2:
        raise InputError(
            f"{path}: a soft mask, {len(levels)} levels between 0 and {VOID} along its edges, and "
            "no object ids: threshold it, and save it as a palette or grey PNG"
        )
