"""The built-in clips: exact, repeatable, hard where they must be."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import motion as builtin
from vosbench.harness.datasets import stats
from vosbench.harness.datasets.check import check
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.datasets.manifest import pixel_sha256
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.datasets.motion_kinds import KINDS, bounced
from vosbench.harness.datasets.motion_scene import (
    Actor,
    Pose,
    Scene,
    View,
    render,
)
from vosbench.harness.datasets.motion_shapes import Superellipse

SMALL = (64, 96)


@pytest.fixture
def motion() -> Dataset:
    return builtin.MOTION(None, None)


def test_it_is_whole(motion: Dataset) -> None:
    report = check(motion)
    assert report.problems == ()
    assert report.remarks == ()
    assert report.sequences == len(KINDS) == 13
    assert report.frames == report.annotations == 13 * 40
    assert {clip.size for clip in motion.clips} == {(240, 432)}
    assert motion.protocol.name == "motion@1"


def test_its_manifest_holds_the_hashes_of_its_pixels(motion: Dataset) -> None:
    entries = json.loads((motion.root / "manifest.json").read_text())["clips"]
    fast = next(entry for entry in entries if entry["name"] == "fast")
    clip = motion.clip("fast")
    assert fast["sha256"]["images"] == [pixel_sha256(path) for path in clip.image_paths]
    labels = [pixel_sha256(path, True) for _, path in sorted(clip.annotation_paths.items())]
    assert fast["sha256"]["annotations"] == labels


def test_it_is_small(motion: Dataset) -> None:
    assert sum(path.stat().st_size for path in motion.root.rglob("*.*g")) < 40e6


def test_copying_masks_fails_on_fast_clips_and_works_on_still_ones(motion: Dataset) -> None:
    def mean_iou(name: str) -> float:
        return stats.clip_stats(motion.clip(name))[0].mean_iou

    assert mean_iou("fast") < 0.5
    assert mean_iou("dart") < 0.5
    assert mean_iou("still") > 0.95
    assert 0.7 < mean_iou("slow") < 0.9
    paces = [item.motion for item in stats.clip_stats(motion.clip("trio"))]
    assert paces == [stats.Motion.STILL, stats.Motion.STILL, stats.Motion.FAST]


def test_an_object_is_hidden_and_returns(motion: Dataset) -> None:
    (item,) = stats.clip_stats(motion.clip("occlusion"))
    hidden = np.flatnonzero(item.area == 0)
    assert hidden.size >= 5
    assert hidden[0] > 0
    assert hidden[-1] < 39
    assert item.area[-1] > 0.5 * item.area[0]


def test_an_object_comes_late_with_a_mask_worth_tracking(motion: Dataset) -> None:
    clip = motion.clip("late")
    assert clip.objects == {1: 0, 2: 13}
    first = clip.annotation(13)
    assert first is not None
    assert np.count_nonzero(first == 2) > 300


def test_crossing_objects_touch(motion: Dataset) -> None:
    first, _ = stats.clip_stats(motion.clip("crossing"))
    assert first.area.min() < 0.6 * first.area[0]


def test_the_remaining_kinds_do_what_they_say(motion: Dataset) -> None:
    (zoomed,) = stats.clip_stats(motion.clip("zoom"))
    assert zoomed.area.max() > 3 * zoomed.area[0]
    # A panning camera moves the background, which a still one doesn't.
    pan, still = motion.clip("pan"), motion.clip("still")
    moved, kept = (
        np.abs(clip.image(0)[:40].astype(int) - clip.image(20)[:40].astype(int)).mean()
        for clip in (pan, still)
    )
    assert moved > 2 * kept


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_make_equal_pixels_and_others_don_t(kind: str) -> None:
    one, two, other = (make_clip(kind, seed, SMALL, 6) for seed in (1, 1, 2))
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.labels, two.labels)
    assert one.objects == two.objects
    assert not np.array_equal(one.images, other.images)
    assert one.images.shape == (6, *SMALL, 3)
    assert one.images.dtype == one.labels.dtype == np.uint8


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 2**32), st.integers(1, 12))
def test_any_seed_makes_a_clip_that_can_be_tracked(kind: str, seed: int, frames: int) -> None:
    clip = make_clip(kind, seed, (48, 80), frames)
    assert 0 in clip.objects.values()
    assert set(np.unique(clip.labels)) - {0} == set(clip.objects)
    for object_id, first in clip.objects.items():
        assert (clip.labels[first] == object_id).sum() >= 1
        assert not (clip.labels[:first] == object_id).any()


def test_a_mask_is_the_outline_to_the_pixel() -> None:
    square = Superellipse(1.0, 1.0, 60.0)
    texture = np.full((64, 64, 3), 255, np.uint8)
    scene = Scene(
        size=(40, 60),
        background=np.zeros((40, 60, 3), np.uint8),
        actors=(Actor(3, square, texture, lambda t: Pose(20.0 + t, 15.0, 8.0)),),
        view=lambda t: View(30.0, 20.0),
        light=lambda t: 1.0,
        grain=0.0,
    )
    for t in (0, 7):
        image, labels = render(scene, t, np.random.default_rng(0))
        rows, columns = np.nonzero(labels)
        # From 12 to 28 with pixel centres on whole numbers: the rims are half covered.
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (7, 23, 12 + t, 28 + t)
        assert set(np.unique(labels)) == {0, 3}
        assert (image[labels == 0] == 0).mean() > 0.95
        assert (image[8:22, 14 + t : 26 + t] > 100).all()


def test_a_nearer_actor_owns_the_pixels() -> None:
    disc = Superellipse(1.0, 1.0, 2.0)
    texture = np.zeros((64, 64, 3), np.uint8)
    still = View(30.0, 20.0)

    def actor(label: int) -> Actor:
        return Actor(label, disc, texture, lambda t: Pose(30.0, 20.0, 10.0))

    background = np.zeros((40, 60, 3), np.uint8)
    for front, expected in ((2, {0, 2}), (0, {0})):
        scene = Scene(
            (40, 60), background, (actor(1), actor(front)), lambda t: still, lambda t: 1.0, 0.0
        )
        _, labels = render(scene, 0, np.random.default_rng(0))
        assert set(np.unique(labels)) == expected


@given(st.floats(-1e4, 1e4), st.floats(0, 100), st.floats(1, 200))
def test_what_bounces_stays_inside(position: float, low: float, span: float) -> None:
    assert low - 1e-6 <= bounced(position, low, low + span) <= low + span + 1e-6


def test_makers_at_the_same_time_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write = builtin.write_motion
    monkeypatch.setattr(
        builtin, "write_motion", lambda folder, *_: write(folder, {"still": 1}, SMALL, 2)
    )
    barrier = threading.Barrier(3)
    found: list[Path] = []

    def make() -> None:
        barrier.wait()
        found.append(builtin.ensure_motion())

    makers = [threading.Thread(target=make) for _ in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(set(found)) == 1
    assert len(found) == 3
    assert [path.name for path in (tmp_path / "vosbench").iterdir()] == ["motion-1"]


def test_a_maker_that_dies_leaves_nothing_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def die(folder: Path, *_: object) -> None:
        folder.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(builtin, "write_motion", die)
    with pytest.raises(KeyboardInterrupt):
        builtin.ensure_motion()
    assert list((tmp_path / "vosbench").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set XDG_CACHE_HOME"):
        builtin.ensure_motion()


def test_bad_clips_are_refused() -> None:
    with pytest.raises(InputError, match="no kind of sequence named 'jump'"):
        make_clip("jump", 0)
    with pytest.raises(InputError, match="at least 32x32"):
        make_clip("still", 0, (8, 8))


def test_pixels_do_not_depend_on_the_instruction_set() -> None:
    program = (
        "import hashlib\n"
        "from vosbench.harness.datasets.motion import make_clip\n"
        "digest = hashlib.sha256()\n"
        "for kind, seed in (('slow', 301), ('rotation', 310), ('zoom', 7), ('fast', 502)):\n"
        "    clip = make_clip(kind, seed, frames=4)\n"
        "    digest.update(clip.images.tobytes() + clip.labels.tobytes())\n"
        "print(digest.hexdigest())\n"
    )
    plain = {**os.environ}
    reduced = {**plain, "OPENCV_IPP": "disabled", "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX2,FMA3"}
    first, second = (
        subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
        ).stdout
        for env in (plain, reduced)
    )
    assert len(first.strip()) == 64
    assert first == second


def test_the_masks_of_version_1_stay_what_they_are(motion: Dataset) -> None:
    """Change a mask and VERSION must go up; the hash is over all label maps, clip by clip."""
    digest = hashlib.sha256()
    for clip in motion.clips:
        for t in range(len(clip)):
            labels = clip.annotation(t)
            assert labels is not None
            digest.update(labels.tobytes())
    assert builtin.VERSION == 1
    assert digest.hexdigest()[:16] == "b59f3c0918fdce26"
