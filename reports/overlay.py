"""Label maps over their frames: tinted and outlined objects, a border that says what was done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vosbench.reports.style import OBJECT_COLOURS

Pixels = NDArray[np.uint8]

_TINT = 0.5
_NEUTRAL = 70
_GAP_PX = 4
_INK, _PAPER = (34, 34, 34), (255, 255, 255)


@cache
def davis_palette() -> Pixels:
    """The colours of object ids in DAVIS' annotations, (256, 3) RGB; read-only.

    Channel c's bit i from the top is the id's bit 3·i + c: the colour map of PASCAL VOC.
    """
    ids = np.arange(256)
    channels = [
        sum(((ids >> (3 * rank + channel)) & 1) << (7 - rank) for rank in range(8))
        for channel in range(3)
    ]
    palette = np.stack(channels, axis=1).astype(np.uint8)
    palette.setflags(write=False)
    return palette


def davis_colours() -> list[str]:
    """The colours in which :func:`overlay` shows objects by default, by id, as ``#rrggbb``."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in _lit(davis_palette())]


@cache
def object_palette() -> Pixels:
    """The colours of object ids in our figures, safe for colour-blind eyes, (256, 3) RGB;
    read-only. They differ from the colours of paths, which borders around them have."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    for number in range(1, 256):
        palette[number] = rgb(OBJECT_COLOURS[(number - 1) % len(OBJECT_COLOURS)])
    palette.setflags(write=False)
    return palette


def overlay(
    image: Pixels | None,
    labels: Pixels,
    border: str | None = None,
    *,
    tint: float = _TINT,
    palette: Pixels | None = None,
) -> Pixels:
    """A frame with each object tinted in its colour and outlined in a light one.

    Args:
        image: (H, W, 3) RGB of any size, brought to that of the labels; None for a neutral grey.
        labels: (H, W) object ids, 0 for background.
        border: colour of a frame drawn inside the picture's edges, as matplotlib reads it.
        tint: share of an object's colour in its pixels, 0..1.
        palette: (256, 3) RGB by object id; None for DAVIS' colours, brightened.

    Returns:
        (H, W, 3) RGB, a new array.
    """
    height, width = labels.shape
    picture = _ground(image, height, width)
    colours = (_lit(davis_palette()) if palette is None else palette)[labels]
    inside = labels > 0
    mixed = (1 - tint) * picture[inside] + tint * colours[inside]
    picture[inside] = np.rint(mixed).astype(np.uint8)
    edge = _edges(labels, max(1, round(height / 240)))
    picture[edge] = _light(colours[edge])
    if border is not None:
        _frame(picture, border)
    return picture


def strip(tiles: Sequence[Pixels], captions: Sequence[str], height: int) -> Pixels:
    """Pictures in a row, ``height`` pixels high each, with a caption line below each.

    Args:
        tiles: (H, W, 3) RGB each.
        captions: one per tile, cut where it is wider than its tile; "" for none.
        height: of the pictures in the strip, without the captions.

    Returns:
        (height + caption, total width, 3) RGB on white.
    """
    scaled = [resized(tile, height) for tile in tiles]
    font_px = max(9, height // 9)
    below = font_px + 6 if any(captions) else 0
    width = sum(tile.shape[1] for tile in scaled) + _GAP_PX * (len(scaled) - 1)
    sheet = Image.new("RGB", (width, height + below), _PAPER)
    draw = ImageDraw.Draw(sheet)
    left = 0
    for tile, caption in zip(scaled, captions, strict=True):
        sheet.paste(Image.fromarray(tile), (left, 0))
        text = _fitted(caption, tile.shape[1], font_px)
        draw.text((left + 1, height + 1), text, fill=_INK, font=font(font_px))
        left += tile.shape[1] + _GAP_PX
    return np.asarray(sheet)


def resized(tile: Pixels, height: int) -> Pixels:
    """A picture brought to ``height`` pixels, its shape kept."""
    old_height, old_width = tile.shape[:2]
    width = max(1, round(old_width * height / old_height))
    how = cv2.INTER_AREA if height < old_height else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(tile, (width, height), interpolation=how), dtype=np.uint8)


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along: it has the Greek letters."""
    file = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size_px)


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour as matplotlib reads it, in 0..255."""
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue


def _ground(image: Pixels | None, height: int, width: int) -> Pixels:
    if image is None:
        return np.full((height, width, 3), _NEUTRAL, dtype=np.uint8)
    if image.shape[:2] == (height, width):
        return image.copy()
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA))


def _edges(labels: Pixels, thickness_px: int) -> NDArray[np.bool_]:
    """Pixels of an object within ``thickness_px`` of another label, not of the picture's end."""
    kernel = np.ones((2 * thickness_px + 1,) * 2, dtype=np.uint8)
    differs = cv2.dilate(labels, kernel) != cv2.erode(labels, kernel)
    return np.asarray(differs & (labels > 0))


def _lit(colours: Pixels) -> Pixels:
    """Twice as bright: DAVIS' first colours are dark, and tints of them look like shadow."""
    return np.minimum(2 * colours.astype(np.int64), 255).astype(np.uint8)


def _light(colours: Pixels) -> Pixels:
    """Halfway to white, which stands out from dark and from colourful pixels."""
    return (colours // 2 + 127).astype(np.uint8)


def _frame(picture: Pixels, colour: str) -> None:
    """Paint the picture's edges, in place."""
    thickness = max(2, round(min(picture.shape[:2]) / 40))
    for side in (
        picture[:thickness],
        picture[-thickness:],
        picture[:, :thickness],
        picture[:, -thickness:],
    ):
        side[:] = rgb(colour)


def _fitted(text: str, width_px: int, font_px: int) -> str:
    if font(font_px).getlength(text) <= width_px:
        return text
    kept = text
    while kept and font(font_px).getlength(f"{kept}…") > width_px:
        kept = kept[:-1]
    return f"{kept}…"
