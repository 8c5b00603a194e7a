"""First-frame sets: the untouched frame first, masks that are never empty, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.baselines.augment import Augmented, _blend, first_frame_set

HEIGHT, WIDTH = 72, 101


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def mask(top: int, left: int, height: int, width: int) -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), bool)
    drawn[top : top + height, left : left + width] = True
    return drawn


def draw(given: np.ndarray, seed: int, count: int = 5) -> tuple[Augmented, ...]:
    return first_frame_set(image(), given, np.random.default_rng(seed), count)


def test_the_first_sample_is_untouched() -> None:
    given = mask(20, 30, 25, 30)
    first, *others = draw(given, 0)
    assert np.array_equal(first.image, image())
    assert np.array_equal(first.mask, given)
    assert len(others) == 4
    assert all(not np.array_equal(o.mask, given) for o in others)


@pytest.mark.parametrize(
    "given",
    [
        mask(20, 30, 25, 30),
        mask(0, 0, 12, 12),
        mask(HEIGHT - 6, WIDTH - 8, 6, 8),
        mask(0, 40, HEIGHT, 10),
        mask(0, 0, HEIGHT, WIDTH),
        mask(30, 40, 1, 1),
    ],
    ids=["inside", "corner", "other corner", "across", "everything", "one pixel"],
)
def test_masks_are_never_empty(given: np.ndarray) -> None:
    for seed in range(6):
        for sample in draw(given, seed):
            assert sample.mask.any()
            assert sample.image.shape == (HEIGHT, WIDTH, 3) and sample.image.dtype == np.uint8
            assert sample.mask.shape == (HEIGHT, WIDTH) and sample.mask.dtype == bool


def test_the_generator_decides_everything() -> None:
    given = mask(20, 30, 25, 30)
    one, again, other = draw(given, 4), draw(given, 4), draw(given, 5)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, again, strict=True))
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(one, again, strict=True))
    assert any(not np.array_equal(a.mask, b.mask) for a, b in zip(one, other, strict=True))


def test_the_object_moves_with_its_mask() -> None:
    """A bright object on a dark ground stays bright where its mask says it is."""
    given = mask(25, 35, 24, 30)
    picture = np.where(given[..., None], np.uint8(250), np.uint8(5)).repeat(3, axis=2)
    for sample in first_frame_set(picture, given, np.random.default_rng(1), 9)[1:]:
        inside, outside = sample.image[sample.mask], sample.image[~sample.mask]
        assert inside.mean() > 180
        assert outside.mean() < 60


def test_the_inputs_are_left_alone() -> None:
    given, picture = mask(20, 30, 25, 30), image()
    first_frame_set(picture, given, np.random.default_rng(0))
    assert np.array_equal(picture, image())
    assert np.array_equal(given, mask(20, 30, 25, 30))


def test_blending_where_it_shows_is_blending_everywhere() -> None:
    rng = np.random.default_rng(3)
    front, back = (rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8) for _ in range(2))
    for top, left, height, width in ((0, 0, 9, 9), (20, 30, 40, 50), (0, 0, HEIGHT, WIDTH)):
        alpha = rng.random((HEIGHT, WIDTH), np.float32) * mask(top, left, height, width)
        over = alpha[..., None]
        plain = front.astype(np.float32) * over + back.astype(np.float32) * (1 - over)
        assert np.array_equal(_blend(front, back, alpha), plain.round().astype(np.uint8))
    nothing = np.zeros((HEIGHT, WIDTH), np.float32)
    assert np.array_equal(_blend(front, back, nothing), back)
