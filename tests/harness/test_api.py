"""Use from Python: what docs/extend.md shows, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vosbench.baselines.errors import InputError
from vosbench.harness.api import frames_of, load_model, run_grid
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.store import results

DOCS = Path(__file__).resolve().parents[2] / "docs" / "extend.md"
SMALL = {"weights": ["random:0"], "sequences": ["still"], "max_frames": 4}


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of frames, the same as a video, and the first frame's mask."""
    folder = tmp_path_factory.mktemp("footage")
    (folder / "frames").mkdir()
    clip = make_clip("slow", 301, (64, 96), 5)
    video = cv2.VideoWriter(
        str(folder / "video.avi"), cv2.VideoWriter.fourcc(*"FFV1"), 25, (96, 64)
    )
    for t, image in enumerate(clip.images):
        Image.fromarray(image).save(folder / "frames" / f"{t:02}.png")
        video.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    video.release()
    Image.fromarray(clip.labels[0]).save(folder / "first.png")
    return folder


def test_a_folder_and_a_video_of_it_come_out_alike(footage: Path) -> None:
    model = load_model("g-ttvos-lite+every:2", weights="random:0", device="cpu")
    frames = frames_of(footage / "frames")
    from_folder = list(model.segment(frames, footage / "first.png"))
    from_video = list(model.segment(frames_of(footage / "video.avi"), footage / "first.png"))
    assert len(frames) == len(from_folder) == len(from_video) == 5
    for one, other in zip(from_folder, from_video, strict=True):
        assert np.array_equal(one.labels, other.labels)
        assert (one.paths, one.p_gate) == (other.paths, other.p_gate)
    assert [frame.paths[1] for frame in from_folder] == ["init", "reuse", "full", "reuse", "full"]
    assert from_folder[0].p_gate == {1: None}
    assert 0 < (from_folder[1].p_gate[1] or 0) < 1
    assert from_folder[0].labels.dtype == np.uint8


def test_objects_may_come_later_and_several_at_once(footage: Path) -> None:
    model = load_model("ttvos-lite", weights="random:0", device="cpu")
    labels = np.zeros((64, 96), np.uint8)
    labels[8:20, 8:20], labels[40:50, 60:80] = 2, 7
    late = np.zeros((64, 96), bool)
    late[30:36, 30:36] = True
    frames = list(model.segment(frames_of(footage / "frames"), {1: labels, 3: late}))
    assert [sorted(frame.paths) for frame in frames] == [[], [2, 7], [2, 7], [1, 2, 7], [1, 2, 7]]
    assert not frames[0].labels.any()
    assert np.array_equal(frames[1].labels, labels)
    assert (frames[3].labels[late] == 1).all()


def test_a_grid_is_a_frame_and_isnt_run_twice(tmp_path: Path) -> None:
    db = tmp_path / "r.db"
    models = ["g-ttvos-lite", "g-ttvos-lite+every:3"]
    frame = run_grid(models, tau="0.5:1:0.5", db=db, device="cpu", **SMALL)
    assert list(frame["model"]) == ["g-ttvos-lite", "g-ttvos-lite", "g-ttvos-lite+every:3"]
    assert list(frame["tau"]) == [Decimal("0.5"), Decimal(1), None]
    assert (frame["state"] == "complete").all()
    assert frame["reuse_rate"].iloc[2] == pytest.approx(2 / 3)
    run_grid("ttvos-lite", db=db, device="cpu", **SMALL)
    again = run_grid(models, tau=[0.5, 1], db=db, device="cpu", **SMALL)
    assert list(again["key"]) == list(frame["key"])
    assert list(again["attempt"]) == [1, 1, 1]
    assert len(results(str(db))) == 4


def test_bad_input_is_one_line(footage: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs a threshold"):
        load_model("g-ttvos-lite", weights="random:0")
    with pytest.raises(InputError, match="decides by annotated masks"):
        load_model("g-ttvos-lite+g-iou", tau=0.5, weights="random:0")
    with pytest.raises(InputError, match="no video"):
        frames_of(DOCS)
    with pytest.raises(InputError, match="no pictures"):
        frames_of(tmp_path)
    with pytest.raises(InputError, match="no such folder or file"):
        frames_of(tmp_path / "absent")
    model = load_model("ttvos-lite", weights="random:0", device="cpu")
    frames = frames_of(footage / "frames")
    for mask, says in (
        (np.zeros((64, 96), np.uint8), "has no object"),
        (np.ones((9, 9), np.uint8), "the mask of frame 0 is uint8"),
        (np.ones((64, 96), np.float32), "float32"),
        ({0: np.eye(64, 96) > 0, 2: np.eye(64, 96) > 0}, "begins object 1 a second time"),
    ):
        with pytest.raises(InputError, match=says):
            list(model.segment(frames, mask))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="frame 0 is float64"):
        list(model.segment([np.zeros((64, 96, 3))], np.ones((64, 96), bool)))  # type: ignore[list-item]


def test_the_page_shows_what_runs(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code, with its names of files, models' thresholds and data made ours."""
    monkeypatch.chdir(tmp_path)
    blocks = [b for b in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S) if "api" in b]
    assert len(blocks) == 2
    code = "\n".join(blocks)
    for theirs, ours in (
        ('"video.mp4"', repr(str(footage / "video.avi"))),
        ('"first_mask.png"', repr(str(footage / "first.png"))),
        ('"0.1:1:0.1"', '"0.5:1:0.5", sequences=["still"], max_frames=3'),
    ):
        assert theirs in code
        code = code.replace(theirs, ours)
    exec(code, {})


def test_importing_it_is_cheap() -> None:
    code = (
        "import sys, vosbench.harness.api; sys.exit(bool({'torch', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
