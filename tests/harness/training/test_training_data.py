"""Synthetic clips: repeatable, as unkind as they claim, and exact in their masks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_toys import CLIPS, write_pictures

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.clips import Mixture, TrainingClip
from vosbench.harness.training.data.layers import line_kernel, make_texture, over, thin_plate
from vosbench.harness.training.data.paths import draw_wave
from vosbench.harness.training.data.pictures import open_pictures
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.data.videos import MotionClips


@pytest.fixture
def source(tmp_path: Path) -> SyntheticClips:
    return SyntheticClips(write_pictures(tmp_path), CLIPS)


def test_a_seed_gives_one_clip_and_seeds_differ(source: SyntheticClips) -> None:
    again = SyntheticClips(open_pictures(source.pictures.root), CLIPS)
    first, same, other = source.draw(3), again.draw(3), source.draw(4)
    assert np.array_equal(first.images, same.images) and np.array_equal(first.masks, same.masks)
    assert not np.array_equal(first.images, other.images)
    assert first.images.shape == (5, 64, 96, 3) and first.images.dtype == np.uint8
    assert first.masks.shape == (5, 64, 96) and first.masks.dtype == np.bool_


def test_masks_lie_on_the_bright_disks(source: SyntheticClips) -> None:
    calm = SyntheticClips(source.pictures, replace(CLIPS, occluders=0, distractors=0))
    brighter = 0
    for seed in range(12):
        clip = calm.draw(seed)
        grey = clip.images[1].mean(axis=-1)
        mask = clip.masks[1]
        if 20 < mask.sum() < mask.size - 20:
            brighter += grey[mask].mean() > np.median(grey[~mask])
    assert brighter >= 10


def test_motion_runs_from_still_to_fast(source: SyntheticClips) -> None:
    ious = []
    for seed in range(40):
        masks = source.draw(seed).masks
        pairs = [(a & b).sum() / max((a | b).sum(), 1) for a, b in pairwise(masks[1:])]
        ious.append(float(np.mean(pairs)))
    assert max(ious) > 0.95
    assert np.percentile(ious, 10) < 0.7


def test_hash_follows_pictures_and_config(source: SyntheticClips) -> None:
    assert source.sha256 != SyntheticClips(source.pictures, replace(CLIPS, late=0)).sha256
    fewer = replace(source.pictures, files=source.pictures.files[:-1])
    assert source.sha256 != SyntheticClips(fewer, CLIPS).sha256


def test_split_is_disjoint_whole_and_by_name(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path, 40)
    kept, held = pictures.split(0.3)
    assert set(kept.files) | set(held.files) == set(pictures.files)
    assert not set(kept.files) & set(held.files)
    assert 4 <= len(held) <= 20
    part = replace(pictures, files=pictures.files[:10])
    assert set(part.split(0.3)[1].files) == set(held.files) & set(part.files)


def test_pictures_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder 'images'"):
        open_pictures(tmp_path)
    pictures = write_pictures(tmp_path, 1)
    cv2.imwrite(str(pictures.files[0][1]), np.zeros((5, 5), np.uint8))
    with pytest.raises(InputError, match="differ in size"):
        pictures[0]
    pictures.files[0][1].write_bytes(b"?")
    with pytest.raises(InputError, match="can't be read"):
        pictures[0]


def test_pictures_leave_out_what_systems_leave_behind(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path, 2)
    for folder in ("images", "masks"):
        for left in (".DS_Store", "._picture.jpg", "Thumbs.db"):
            (tmp_path / folder / left).write_bytes(b"junk")
    assert open_pictures(tmp_path).files == pictures.files


def test_masks_without_objects_are_refused(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path, 2)
    for _, mask in pictures.files:
        cv2.imwrite(str(mask), np.zeros((60, 80), np.uint8))
    with pytest.raises(InputError, match="hardly any mask"):
        SyntheticClips(pictures, CLIPS).draw(0)


class Named:
    """A source whose clips tell who drew them."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.sha256 = str(value)

    def draw(self, seed: int) -> TrainingClip:
        value = np.full((1, 2, 2, 3), self.value, np.uint8)
        return TrainingClip(value, np.ones((1, 2, 2), np.bool_))


def test_mixture_draws_by_weight() -> None:
    mixture = Mixture(((3.0, Named(1)), (1.0, Named(2))))
    drawn = [int(mixture.draw(seed).images[0, 0, 0, 0]) for seed in range(400)]
    assert 0.65 < drawn.count(1) / 400 < 0.85
    assert drawn == [int(mixture.draw(seed).images[0, 0, 0, 0]) for seed in range(400)]
    assert mixture.sha256 != Mixture(((1.0, Named(1)), (1.0, Named(2)))).sha256


def test_motion_generator_serves_as_a_source() -> None:
    source = MotionClips((64, 96), 4)
    clip = source.draw(5)
    assert clip.images.shape == (4, 64, 96, 3) and clip.masks[0].any()
    assert np.array_equal(clip.images, source.draw(5).images)


def test_thin_plate_meets_its_points() -> None:
    rng = np.random.default_rng(0)
    points, shifts = rng.normal(size=(9, 2)), rng.normal(size=(9, 2))
    assert thin_plate(points, shifts, points) == pytest.approx(shifts, abs=1e-6)
    affine = points @ np.array([[0.5, 0.2], [-0.1, 0.3]]) + 1
    elsewhere = rng.normal(size=(4, 2))
    expected = elsewhere @ np.array([[0.5, 0.2], [-0.1, 0.3]]) + 1
    assert thin_plate(points, affine, elsewhere) == pytest.approx(expected, abs=1e-6)


@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(0, 5), st.floats(0, 100))
def test_waves_start_at_rest_and_stay_bounded(
    seed: int, reach: float, speed: float, time: float
) -> None:
    wave = draw_wave(np.random.default_rng(seed), (2,), reach, speed)
    assert wave.at(0) == pytest.approx([0, 0])
    assert np.abs(wave.at(time)).max() <= 2 * reach + 1e-9


@given(st.floats(-3, 3), st.floats(1.5, 31))
def test_blur_keeps_brightness(angle: float, length: float) -> None:
    kernel = line_kernel(np.array([np.cos(angle), np.sin(angle)]), length)
    assert kernel.sum() == pytest.approx(1)


def test_over_keeps_what_is_opaque() -> None:
    image = np.full((4, 4, 3), 200, np.uint8)
    back = make_texture(np.zeros((4, 4, 3), np.uint8), None)
    assert over(make_texture(image, None), back)[..., :3] == pytest.approx(200)
    empty = make_texture(image, np.zeros((4, 4), np.bool_))
    assert over(empty, back) == pytest.approx(back)
