"""Folders of predicted PNGs: what is read, and what is said about files that can't be."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.plan import ScoringPlan
from vosbench.harness.datasets.protocols import DAVIS16, DAVIS17, YTVOS, Protocol
from vosbench.harness.metrics import (
    ObjectScores,
    SequenceScorer,
    SequenceScores,
    evaluate_folder,
    folder,
    scores_json,
    write_official_csv,
)

FRAMES = 60


def _save(path: Path, labels: np.ndarray, mode: str = "P") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([(37 * i) % 256 for i in range(768)])
    image.save(path)


def _labels(index: int, shift: int = 0) -> np.ndarray:
    labels = np.zeros((40, 60), np.uint8)
    labels[5:20, 5 + index % 20 + shift : 25 + index % 20] = 1
    labels[22 : 38 - shift, 10:40] = 2
    return labels


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A clip of two objects, with results of its own in ``results``."""
    names = tuple(f"{i:05d}" for i in range(FRAMES))
    for i, name in enumerate(names):
        _save(tmp_path / f"truth/{name}.png", _labels(i))
        _save(tmp_path / f"results/clip/{name}.png", _labels(i, shift=2))
    paths = {i: tmp_path / f"truth/{name}.png" for i, name in enumerate(names)}
    return Clip("clip", (40, 60), names, (), paths, {1: 0, 2: 0})


def _planned(clip: Clip, protocol: Protocol = DAVIS17) -> tuple[Clip, ScoringPlan]:
    seen = protocol.objects(clip)
    return seen, protocol.plan(seen)


def _same(a: tuple[SequenceScores, ...], b: tuple[SequenceScores, ...]) -> bool:
    return json.dumps(scores_json(a)) == json.dumps(scores_json(b))


def test_a_folder_scores_as_its_frames_do(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(clip, name="other")
    (tmp_path / "results/other").symlink_to("clip")
    done: list[int] = []
    got = evaluate_folder(
        tmp_path / "results", [_planned(clip), _planned(other)], workers=1, on_frames=done.append
    )
    assert [s.name for s in got] == ["clip", "other"]
    assert sum(done) == 2 * (FRAMES - 2)
    scorer = SequenceScorer("clip", DAVIS17.plan(clip))
    for index in range(FRAMES):
        scorer.add(index, _labels(index), _labels(index, shift=2))
    assert _same(got[:1], (scorer.result(),))
    for frames in (folder.PROCESS_FRAMES, 0):  # by threads, then by processes
        monkeypatch.setattr(folder, "PROCESS_FRAMES", frames)
        assert _same(
            got, evaluate_folder(tmp_path / "results", [_planned(clip), _planned(other)], workers=2)
        )


def test_only_frames_that_count_are_read(clip: Clip, tmp_path: Path) -> None:
    for name in (clip.frame_names[0], clip.frame_names[-1]):
        (tmp_path / f"results/clip/{name}.png").unlink()
    (tmp_path / "results/clip/notes.txt").write_text("not a mask")
    assert len(evaluate_folder(tmp_path / "results", [_planned(clip)])[0].objects) == 2


def test_grey_annotations_of_0_and_255_are_one_object(clip: Clip, tmp_path: Path) -> None:
    for i, path in clip.annotation_paths.items():
        _save(path, (_labels(i) > 0).astype(np.uint8) * 255, mode="L")
    merged = _planned(replace(clip, binary=True), DAVIS16)
    for i, name in enumerate(clip.frame_names):
        _save(tmp_path / f"results/clip/{name}.png", _labels(i))
    scores = evaluate_folder(tmp_path / "results", [merged], workers=1)[0].objects
    assert [o.object_id for o in scores] == [1]
    assert scores[0].j.min() == scores[0].f.min() == 1


def test_only_annotated_frames_need_predictions(clip: Clip, tmp_path: Path) -> None:
    every_fifth = {i: path for i, path in clip.annotation_paths.items() if i % 5 == 0}
    for i in (0, 5, 10):
        _save(every_fifth[i], np.where(_labels(i) == 2, 0, _labels(i)).astype(np.uint8))
    late = replace(clip, annotation_paths=every_fifth, objects={1: 0, 2: 15})
    for name in set(clip.frame_names) - {clip.frame_names[i] for i in every_fifth}:
        (tmp_path / f"results/clip/{name}.png").unlink()
    one, two = evaluate_folder(tmp_path / "results", [_planned(late, YTVOS)])[0].objects
    assert (len(one.frames), len(two.frames)) == (11, 8)


def test_a_clip_in_which_nothing_counts_keeps_its_objects(clip: Clip, tmp_path: Path) -> None:
    only_first = replace(clip, annotation_paths={0: clip.annotation_paths[0]})
    got = evaluate_folder(tmp_path / "results", [_planned(only_first, YTVOS)])[0]
    assert [(o.object_id, len(o.j)) for o in got.objects] == [(1, 0), (2, 0)]


def _write_rgb(path: Path) -> None:
    Image.new("RGB", (60, 40)).save(path)


def _write_16_bit(path: Path) -> None:
    Image.fromarray(np.full((40, 60), 300, np.uint16)).save(path)


def _write_truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _write_jpeg(path: Path) -> None:
    Image.new("L", (60, 40)).save(path, format="JPEG")


def _write_small(path: Path) -> None:
    _save(path, np.zeros((20, 30), np.uint8))


def _write_unknown(path: Path) -> None:
    _save(path, _labels(0) * np.uint8(3))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (Path.unlink, "lacks 1 of 58 frames to score, first 00007.png"),
        (_write_rgb, "holds colours, not object ids"),
        (_write_16_bit, "holds the value 300 in 16 bits"),
        (_write_truncated, "can't be read as PNG"),
        (_write_jpeg, "can't be read as PNG"),
        (_write_small, "is 30x20, its annotation 60x40"),
        (_write_unknown, "object ids 3, 6 that the annotation of clip lacks"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_bad_predictions_are_named(
    spoil: object, message: str, workers: int, clip: Clip, tmp_path: Path
) -> None:
    assert callable(spoil)
    spoil(tmp_path / "results/clip/00007.png")
    with pytest.raises(InputError, match=message) as caught:
        evaluate_folder(tmp_path / "results", [_planned(clip)], workers=workers)
    assert "00007.png" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_process_says_comes_through(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "PROCESS_FRAMES", 0)
    _write_small(tmp_path / "results/clip/00007.png")
    with pytest.raises(InputError, match="is 30x20, its annotation 60x40") as caught:
        evaluate_folder(tmp_path / "results", [_planned(clip)], workers=2)
    assert "00007.png" in str(caught.value)


def test_missing_folders_and_annotations_are_named(clip: Clip, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        evaluate_folder(tmp_path / "nowhere", [_planned(clip)])
    with pytest.raises(InputError, match=r"lost: no such folder: the results need one"):
        evaluate_folder(tmp_path / "results", [_planned(replace(clip, name="lost"))])
    with pytest.raises(InputError, match="no sequences"):
        evaluate_folder(tmp_path / "results", [])
    clip.annotation_paths[9].unlink()
    with pytest.raises(InputError, match=r"truth/00009\.png: no such file"):
        evaluate_folder(tmp_path / "results", [_planned(clip)])


def test_objects_without_frames_have_null_means(tmp_path: Path) -> None:
    none = ObjectScores(2, np.empty(0, np.int64), {"j": np.empty(0), "f": np.empty(0)})
    both = {"j": np.array([1.0, 0.5]), "f": np.array([0.5, 0.5])}
    one = ObjectScores(1, np.arange(2), both)
    scores = (SequenceScores("late", (one, none)),)
    written = json.loads(json.dumps(scores_json(scores), allow_nan=False))
    assert written["objects"]["late_2"]["J_mean"] is None
    assert written["objects"]["late_2"]["J_frames"] == []
    _, per_object = write_official_csv(scores, tmp_path, split="mine")
    assert per_object.name == "per-sequence_results-mine.csv"
    assert per_object.read_text() == "Sequence,J-Mean,F-Mean\nlate_1,0.750,0.500\nlate_2,,\n"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    one = ObjectScores(1, np.arange(1), {"j": np.ones(1), "f": np.ones(1)})
    with pytest.raises(InputError, match="can't be written"):
        write_official_csv((SequenceScores("a", (one,)),), tmp_path / "file")


def test_workers_do_not_import_torch() -> None:
    code = "import sys, vosbench.harness.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
