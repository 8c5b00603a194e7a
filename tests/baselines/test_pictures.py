"""Pictures made to harm, damaged ones and whatever else a path may name: one line each."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.baselines.pictures import decoded, open_picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *extra: bytes) -> bytes:
    """A grey PNG that claims a size, with further chunks and few pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(64))
    parts = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def refusal(path: Path) -> str:
    with warnings.catch_warnings(record=True) as warned, pytest.raises(InputError) as caught:
        warnings.simplefilter("always")
        decoded(path, open_picture(path, "a mask"), "a mask")
    del warned
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("side", [9_500, 20_000, 2**31 - 1])
def test_a_picture_that_claims_too_many_pixels_is_refused(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png(side, side))
    assert "more pixels than a mask can have" in refusal(tmp_path / "bomb.png")


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_text_chunks_that_unfold_to_gigabytes_are_refused(tmp_path: Path, kind: bytes) -> None:
    packed = zlib.compress(bytes(8 * 2**20))
    body = b"note\0\0" + packed if kind == b"zTXt" else b"note\0\1\0en\0\0" + packed
    (tmp_path / "bomb.png").write_bytes(png(8, 8, *[chunk(kind, body)] * 12))
    assert "damaged" in refusal(tmp_path / "bomb.png")


def test_other_files_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(b"<html>404</html>")
    assert "not an image" in refusal(tmp_path / "page.png")
    (tmp_path / "script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert "not an image" in refusal(tmp_path / "script.jpg")
    assert "a folder" in refusal(tmp_path)


def test_a_good_picture_is_read(tmp_path: Path) -> None:
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(labels).save(tmp_path / "good.png")
    image = open_picture(tmp_path / "good.png", "a mask")
    assert (image.height, image.width) == (6, 8)
    assert np.array_equal(np.array(decoded(tmp_path / "good.png", image, "a mask")), labels)


def picture(kind: str) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP"]), st.data())
def test_no_damage_ends_in_anything_but_a_picture_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    content = bytearray(picture(kind))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    file = tmp_path_factory.getbasetemp() / "damaged"
    file.write_bytes(bytes(content[:end]))
    try:
        decoded(file, open_picture(file, "a frame"), "a frame").convert("RGB")
    except InputError as error:
        assert "\n" not in str(error)
