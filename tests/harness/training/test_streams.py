"""Streams of clips: a window that slides with the step, made ahead, removed behind."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from training_toys import CLIPS, make_pool, write_pictures

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.clips import draw_times
from vosbench.harness.training.data.pictures import PictureFolder, blended, open_pictures
from vosbench.harness.training.data.pool import ClipStream
from vosbench.harness.training.data.producing import producing
from vosbench.harness.training.data.synthetic import SyntheticClips
from vosbench.harness.training.data.videos import MotionClips


def test_the_window_is_a_function_of_the_step() -> None:
    stream = ClipStream(0.5, step=0)
    assert stream.window(100) == (0, ClipStream.BEGINNING)
    stream.move(2 * (100 - ClipStream.BEGINNING))
    assert stream.window(100) == (0, 100)
    stream.move(stream.step + 21)
    assert stream.window(100) == (10, 100)


def test_clips_behind_the_window_are_removed_and_made_again(tmp_path: Path) -> None:
    pool = replace(
        make_pool(tmp_path, size=2), stream=ClipStream(1.0, step=2 - ClipStream.BEGINNING)
    )
    assert set(pool.choose(2, np.random.default_rng(0))) == {0, 1}
    old = pool.ensure(0)
    before = old.read_bytes()
    pool.advance(pool.stream.step + 1)  # type: ignore[union-attr]
    assert not old.exists()
    assert set(pool.choose(2, np.random.default_rng(0))) == {1, 2}
    assert pool.ensure(0).read_bytes() == before
    pool.stream.keep = True  # type: ignore[union-attr]
    kept = pool.ensure(1)
    pool.advance(pool.stream.step + 1)  # type: ignore[union-attr]
    assert kept.exists()


def test_workers_make_what_the_window_will_reach(tmp_path: Path) -> None:
    pool = replace(
        make_pool(tmp_path, size=2), stream=ClipStream(1.0, step=2 - ClipStream.BEGINNING)
    )
    place = pool.ensure(0).parent
    with producing(pool, workers=1):
        # Workers begin by themselves: nobody has read clip 1 yet.
        for _ in range(600):
            if len(list(place.glob("0*.safetensors"))) >= 3:
                break
            time.sleep(0.1)
    assert len(list(place.glob("0*.safetensors"))) >= 3
    assert pool.stream is not None and pool.stream.told is None


def test_times_leap_forwards_alone() -> None:
    rng = np.random.default_rng(0)
    times = np.stack([draw_times(6, 0.35, rng) for _ in range(2000)])
    steps = np.diff(times)
    assert (times[:, 0] == 0).all() and steps.min() == 1 and steps.max() <= 24
    assert 0.3 < (steps > 1).mean() < 0.4
    assert (np.diff(draw_times(6, 0.0, rng)) == 1).all()


def test_clips_without_leaps_are_what_they_were(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path)
    plain = SyntheticClips(pictures, CLIPS)
    leaping = SyntheticClips(pictures, replace(CLIPS, leaps=1.0))
    assert plain.sha256 != leaping.sha256
    assert (plain.draw(1).masks[0] == leaping.draw(1).masks[0]).all()
    assert (plain.draw(1).masks[-1] != leaping.draw(1).masks[-1]).any()
    motion = MotionClips((64, 96), 4, leaps=0.5)
    assert motion.sha256 != replace(motion, leaps=0.0).sha256
    assert motion.draw(3).images.shape == (4, 64, 96, 3)


def test_a_twin_is_in_the_picture_and_not_in_the_mask(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path)
    config = replace(CLIPS, distractors=0.0, occluders=0.0)
    alone, beside = (SyntheticClips(pictures, replace(config, twins=t)) for t in (1e-9, 1.0))
    assert SyntheticClips(pictures, config).sha256 != beside.sha256
    scenes = [source._stage(pictures[0], np.random.default_rng(5)) for source in (alone, beside)]
    assert [len(scene.layers) for scene in scenes] == [2, 3]
    twin, target = (scenes[1].layers[i][0] for i in (1, scenes[1].target))
    assert np.array_equal(np.sort(twin.texture.ravel()), np.sort(target.texture.ravel()))


def test_folders_are_blended_by_weight(tmp_path: Path) -> None:
    few, many = write_pictures(tmp_path / "few", 2), write_pictures(tmp_path / "many", 8)
    whole = blended([(1.0, few), (2.0, many)])
    shares = [sum(pair[0].parts[-3] == name for pair in whole.files) for name in ("few", "many")]
    assert shares[1] == 8 * shares[0] // 4
    assert blended([(1.0, few), (2.0, many)]).sha256 == whole.sha256
    assert blended([(3.0, few)]) == few


def test_a_set_is_named_behind_its_folder(tmp_path: Path) -> None:
    write_pictures(tmp_path / "p", 12)
    tens = open_pictures(tmp_path / "p" / "01")
    assert isinstance(tens, PictureFolder)
    assert [pair[0].stem for pair in tens.files] == ["010", "011"]
    with pytest.raises(InputError, match="no picture whose name begins with xyz"):
        open_pictures(tmp_path / "p" / "xyz")
