"""YouTube-VOS: splits, meta.json, classes, and what the server gets."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets import export
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.export import YTVOS, export_archive
from vosbench.harness.datasets.generic import YTVOS_LAYOUT
from vosbench.harness.datasets.palette import label_palette
from vosbench.harness.datasets.youtube_vos import (
    YTVOS18_TRAIN,
    YTVOS18_VALID,
    YTVOS19_HELDOUT,
    YTVOS19_TRAIN_ALL,
    YTVOS19_VALID_ALL,
)

Make = Callable[..., Path]


def test_train_has_every_fifth_frame(make_ytvos: Make) -> None:
    dataset = YTVOS18_TRAIN(make_ytvos(), None)
    clip = dataset.clip("v1")
    assert clip.frame_names == ("00000", "00005", "00010")
    assert clip.objects == {1: 0, 2: 1}
    assert clip.classes == {1: "cat", 2: "dog"}
    assert clip.unseen == frozenset()
    assert dataset.unscorable is None


def test_all_frames_are_annotated_on_every_fifth(make_ytvos: Make) -> None:
    clip = YTVOS19_TRAIN_ALL(make_ytvos(), None).clip("v2")
    assert len(clip) == 11
    assert sorted(clip.annotation_paths) == [0, 5, 10]
    assert clip.objects == {1: 0, 2: 5}
    assert clip.annotation(3) is None
    assert clip.output_frames == (0, 5, 10)


@pytest.mark.parametrize("place", ["all_frames/valid_all_frames", "valid_all_frames/valid"])
def test_all_frames_are_found_in_the_usual_places(make_ytvos: Make, place: str) -> None:
    root = make_ytvos(split="valid", first_masks_only=True)
    folder = root / place / "JPEGImages"
    folder.parent.mkdir(parents=True)
    shutil.move(root / "valid_all_frames/JPEGImages", folder)
    assert len(YTVOS19_VALID_ALL(root, None).clip("v1")) == 11


def test_missing_all_frames_are_said_to_be_missing(make_ytvos: Make) -> None:
    root = make_ytvos(split="valid")
    shutil.rmtree(root / "valid_all_frames")
    with pytest.raises(InputError, match="valid_all_frames/JPEGImages: not there"):
        YTVOS19_VALID_ALL(root, None)


def test_valid_cannot_be_scored_here(make_ytvos: Make) -> None:
    dataset = YTVOS18_VALID(make_ytvos(split="valid", first_masks_only=True), None)
    assert "vosbench export --ytvos" in str(dataset.unscorable)
    clip = dataset.clip("v1")
    assert clip.first_masks_only
    assert clip.unseen is None


def test_unseen_classes_are_those_not_trained_on(make_ytvos: Make) -> None:
    root = make_ytvos(split="valid", classes={1: "cat", 2: "yak"})
    make_ytvos(split="train", classes={1: "cat", 2: "dog"})
    assert YTVOS18_VALID(root, None).clip("v1").unseen == {2}


def test_training_classes_may_come_from_a_list(make_ytvos: Make) -> None:
    root = make_ytvos(split="valid")
    (root / "training_classes.txt").write_text("dog\n")
    assert YTVOS18_VALID(root, None).clip("v1").unseen == {1}


def test_held_out_videos_come_from_a_list(make_ytvos: Make, tmp_path: Path) -> None:
    root = make_ytvos(videos=("v1", "v2", "v3"))
    meta = json.loads((root / "train/meta.json").read_text())
    meta["videos"]["v3"]["objects"]["1"]["category"] = "yak"
    (root / "train/meta.json").write_text(json.dumps(meta))
    (tmp_path / "mine.txt").write_text("v3\n")
    dataset = YTVOS19_HELDOUT(root, str(tmp_path / "mine.txt"))
    assert dataset.sequences == ("v3",)
    assert dataset.unscorable is None
    assert dataset.clip("v3").unseen == {1}
    (root / "ImageSets").mkdir()
    (root / "ImageSets/heldout.txt").write_text("v2\n")
    assert YTVOS19_HELDOUT(root, None).sequences == ("v2",)
    (root / "ImageSets/heldout.txt").write_text("v9\n")
    with pytest.raises(InputError, match="v9 is not a video of"):
        YTVOS19_HELDOUT(root, None)


def _meta(root: Path, change: Callable[[dict], None]) -> Path:
    path = root / "train/meta.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return root


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["videos"].update({"../v9": m["videos"]["v1"]}), "could leave the data root"),
        (lambda m: m["videos"]["v1"]["objects"]["1"].update(frames=["../0"]), "could leave the"),
        (lambda m: m["videos"]["v1"]["objects"].update({"256": {}}), "from 1 to 254"),
        (lambda m: m["videos"]["v1"]["objects"].update({"255": {}}), "255 is void in masks"),
        (lambda m: m["videos"]["v1"]["objects"].update({"x": {}}), "from 1 to 254"),
        (lambda m: m["videos"]["v1"]["objects"]["1"].pop("frames"), "lists no frames"),
        (lambda m: m["videos"]["v1"].pop("objects"), 'holds no "objects"'),
        (lambda m: m.pop("videos"), 'holds no "videos"'),
    ],
)
def test_a_bad_meta_json_is_refused(
    make_ytvos: Make, change: Callable[[dict], None], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        YTVOS18_TRAIN(_meta(make_ytvos(), change), None)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_damaged_meta_json_is_refused(make_ytvos: Make, content: str) -> None:
    root = make_ytvos()
    (root / "train/meta.json").write_text(content)
    with pytest.raises(InputError, match=r"meta\.json"):
        YTVOS18_TRAIN(root, None)


def test_an_object_whose_first_frame_is_missing_is_refused(make_ytvos: Make) -> None:
    root = make_ytvos()
    (root / "train/JPEGImages/v1/00005.jpg").unlink()
    (root / "train/Annotations/v1/00005.png").unlink()
    with pytest.raises(InputError, match="frame 00005 is missing, in which object 2 starts"):
        YTVOS18_TRAIN(root, None).clip("v1")


def test_an_object_whose_first_annotation_is_missing_is_refused(make_ytvos: Make) -> None:
    root = make_ytvos()
    (root / "train/Annotations/v1/00005.png").unlink()
    with pytest.raises(InputError, match="object 2 starts in frame 00005, which has no annotation"):
        YTVOS18_TRAIN(root, None).clip("v1")


def _predictions(clip: Clip) -> Iterator[export.Prediction]:
    for t in range(len(clip)):
        labels = np.zeros(clip.size, np.uint8)
        labels[t : t + 3, :5] = 1
        yield clip, t, labels


def _all(clips: list[Clip]) -> Iterator[export.Prediction]:
    for clip in clips:
        yield from _predictions(clip)


def test_the_zip_holds_what_the_server_wants(make_ytvos: Make, tmp_path: Path) -> None:
    root = make_ytvos(split="valid", first_masks_only=True)
    clips = list(YTVOS19_VALID_ALL(root, None).clips)
    done = export_archive(YTVOS, clips, _all(clips), tmp_path / "out" / "s.zip")
    assert (done.videos, done.frames) == (2, 6)
    with zipfile.ZipFile(done.path) as archive:
        assert sorted(archive.namelist()) == [
            f"Annotations/{v}/{t:05d}.png" for v in ("v1", "v2") for t in (0, 5, 10)
        ]
        with Image.open(io.BytesIO(archive.read("Annotations/v1/00005.png"))) as image:
            assert image.mode == "P"
            assert image.getpalette()[3:6] == label_palette()[1].tolist()
            assert np.flatnonzero(np.array(image)[:, 0]).tolist() == [5, 6, 7]
    again = export_archive(YTVOS, clips, _all(clips), tmp_path / "again.zip")
    assert again.sha256 == done.sha256


@pytest.mark.parametrize("what", ["missing", "twice", "size", "id"])
def test_bad_predictions_leave_no_zip(make_ytvos: Make, tmp_path: Path, what: str) -> None:
    clips = list(YTVOS18_TRAIN(make_ytvos(), None).clips)
    given = list(_all(clips))
    message = "no prediction for Annotations/v2/00010.png"
    if what == "missing":
        given.pop()
    elif what == "twice":
        given.append(given[0])
        message = "predicted twice"
    elif what == "size":
        given[1] = (clips[0], 1, np.zeros((3, 3), np.uint8))
        message = r"a prediction of \(3, 3\)"
    else:
        given[1][2][0, 0] = 9
        message = "predicts object 9"
    with pytest.raises(InputError, match=message):
        export_archive(YTVOS, clips, given, tmp_path / "s.zip")
    assert not list(tmp_path.glob("*.zip*"))
    assert not list(tmp_path.glob(".*zip*"))


def test_a_zip_that_reads_back_otherwise_is_not_delivered(
    make_ytvos: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = list(YTVOS18_TRAIN(make_ytvos(), None).clips)
    encode = export.encode_labels
    monkeypatch.setattr(export, "encode_labels", lambda labels: encode(labels[::-1].copy()))
    with pytest.raises(RuntimeError, match="not the label map that was written"):
        export_archive(YTVOS, clips, _all(clips), tmp_path / "s.zip")
    assert not (tmp_path / "s.zip").exists()


def test_the_shared_clip_in_this_layout(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """judo's frames with its DAVIS17 annotations on every fifth frame: two objects."""
    frames = shared("judo") / "JPEGImages/judo"
    masks = shared("metrics") / "davis17_lagged/Annotations/480p/judo"
    (tmp_path / "JPEGImages").mkdir()
    (tmp_path / "JPEGImages/judo").symlink_to(frames)
    folder = tmp_path / "Annotations/judo"
    folder.mkdir(parents=True)
    for t in (0, 5, 10, 15):
        shutil.copy(masks / f"{t:05d}.png", folder)
    clip = YTVOS_LAYOUT(None, str(tmp_path)).clip("judo")
    assert clip.objects == {1: 0, 2: 0}
    assert (len(clip), sorted(clip.annotation_paths)) == (16, [0, 5, 10, 15])
    assert not clip.first_masks_only
