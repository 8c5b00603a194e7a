"""Reads masks stored as PNG: object ids, never colours."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.metrics.index_png import decode_index_png, is_whole_png

_LABEL_MODES = ("P", "L", "1")
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


def read_label_png(path: Path) -> NDArray[np.uint8]:
    """Object ids of a palette or grey PNG of at most 8 bits, uint8 (H, W), writable.

    Raises:
        InputError: the file is missing, unreadable or truncated, or holds colours or 16 bits.
    """
    try:
        data = path.read_bytes()
        labels = decode_index_png(data)
        if labels is not None:
            return labels
        if not is_whole_png(data):
            raise InputError(
                f"{path} can't be read as PNG, it is cut off or damaged: write it anew"
            )
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode not in _LABEL_MODES:
                raise InputError(
                    f"{path} has pixels of type {image.mode}, not object ids: "
                    "save masks as 8-bit palette or grey PNG"
                )
            labels = np.array(image, np.uint8)
            return labels // _grey_step(data) if image.mode == "L" else labels
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"no file {path}: give a PNG for every frame to score") from None
    except _BROKEN as error:
        raise InputError(
            f"{path} can't be read as PNG ({_first_line(error)}): write it anew"
        ) from None


def _grey_step(data: bytes) -> int:
    """What Pillow multiplies 2-bit and 4-bit grey values by, to fill the range of 8 bits."""
    bit_depth = data[24]
    return 255 // ((1 << bit_depth) - 1)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
