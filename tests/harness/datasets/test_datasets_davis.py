"""DAVIS: lists, splits, and folders in which something is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.davis import (
    DAVIS16_TRAIN,
    DAVIS16_VAL,
    DAVIS17_TEST_DEV,
    DAVIS17_TRAIN,
    DAVIS17_VAL,
)
from vosbench.harness.datasets.palette import write_labels


@pytest.mark.parametrize(
    ("factory", "name", "protocol"),
    [
        (DAVIS16_VAL, "davis16", "davis16-val@1"),
        (DAVIS16_TRAIN, "davis16-train", "davis16-train@1"),
        (DAVIS17_VAL, "davis17", "davis17-val@1"),
        (DAVIS17_TRAIN, "davis17-train", "davis17-train@1"),
    ],
)
def test_every_split_opens(factory, name: str, protocol: str, davis_root: Path) -> None:
    dataset = factory(davis_root, None)
    assert (dataset.name, dataset.protocol.name) == (name, protocol)
    assert dataset.sequences == ("ant", "bee")
    assert dataset.unscorable is None
    assert [clip.name for clip in dataset.clips] == ["ant", "bee"]


def test_the_2016_list_of_frames_is_read_too(davis_root: Path) -> None:
    (davis_root / "ImageSets/2016/val.txt").unlink()
    listed = davis_root / "ImageSets/480p/val.txt"
    listed.parent.mkdir()
    listed.write_text(
        "".join(
            f"/JPEGImages/480p/{n}/{t:05d}.jpg /A/{n}/{t}.png\n" for n in ("bee",) for t in (0, 1)
        )
    )
    assert DAVIS16_VAL(davis_root, None).sequences == ("bee",)


def test_annotations_alone_are_enough_to_score_but_not_to_run(davis_root: Path) -> None:
    whole = DAVIS17_VAL(davis_root, None).clip("ant")
    shutil.rmtree(davis_root / "JPEGImages")
    dataset = DAVIS17_VAL(davis_root, None)
    clip = dataset.clip("ant")
    assert (clip.size, clip.objects) == (whole.size, whole.objects)
    assert (clip.frame_names, clip.annotation_paths) == (whole.frame_names, whole.annotation_paths)
    for needs_frames in (lambda: clip.image(0), lambda: dataset.select().manifest_sha256):
        with pytest.raises(InputError, match="ant has annotations but no JPEGImages"):
            needs_frames()
    with pytest.raises(InputError, match="no such folder"):
        DAVIS17_TEST_DEV(davis_root, None).clip("ant")


def test_test_dev_has_first_masks_only_and_says_so(davis_root: Path) -> None:
    for t in range(1, 5):
        (davis_root / f"Annotations/480p/ant/{t:05d}.png").unlink()
    dataset = DAVIS17_TEST_DEV(davis_root, None)
    clip = dataset.clip("ant")
    assert sorted(clip.annotation_paths) == [0]
    assert clip.first_masks_only
    assert clip.annotation(3) is None
    assert "not public" in str(dataset.unscorable)


def test_a_missing_annotation_is_named(davis_root: Path) -> None:
    (davis_root / "Annotations/480p/ant/00003.png").unlink()
    with pytest.raises(InputError, match=r"ant/00003\.png: no such file, but its frame is there"):
        DAVIS16_VAL(davis_root, None).clip("ant")


def test_a_missing_frame_is_noticed_by_its_annotation(davis_root: Path) -> None:
    (davis_root / "JPEGImages/480p/ant/00003.jpg").unlink()
    with pytest.raises(InputError, match=r"ant/00003\.png: an annotation without its frame"):
        DAVIS16_VAL(davis_root, None).clip("ant")


def test_an_empty_first_annotation_is_refused(davis_root: Path) -> None:
    write_labels(davis_root / "Annotations/480p/bee/00000.png", np.zeros((24, 32), np.uint8))
    with pytest.raises(InputError, match="no object in the first annotation of bee"):
        DAVIS17_VAL(davis_root, None).clip("bee")


def test_a_listed_sequence_without_folder_fails_alone(davis_root: Path) -> None:
    (davis_root / "ImageSets/2017/val.txt").write_text("ant\ncow\n")
    dataset = DAVIS17_VAL(davis_root, None)
    assert len(dataset.clip("ant")) == 5
    with pytest.raises(InputError, match="cow: no such folder"):
        dataset.clip("cow")


@pytest.mark.parametrize("name", ["../ant", "/etc", "..", "a/b", "a\\b", "C:ant"])
def test_a_list_cannot_leave_the_root(davis_root: Path, name: str) -> None:
    (davis_root / "ImageSets/2017/val.txt").write_text(f"ant\n{name}\n")
    with pytest.raises(InputError, match="could leave the data root"):
        DAVIS17_VAL(davis_root, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [("\n\n", "names no sequence"), ("ant\nant\n", "ant is listed twice")],
)
def test_a_bad_list_is_refused(davis_root: Path, content: str, message: str) -> None:
    (davis_root / "ImageSets/2017/val.txt").write_text(content)
    with pytest.raises(InputError, match=message):
        DAVIS17_VAL(davis_root, None)


def test_links_that_the_user_made_are_followed(davis_root: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    (davis_root / "JPEGImages/480p/ant").rename(real)
    (davis_root / "JPEGImages/480p/ant").symlink_to(real)
    linked = tmp_path / "link"
    linked.symlink_to(davis_root)
    assert DAVIS17_VAL(linked, None).clip("ant").image(0).shape == (24, 32, 3)


def test_selecting(davis_root: Path) -> None:
    dataset = DAVIS16_VAL(davis_root, None)
    selection = dataset.select(["bee"], max_frames=2)
    assert selection.sequences == ("bee",)
    assert [len(clip) for clip in selection.clips] == [2]
    assert dataset.select().sequences == ("ant", "bee")


@pytest.mark.parametrize(
    ("names", "max_frames", "message"),
    [
        (["bees"], None, "no sequence 'bees'; did you mean bee"),
        (["ant", "ant"], None, "selected twice"),
        ([], None, "no sequence of davis16 is selected"),
        (["ant"], 0, "max_frames is 0"),
    ],
)
def test_bad_selections(
    davis_root: Path, names: list[str], max_frames: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        DAVIS16_VAL(davis_root, None).select(names, max_frames)


def test_the_shared_davis16(shared: Callable[[str], Path]) -> None:
    dataset = DAVIS16_VAL(shared("davis16"), None)
    assert len(dataset.sequences) == 12
    clips = list(dataset.clips)
    assert sum(len(clip) for clip in clips) == 864
    assert all(clip.size == (480, 854) and clip.object_ids == (1,) for clip in clips)
    labels = dataset.clip("blackswan").annotation(0)
    assert labels is not None
    assert set(np.unique(labels)) == {0, 1}
