"""Masks of every PNG encoding are read sample by sample, and what holds no ids is refused."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.labels import label_colours, label_size, read_labels

GREY, PALETTE, GREY_ALPHA = 0, 3, 4
ADAM7 = (
    (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)
)  # fmt: skip
MANY = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Labels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    labels: Labels, depth: int, colour: int, filters: tuple[int, ...] = (0,), adam7: bool = False
) -> bytes:
    """A PNG of such samples, written by its specification; its rows take turns at the filters."""
    height, width = labels.shape
    passes = [labels]
    if adam7:
        passes = [labels[y::dy, x::dx] for y, x, dy, dx in ADAM7]
    rows = b"".join(_rows(part, depth, colour, filters) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(adam7))
    body = chunk(b"IHDR", header)
    if colour == PALETTE:
        body += chunk(b"PLTE", bytes((i * 7) % 256 for i in range(3 << depth)))
        body += chunk(b"tRNS", b"\0")
    body += chunk(b"tEXt", b"Comment\0none") + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def _rows(part: Labels, depth: int, colour: int, filters: tuple[int, ...]) -> bytes:
    samples = part.astype(np.uint16)
    if colour == GREY_ALPHA:
        samples = np.stack((samples, np.full_like(samples, 3)), axis=2).reshape(len(part), -1)
    if depth == 16:
        packed = samples.astype(">u2").view(np.uint8).reshape(len(part), -1)
    elif depth == 8:
        packed = samples.astype(np.uint8)
    else:
        bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = np.packbits(bits.reshape(len(part), -1).astype(np.uint8), axis=1)
    step = max(1, depth // 8 * (2 if colour == GREY_ALPHA else 1))
    lines, above = b"", np.zeros(packed.shape[1] + step, np.int64)
    for n, row in enumerate(packed):
        kind, line = (
            filters[n % len(filters)],
            np.concatenate((np.zeros(step), row)).astype(np.int64),
        )
        left, corner = np.roll(line, step), np.roll(above, step)
        left[:step] = corner[:step] = 0
        guess = left + above - corner
        near = np.stack((left, above, corner))
        paeth = np.choose(np.argmin(np.abs(near - guess), axis=0), near)
        minus = (0, left, above, (left + above) // 2, paeth)[kind]
        lines += bytes([kind]) + ((line - minus)[step:] % 256).astype(np.uint8).tobytes()
        above = line
    return lines


DEPTHS = {GREY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16)}
KINDS = [(depth, colour) for colour, depths in DEPTHS.items() for depth in depths]
FILTERS = st.one_of(st.just((0,)), st.lists(st.integers(0, 4), min_size=1, max_size=5).map(tuple))


@MANY
@given(
    kind=st.sampled_from(KINDS),
    size=st.tuples(st.integers(1, 21), st.integers(1, 21)),
    layout=st.tuples(FILTERS, st.booleans()),
    seed=st.integers(0, 99),
)
def test_samples_are_read_as_they_are(
    tmp_path: Path,
    kind: tuple[int, int],
    size: tuple[int, int],
    layout: tuple[tuple[int, ...], bool],
    seed: int,
) -> None:
    depth, colour = kind
    values = [v for v in (0, 1, 2, 3, 7, 12, 255) if v < 1 << depth]
    labels = np.random.default_rng(seed).choice(values, size).astype(np.uint8)
    path = tmp_path / "mask.png"
    path.write_bytes(png(labels, depth, colour, *layout))
    read = read_labels(path, size)
    np.testing.assert_array_equal(read, labels)
    assert read.dtype == np.uint8
    assert read.flags.writeable
    assert label_size(path) == size
    assert (label_colours(path) is not None) == (colour == PALETTE)


@pytest.mark.parametrize("colour", [PALETTE, GREY])
def test_all_256_samples_of_a_palette(tmp_path: Path, colour: int) -> None:
    labels = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    (tmp_path / "m.png").write_bytes(png(labels, 8, colour, (0,), False))
    if colour == PALETTE:
        np.testing.assert_array_equal(read_labels(tmp_path / "m.png"), labels)
    else:  # a grey ramp is no label map
        with pytest.raises(InputError, match="a soft mask, 254 levels"):
            read_labels(tmp_path / "m.png")


def _disk(size: int = 96) -> Labels:
    y, x = np.mgrid[:size, :size]
    return np.where((y - size / 2) ** 2 + (x - size / 2) ** 2 < 900, 255, 0).astype(np.uint8)


def _blurred() -> Labels:
    return np.asarray(cv2.GaussianBlur(_disk(), (0, 0), 3), np.uint8)


def _smaller() -> Labels:
    return np.asarray(cv2.resize(_disk(), (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def _probability() -> Labels:
    return (240 / (1 + np.exp(-(cv2.GaussianBlur(_disk(), (0, 0), 9) / 32.0 - 4)))).astype(np.uint8)


@pytest.mark.parametrize("soft", [_blurred, _smaller, _probability], ids=lambda f: f.__name__)
def test_soft_masks_are_refused_with_the_reason(tmp_path: Path, soft: Callable[[], Labels]) -> None:
    Image.fromarray(soft()).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: a soft mask, .*threshold it") as caught:
        read_labels(tmp_path / "m.png")
    assert "\n" not in str(caught.value)


def _many() -> Labels:
    return (np.arange(1, 28, dtype=np.uint8).reshape(3, 9)).repeat(6, 0).repeat(6, 1)


def _sparse() -> Labels:
    return (10 * np.arange(1, 21, dtype=np.uint8).reshape(4, 5)).repeat(6, 0).repeat(6, 1)


def _rimmed() -> Labels:
    labels = np.where(_disk() > 0, 40, 0).astype(np.uint8)
    labels[:20, :20] = 200
    rim = cv2.dilate(labels, np.ones((3, 3), np.uint8)) != cv2.erode(
        labels, np.ones((3, 3), np.uint8)
    )
    labels[rim] = 255
    return labels


def _noise() -> Labels:
    return np.random.default_rng(0).choice([0, 1, 2, 3, 5, 6, 255], (20, 20)).astype(np.uint8)


@pytest.mark.parametrize("ids", [_disk, _many, _sparse, _rimmed, _noise], ids=lambda f: f.__name__)
def test_grey_ids_are_no_soft_mask(tmp_path: Path, ids: Callable[[], Labels]) -> None:
    Image.fromarray(ids()).save(tmp_path / "m.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "m.png"), ids())


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_are_no_ids(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (8, 6)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"m\.png: holds colours, not object ids"):
        read_labels(tmp_path / "m.png")


def test_more_than_a_palette_of_ids_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((6, 8), 1000, np.uint16)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"holds the value 1000 in 16 bits; object ids go from 1"):
        read_labels(tmp_path / "m.png")


def test_other_formats_are_no_masks(tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(tmp_path / "m.png", format="BMP")
    with pytest.raises(InputError, match=r"m\.png: can't be read as PNG"):
        read_labels(tmp_path / "m.png")


@dataclass(frozen=True)
class Damage:
    """Where a file is cut off and where a byte is changed, as shares of its length."""

    cut: float | None
    flip: float | None

    def apply(self, data: bytes) -> bytes:
        damaged = bytearray(data if self.cut is None else data[: int(self.cut * len(data))])
        if self.flip is not None and damaged:
            damaged[int(self.flip * len(damaged))] ^= 0x41
        return bytes(damaged)


PLACES = st.one_of(st.none(), st.floats(0, 0.999))


@MANY
@given(
    kind=st.sampled_from(KINDS),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    interlaced=st.booleans(),
    damage=st.builds(Damage, PLACES, PLACES),
)
def test_damaged_files_are_read_right_or_refused(
    tmp_path: Path, kind: tuple[int, int], size: tuple[int, int], interlaced: bool, damage: Damage
) -> None:
    labels = np.random.default_rng(size).integers(0, 2, size).astype(np.uint8)
    path = tmp_path / "mask.png"
    path.write_bytes(damage.apply(png(labels, *kind, (0, 1, 4), interlaced)))
    # What is read in spite of damage must be right.
    try:
        read = read_labels(path)
    except InputError as error:
        assert damage != Damage(None, None)
        assert "\n" not in str(error)
    else:
        np.testing.assert_array_equal(read, labels)


def test_the_published_mask_with_alpha(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """DAVIS 2016 has one grey mask with alpha, ``bear/00077``; this one is made like it."""
    source = shared("davis16") / "Annotations/480p/blackswan/00000.png"
    with Image.open(source) as image:
        grey = image.convert("L")
        grey.putalpha(255)
        grey.save(tmp_path / "00077.png")
    with Image.open(tmp_path / "00077.png") as image:
        assert image.mode == "LA"
    expected = np.asarray(grey)[..., 0]
    np.testing.assert_array_equal(read_labels(tmp_path / "00077.png"), expected)
