"""The colour map of label maps, and writing them as palette PNGs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.harness.datasets.places import write_atomically


def label_palette() -> NDArray[np.uint8]:
    """Colours of the labels 0..255 as DAVIS and YouTube-VOS files have them, uint8 (256, 3) RGB.

    A label's bits 0, 1, 2 go to red, green, blue as their highest bit, bits 3, 4, 5 as their
    second highest, and so on: the colour map of PASCAL VOC.
    """
    labels = np.arange(256)
    channels = [
        sum(((labels >> (3 * rank + channel)) & 1) << (7 - rank) for rank in range(8))
        for channel in range(3)
    ]
    return np.stack(channels, axis=1).astype(np.uint8)


_PALETTE_BYTES = label_palette().tobytes()


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """A label map, uint8 (H, W), as the bytes of a palette PNG."""
    if labels.dtype != np.uint8 or labels.ndim != 2:
        raise TypeError(f"a label map is uint8 (H, W), not {labels.dtype} {labels.shape}")
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(_PALETTE_BYTES)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def write_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    """Write a label map, uint8 (H, W), as a palette PNG; whole or not at all."""
    write_atomically(path, encode_labels(labels))
