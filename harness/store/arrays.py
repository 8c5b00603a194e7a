"""Arrays as compressed bytes that any machine reads alike."""

from __future__ import annotations

import copy
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


class ArrayPacker:
    """Packs an array while its first axis grows, so that it is never held uncompressed."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(_LEVEL)
        self._parts: list[bytes] = []
        self._rows = 0
        self._dtype, self._shape = "|u1", (0, 0)

    def fork(self) -> ArrayPacker:
        """Another that holds the same so far."""
        twin = copy.copy(self)
        twin._compressor, twin._parts = self._compressor.copy(), list(self._parts)
        return twin

    def add(self, row: NDArray[np.uint8]) -> None:
        """Add an array, all of them of one two-dimensional shape."""
        assert not self._rows or row.shape == self._shape
        self._rows, self._shape = self._rows + 1, (row.shape[0], row.shape[1])
        part = self._compressor.compress(row.tobytes())  # in C order
        if part:
            self._parts.append(part)

    def packed(self) -> PackedArray:
        """What was added, (rows, H, W); more may be added afterwards."""
        end = self._compressor.copy().flush()
        return PackedArray(self._dtype, (self._rows, *self._shape), b"".join([*self._parts, end]))


def unpack(packed: PackedArray) -> NDArray[np.generic]:
    """The array that was packed; ``ValueError`` if the bytes are damaged."""
    import numpy as np

    try:
        raw = zlib.decompress(packed.data)
    except zlib.error as error:
        raise ValueError(f"damaged series: {error}") from None
    # Copied, as an array over bytes can't be written to.
    return np.frombuffer(raw, dtype=np.dtype(packed.dtype)).reshape(packed.shape).copy()
