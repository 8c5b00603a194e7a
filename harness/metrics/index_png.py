"""Decodes the plain kind of palette or grey PNG, which all mask files are, in half the time.

Pillow copies the pixels twice more than needed; OpenCV doesn't, but turns a palette into colours.
So the palette is taken out of the file's header, whereupon OpenCV gives the indices.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3


def decode_index_png(data: bytes) -> NDArray[np.uint8] | None:
    """Palette indices or grey values of an 8-bit PNG that isn't interlaced, uint8 (H, W).

    None for every other kind of file and for any fault: a slower reader should say what it is.

    Source: PNG specification (W3C, third edition), sections 5 and 11.
    """
    if data[: len(_SIGNATURE)] != _SIGNATURE:
        return None
    as_grey = [_SIGNATURE]
    complete = False
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            if len(body) != 13 or body[8] != 8 or body[9] not in (_GREY, _PALETTE) or body[12] != 0:
                return None
            as_grey.append(_chunk(kind, body[:9] + bytes([_GREY]) + body[10:]))
        elif kind == b"IDAT":
            as_grey.append(_chunk(kind, body))
        elif kind == b"IEND":
            as_grey.append(_chunk(kind, body))
            complete = True
    if not complete:
        return None
    try:
        decoded = cv2.imdecode(np.frombuffer(b"".join(as_grey), np.uint8), cv2.IMREAD_UNCHANGED)
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
