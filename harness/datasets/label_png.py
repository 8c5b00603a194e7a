"""Decodes grey and palette PNGs into their samples as stored, most of them four times as fast.

Masks compress so well that inflating them is most of the work, which zlib-ng does in a quarter of
zlib's time. Pillow and DAVIS write palette rows without filters: what is inflated is the indices
then. Rows with filters go to OpenCV, which copies less than Pillow; that it turns palettes into
colours is avoided by taking the palette out of the file's header. Samples of fewer than 8 bits are
decoded as the bytes that hold them, for a filter works on bytes. The other kinds are left to
Pillow, under a header that keeps it from stretching them.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from zlib_ng import zlib_ng

from vosbench.baselines.pictures import BROKEN

Samples = NDArray[np.uint8] | NDArray[np.uint16]

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""What a PNG's header says of a pixel."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BROKEN_PICTURE: tuple[type[Exception], ...] = (*BROKEN, Image.DecompressionBombError)
# Its stub declares the class as a variable.
_BROKEN_STREAM: type[Exception] = zlib_ng.error  # type: ignore[assignment]


class Header(NamedTuple):
    """What the header of a PNG says: pixels, bits of a sample, kind of a pixel."""

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    def chunk(self, *, width: int | None = None, depth: int = 8, colour: int = GREY) -> bytes:
        """The chunk of a header that says something else of the same bytes."""
        size = (self.width if width is None else width).to_bytes(4) + self.height.to_bytes(4)
        return _chunk(b"IHDR", size + bytes((depth, colour, 0, 0, self.interlaced)))


class LabelPng(NamedTuple):
    """A whole PNG whose checksums fit: its header, its compressed rows and its palette."""

    header: Header
    compressed: bytes
    palette: bytes | None

    def samples(self) -> Samples | None:
        """The samples of a grey or palette PNG as they are stored, (H, W); alpha is left out.

        uint16 for 16 bits, else uint8. None if the rows are damaged.
        """
        header = self.header
        if header.depth > 8 or header.colour == GREY_ALPHA or header.interlaced:
            return self._by_pillow()
        row_bytes = (header.width * header.depth + 7) // 8
        rows = self._unfiltered(row_bytes)
        if rows is None:
            rows = self._by_opencv(row_bytes)
        if rows is None or header.depth == 8:
            return rows
        shifts = np.arange(8 - header.depth, -1, -header.depth, dtype=np.uint8)
        spread = (rows[:, :, None] >> shifts) & np.uint8((1 << header.depth) - 1)
        return np.ascontiguousarray(spread.reshape(header.height, -1)[:, : header.width])

    def _unfiltered(self, row_bytes: int) -> NDArray[np.uint8] | None:
        """The rows' bytes where no row has a filter."""
        size = self.header.height * (row_bytes + 1)  # each row begins with the number of its filter
        try:
            rows = zlib_ng.decompressobj().decompress(self.compressed, size + 1)
        except _BROKEN_STREAM:
            return None
        if len(rows) != size:
            return None
        numbered = np.frombuffer(rows, np.uint8).reshape(self.header.height, row_bytes + 1)
        return None if numbered[:, 0].any() else numbered[:, 1:].copy()

    def _by_opencv(self, row_bytes: int) -> NDArray[np.uint8] | None:
        """The rows' bytes by whatever filters, read as grey."""
        data = self._under(self.header.chunk(width=row_bytes))
        try:
            decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None
        # OpenCV returns None for what it can't decode, whatever its type hints say.
        pixels: NDArray[np.generic] | None = decoded
        if pixels is None or pixels.ndim != 2 or pixels.dtype != np.uint8:
            return None
        return pixels.astype(np.uint8, copy=False)

    def _by_pillow(self) -> Samples | None:
        """What is interlaced, has 16 bits or alpha, its bytes taken for channels of 8 bits."""
        header = self.header
        wide, alpha = header.depth == 16, header.colour == GREY_ALPHA
        channels = {1: GREY, 2: GREY_ALPHA, 4: RGBA}[(1 + alpha) * (1 + wide)]
        depth = min(header.depth, 8)
        data = self._under(header.chunk(depth=depth, colour=channels))
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                pixels = np.array(image, np.uint8)
        except _BROKEN_PICTURE:
            return None
        if wide:
            high, low = pixels[..., 0].astype(np.uint16), pixels[..., 1]
            return high * np.uint16(256) + low
        if alpha:
            return np.ascontiguousarray(pixels[..., 0])
        # Pillow stretches 2 and 4 bits of grey to the range of 8.
        return pixels // np.uint8(255 // ((1 << depth) - 1)) if depth in (2, 4) else pixels

    def _under(self, header: bytes) -> bytes:
        """The same rows under another header; what else the file holds is left out."""
        return _SIGNATURE + header + _chunk(b"IDAT", self.compressed) + _chunk(b"IEND", b"")


def parse_png(data: bytes) -> LabelPng | None:
    """Take a PNG apart; None if it is none, is cut off, or a checksum doesn't fit.

    Source: PNG specification (W3C, third edition), sections 5 and 11.
    """
    if data[: len(_SIGNATURE)] != _SIGNATURE:
        return None
    header, palette, bodies = b"", None, []
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"IDAT":
            bodies.append(body)
        elif kind == b"IEND":
            return _parsed(header, b"".join(bodies), palette)
    return None


def _parsed(header: bytes, compressed: bytes, palette: bytes | None) -> LabelPng | None:
    if len(header) != 13:
        return None
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    depth, colour, interlaced = header[8], header[9], header[12]
    if depth not in (1, 2, 4, 8, 16) or interlaced > 1:
        return None
    return LabelPng(Header(width, height, depth, colour, bool(interlaced)), compressed, palette)


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
