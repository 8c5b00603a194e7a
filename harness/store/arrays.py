"""Arrays as compressed bytes that any machine reads alike."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LEVEL = 6


@dataclass(frozen=True)
class PackedArray:
    """An array: zlib over its bytes in C order, its little-endian dtype, its shape."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def pack(array: NDArray[np.generic]) -> PackedArray:
    """Compress a boolean or numeric array; ``ValueError`` for any other."""
    if array.dtype.kind not in "biuf":
        raise ValueError(f"a series is boolean or numeric, not {array.dtype}")
    little = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    return PackedArray(little.dtype.str, array.shape, zlib.compress(little.tobytes(), _LEVEL))


def unpack(packed: PackedArray) -> NDArray[np.generic]:
    """The array that was packed; ``ValueError`` if the bytes are damaged."""
    try:
        raw = zlib.decompress(packed.data)
    except zlib.error as error:
        raise ValueError(f"damaged series: {error}") from None
    # Copied, as an array over bytes can't be written to.
    return np.frombuffer(raw, dtype=np.dtype(packed.dtype)).reshape(packed.shape).copy()
