"""Decodes the plain kind of palette or grey PNG, which all mask files are, four times as fast.

Masks compress so well that inflating them is most of the work, which zlib-ng does in a quarter of
zlib's time. Pillow and DAVIS write palette rows without filters: what is inflated is the indices
then. Rows with filters go to OpenCV, which copies less than Pillow; that it turns palettes into
colours is avoided by taking the palette out of the file's header.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from zlib_ng import zlib_ng

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3
# Its stub declares the class as a variable.
_BROKEN: type[Exception] = zlib_ng.error  # type: ignore[assignment]


def decode_index_png(data: bytes) -> NDArray[np.uint8] | None:
    """Palette indices or grey values of an 8-bit PNG that isn't interlaced, uint8 (H, W).

    None for every other kind of file and for any fault: a slower reader should say what it is.

    Source: PNG specification (W3C, third edition), sections 5 and 11.
    """
    if data[: len(_SIGNATURE)] != _SIGNATURE:
        return None
    header, bodies, complete = b"", [], False
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            header = body
        elif kind == b"IDAT":
            bodies.append(body)
        elif kind == b"IEND":
            complete = True
    plain = len(header) == 13 and header[8] == 8 and header[9] in (_GREY, _PALETTE)
    if not complete or not plain or header[12] != 0:
        return None
    compressed = b"".join(bodies)
    unfiltered = _unfiltered(header, compressed)
    return _by_opencv(header, compressed) if unfiltered is None else unfiltered


def _unfiltered(header: bytes, compressed: bytes) -> NDArray[np.uint8] | None:
    """Pixels of an image none of whose rows has a filter."""
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    size = height * (width + 1)  # each row begins with the number of its filter
    try:
        rows = zlib_ng.decompressobj().decompress(compressed, size + 1)
    except _BROKEN:
        return None
    if not width or len(rows) != size:
        return None
    pixels = np.frombuffer(rows, np.uint8).reshape(height, width + 1)
    return None if pixels[:, 0].any() else np.ascontiguousarray(pixels[:, 1:])


def _by_opencv(header: bytes, compressed: bytes) -> NDArray[np.uint8] | None:
    """Pixels of any such image, read as grey."""
    grey = header[:9] + bytes([_GREY]) + header[10:]
    chunks = ((b"IHDR", grey), (b"IDAT", compressed), (b"IEND", b""))
    data = _SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    # OpenCV returns None for what it can't decode, whatever its type hints say.
    pixels: NDArray[np.generic] | None = decoded
    if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
        return None
    return pixels.astype(np.uint8, copy=False)


def is_whole_png(data: bytes) -> bool:
    """Whether the file is a PNG that no byte is missing from and whose checksums all fit."""
    return data[: len(_SIGNATURE)] == _SIGNATURE and any(
        kind == b"IEND" for kind, _ in _chunks(data)
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each sound chunk, up to the first that is cut off or damaged."""
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        body_end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        checksum = data[body_end : body_end + 4]
        if len(checksum) < 4 or zlib.crc32(data[at + 4 : body_end]) != int.from_bytes(checksum):
            return
        yield data[at + 4 : at + 8], data[at + 8 : body_end]
        at = body_end + 4


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(kind + body).to_bytes(4, "big")
    return len(body).to_bytes(4, "big") + kind + body + checksum
