"""Reading images and label maps: what is right is read, what is damaged is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.decode import image_size, read_image
from vosbench.harness.datasets.labels import read_labels
from vosbench.harness.datasets.palette import encode_labels, label_palette, write_labels


def _jpeg(path: Path, size: tuple[int, int] = (48, 64)) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    return path


def test_a_png_frame_is_read_pixel_by_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png", (5, 7))
    assert np.array_equal(read, pixels)
    assert read.flags.writeable


def test_a_grey_frame_becomes_rgb(tmp_path: Path) -> None:
    grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
    Image.fromarray(grey).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9, 0.999])
def test_a_truncated_jpeg_is_refused(tmp_path: Path, kept: float) -> None:
    path = _jpeg(tmp_path / "a.jpg")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"a\.jpg"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg"):
        read_image(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jpg: no such file"):
        read_image(tmp_path / "none.jpg")


def test_a_turned_jpeg_is_not_turned_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (48, 64, 3)
    assert image_size(tmp_path / "a.jpg") == (48, 64)


def test_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    write_labels(tmp_path / "m.png", np.zeros((48, 63), np.uint8))
    with pytest.raises(InputError, match=r"m\.png: 63x48 .* 64x48"):
        read_labels(tmp_path / "m.png", (48, 64))


def test_a_16_bit_frame_is_refused(tmp_path: Path) -> None:
    Image.new("I;16", (8, 6)).save(tmp_path / "m.png")
    with pytest.raises(InputError, match=r"a frame of mode I;16"):
        read_image(tmp_path / "m.png")


def test_a_truncated_mask_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    write_labels(path, noise)
    path.write_bytes(path.read_bytes()[:1200])
    with pytest.raises(InputError, match=r"m\.png: can't be read as PNG, damaged or cut off"):
        read_labels(path)


def test_label_maps_survive_with_all_256_ids(tmp_path: Path) -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_labels(tmp_path / "deep" / "m.png", labels)
    assert np.array_equal(read_labels(tmp_path / "deep" / "m.png"), labels)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["m.png"]


def test_few_ids_are_read_from_a_narrow_palette_file(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [2, 1]], np.uint8)
    image = Image.fromarray(labels)
    image.putpalette(label_palette().tobytes())
    image.save(tmp_path / "m.png", bits=2)
    assert np.array_equal(read_labels(tmp_path / "m.png"), labels)


def test_the_palette_is_the_known_one() -> None:
    palette = label_palette()
    assert palette.shape == (256, 3)
    assert palette[:8].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
    ]
    assert palette[[8, 64, 255]].tolist() == [[64, 0, 0], [32, 0, 0], [224, 224, 192]]
    assert len({tuple(colour) for colour in palette.tolist()}) == 256


def test_only_label_maps_are_written() -> None:
    with pytest.raises(TypeError, match="uint8"):
        encode_labels(np.zeros((4, 4), np.int64))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="uint8"):
        encode_labels(np.zeros((4, 4, 3), np.uint8))


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.png"
    write_labels(path, np.zeros((2, 2), np.uint8))
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_labels(path, np.ones((2, 2), np.uint8))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.png"]


def test_the_shared_palette_is_ours(shared: Callable[[str], Path]) -> None:
    with Image.open(shared("judo") / "Annotations/judo/00000.png") as image:
        colours = np.asarray(image.getpalette(), np.uint8).reshape(-1, 3)
    assert np.array_equal(colours, label_palette()[: len(colours)])
