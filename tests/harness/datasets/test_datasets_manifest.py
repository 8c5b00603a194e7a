"""Hashes of what is evaluated, the check of a dataset, and statistics of its annotations."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vosbench.harness.datasets import manifest, stats
from vosbench.harness.datasets.check import check
from vosbench.harness.datasets.davis import DAVIS16_VAL, DAVIS17_VAL
from vosbench.harness.datasets.manifest import file_sha256, manifest_sha256, pixel_sha256
from vosbench.harness.datasets.palette import write_labels
from vosbench.harness.datasets.stats import Motion, SizeClass
from vosbench.harness.datasets.youtube_vos import YTVOS18_TRAIN, YTVOS18_VALID


def _hash(root: Path, **kwargs: object) -> str:
    return DAVIS17_VAL(root, None).select(**kwargs).manifest_sha256  # type: ignore[arg-type]


def test_the_place_of_the_files_does_not_matter(davis_root: Path, tmp_path: Path) -> None:
    first = _hash(davis_root)
    assert len(first) == 64
    shutil.copytree(davis_root, tmp_path / "copy")
    assert _hash(tmp_path / "copy") == first
    assert _hash(davis_root) == first


def test_everything_that_is_read_counts(davis_root: Path) -> None:
    clip = DAVIS17_VAL(davis_root, None).clip("ant")
    base = manifest_sha256([clip])
    others = [
        manifest_sha256([clip.cut(4)]),
        manifest_sha256([replace(clip, name="other")]),
        manifest_sha256([replace(clip, objects={1: 0, 2: 1})]),
        manifest_sha256([replace(clip, merge_objects=True, objects={1: 0})]),
        manifest_sha256([clip, clip]),
        _hash(davis_root),
        _hash(davis_root, sequences=["bee", "ant"]),
    ]
    assert len({base, *others}) == len(others) + 1
    write_labels(davis_root / "Annotations/480p/ant/00002.png", np.ones((24, 32), np.uint8))
    changed = manifest_sha256([clip])
    Image.new("RGB", (32, 24)).save(davis_root / "JPEGImages/480p/ant/00002.jpg")
    assert len({base, changed, manifest_sha256([clip])}) == 3


def test_unchanged_files_are_not_read_again(davis_root: Path) -> None:
    read: list[Path] = []

    def counting(path: Path, is_labels: bool = False) -> str:
        read.append(path)
        return file_sha256(path, is_labels)

    dataset = replace(DAVIS17_VAL(davis_root, None), content_hash=counting)
    first = dataset.select(["ant"], max_frames=3).manifest_sha256
    assert len(read) == 6
    assert dataset.select(["ant"], max_frames=3).manifest_sha256 == first
    assert len(read) == 6
    dataset.select(["ant"]).manifest_sha256  # noqa: B018
    assert len(read) == 10
    touched = davis_root / "JPEGImages/480p/ant/00001.jpg"
    os.utime(touched, ns=(1, 1))
    dataset.select(["ant"]).manifest_sha256  # noqa: B018
    assert read[10:] == [touched]


def test_a_damaged_or_unwritable_cache_costs_only_time(
    davis_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = _hash(davis_root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert _hash(davis_root) == expected
    for path in (tmp_path / "cache/vosbench/hashes").iterdir():
        path.write_text("{")
    assert _hash(davis_root) == expected
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _hash(davis_root) == expected


def test_pixels_hash_alike_whatever_the_encoder_wrote(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 9, (20, 30, 3), dtype=np.uint8))
    image.save(tmp_path / "a.png", compress_level=1)
    image.save(tmp_path / "b.png", compress_level=9)
    assert file_sha256(tmp_path / "a.png") != file_sha256(tmp_path / "b.png")
    assert pixel_sha256(tmp_path / "a.png") == pixel_sha256(tmp_path / "b.png")


def test_a_sound_dataset_passes_the_check(davis_root: Path) -> None:
    seen: list[str] = []
    dataset = DAVIS17_VAL(davis_root, None)
    report = check(dataset, on_sequence=seen.append)
    assert (report.sequences, report.frames, report.annotations, report.objects) == (2, 10, 10, 3)
    assert report.problems == ()
    assert report.remarks == ()
    assert report.manifest_sha256 == dataset.select().manifest_sha256
    assert seen == ["ant", "bee"]


def test_the_check_reports_every_defect_and_goes_on(davis_root: Path) -> None:
    (davis_root / "JPEGImages/480p/ant/00001.jpg").write_bytes(b"\xff\xd8\xff")
    write_labels(davis_root / "Annotations/480p/ant/00002.png", np.full((24, 32), 9, np.uint8))
    Image.new("RGB", (32, 24)).save(davis_root / "Annotations/480p/ant/00003.png")
    write_labels(davis_root / "Annotations/480p/ant/00004.png", np.zeros((24, 31), np.uint8))
    (davis_root / "Annotations/480p/bee/00002.png").unlink()
    report = check(DAVIS17_VAL(davis_root, None))
    assert [problem.sequence for problem in report.problems] == ["ant"] * 3 + ["bee"]
    text = "\n".join(problem.message for problem in report.problems)
    for part in ("00001.jpg", "holds colours", "31x24", "bee/00002.png: no such file"):
        assert part in text
    assert report.manifest_sha256 is None


def test_the_check_remarks_on_other_palettes(davis_root: Path) -> None:
    path = davis_root / "Annotations/480p/bee/00000.png"
    with Image.open(path) as image:
        labels = np.array(image)
    other = Image.fromarray(labels)
    other.putpalette([7] * 768)
    other.save(path)
    report = check(DAVIS17_VAL(davis_root, None))
    assert report.problems == ()
    assert [remark.sequence for remark in report.remarks] == ["bee"]
    Image.fromarray(labels).save(path)
    assert "grey" in check(DAVIS17_VAL(davis_root, None)).remarks[0].message
    assert check(DAVIS16_VAL(davis_root, None)).remarks == ()


def test_the_check_compares_with_meta_json(make_ytvos: Callable[..., Path]) -> None:
    root = make_ytvos(videos=("v1",))
    assert check(YTVOS18_TRAIN(root, None)).problems == ()
    labels = np.zeros((24, 32), np.uint8)
    labels[:4] = 1
    labels[5:8] = 2
    write_labels(root / "train/Annotations/v1/00000.png", labels)
    (root / "train/JPEGImages/v1/00010.jpg").unlink()
    (root / "train/Annotations/v1/00010.png").unlink()
    text = "\n".join(p.message for p in check(YTVOS18_TRAIN(root, None)).problems)
    assert "object 1: meta.json names frame 00010, which has no file" in text
    assert "object 2 is in annotation 00000, before its first frame" in text


def test_statistics_of_a_moving_square(davis_root: Path) -> None:
    one, two = stats.clip_stats(DAVIS17_VAL(davis_root, None).clip("ant"))
    # Squares of six pixels that shift by one: 30 of 42 pixels in common.
    assert (one.object_id, two.object_id) == (1, 2)
    assert np.isnan(one.iou[0])
    assert one.iou[1:].tolist() == [30 / 42] * 4
    assert one.mean_iou == pytest.approx(30 / 42)
    assert one.motion is Motion.SLOW
    assert one.mean_area == pytest.approx(36 / (24 * 32))
    assert one.size is SizeClass.MEDIUM
    histogram = stats.iou_histogram([one, two])
    assert sum(histogram.counts) == histogram.counts[7] == 8
    assert histogram.above_high == 1.0
    assert [each.motion for each in (one, two)] == [Motion.SLOW, Motion.SLOW]


def test_late_objects_begin_at_their_first_frame(make_ytvos: Callable[..., Path]) -> None:
    clip = YTVOS18_TRAIN(make_ytvos(), None).clip("v1")
    one, two = stats.clip_stats(clip)
    assert one.frames.tolist() == [0, 1, 2]
    assert two.frames.tolist() == [1, 2]
    assert two.mean_iou == 1.0


def test_first_masks_alone_say_nothing_about_motion(make_ytvos: Callable[..., Path]) -> None:
    root = make_ytvos(split="valid", first_masks_only=True)
    found = stats.clip_stats(YTVOS18_VALID(root, None).clip("v1"))
    assert [item.motion for item in found] == [None, None]
    assert np.isnan(stats.iou_histogram(found).above_high)
    assert all(each.motion is None for each in found)


def test_an_object_that_stays_away_is_not_still(davis_root: Path) -> None:
    for t in (2, 3, 4):
        path = davis_root / f"Annotations/480p/bee/{t:05d}.png"
        write_labels(path, np.zeros((24, 32), np.uint8))
    (bee,) = stats.clip_stats(DAVIS17_VAL(davis_root, None).clip("bee"))
    assert bee.iou[2] == 0.0
    assert np.isnan(bee.iou[3:]).all()
    assert bee.mean_area == pytest.approx(36 / (24 * 32))


@given(st.floats(0, 1), st.floats(0, 1))
def test_classes_are_ordered(a: float, b: float) -> None:
    low, high = sorted((a, b))
    order = [Motion.FAST, Motion.SLOW, Motion.STILL]
    assert order.index(stats.motion_class(low)) <= order.index(stats.motion_class(high))
    sizes = [SizeClass.SMALL, SizeClass.MEDIUM, SizeClass.LARGE]
    assert sizes.index(stats.size_class(low)) <= sizes.index(stats.size_class(high))


def test_the_bounds_belong_to_the_upper_class() -> None:
    assert stats.motion_class(0.9) is Motion.STILL
    assert stats.motion_class(0.7) is Motion.SLOW
    assert stats.size_class(0.02) is SizeClass.MEDIUM
    assert stats.size_class(0.1) is SizeClass.LARGE


def test_the_cache_of_a_clip_is_one_file_for_all_cuts(davis_root: Path) -> None:
    clip = DAVIS17_VAL(davis_root, None).clip("ant")
    assert manifest._cache_path(clip, file_sha256) == manifest._cache_path(clip.cut(2), file_sha256)
    assert manifest._cache_path(clip, file_sha256) != manifest._cache_path(clip, pixel_sha256)
