"""Videos of a result: what a frame shows, and files that hold as many frames as the clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from vosbench.baselines.errors import InputError
from vosbench.reports.clip_strip import Track, draw_strip
from vosbench.reports.clip_video import MOST_TRACKS, ResultFootage, draw_frames, write_footage
from vosbench.reports.style import PATH_COLOURS
from vosbench.reports.video import write_video

Pixels = NDArray[np.uint8]
PATHS = ("init", "full", "reuse", "copy", "full")
HEIGHT, WIDTH = 36, 64


def colour(path: str) -> NDArray[np.float64]:
    return np.rint(255 * np.array(to_rgb(PATH_COLOURS[path])))


def footage(objects: int = 1) -> ResultFootage:
    """A square a object, that moves; the paths of later objects are shifted."""
    labels = np.zeros((len(PATHS), HEIGHT, WIDTH), np.uint8)
    for t in range(len(PATHS)):
        for k in range(objects):
            labels[t, 10:20, 4 + 12 * k + t : 12 + 12 * k + t] = k + 1
    paths = np.array([[PATHS[(t + k) % len(PATHS)] for k in range(objects)]
                      for t in range(len(PATHS))])  # fmt: skip
    values = np.tile(np.linspace(0.1, 0.9, len(PATHS))[:, None], (1, objects))
    values[0] = np.nan
    grey = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    return ResultFootage(
        "g-net on clip, τ = 0.4", "", labels, lambda _: grey, tuple(range(1, objects + 1)),
        paths, values, "P_gate", {"τ = 0.4": 0.4},
    )  # fmt: skip


def border(frame: Pixels, x: int = 3) -> NDArray[np.float64]:
    """The colour at the left edge, in the middle of the picture."""
    return frame[200, x].astype(float)


def decoded(path: Path) -> list[Pixels]:
    """The frames of a video file."""
    if path.suffix == ".gif":
        with Image.open(path) as gif:
            return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    av = pytest.importorskip("av", reason="no PyAV: pip install av")
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_the_border_has_the_colour_of_the_path_in_every_frame() -> None:
    frames = list(draw_frames(footage()))
    assert len({frame.shape for frame in frames}) == 1
    assert all(side % 2 == 0 for side in frames[0].shape[:2])
    for path, frame in zip(PATHS, frames, strict=True):
        assert np.array_equal(border(frame), colour(path)), path


def test_each_of_several_objects_has_its_part_of_the_border_and_a_box() -> None:
    (first, second, *_) = list(draw_frames(footage(2)))
    assert np.array_equal(border(first), colour("init"))
    assert np.array_equal(border(first, -3), colour("full"))
    assert np.array_equal(border(second), colour("full"))
    assert np.array_equal(border(second, -3), colour("reuse"))
    inside = first[60:300, 20:-20].reshape(-1, 3)
    boxed = (inside == colour("full").astype(np.uint8)).all(axis=1)
    assert boxed.sum() > 100


@pytest.mark.parametrize("extension", [".mp4", ".gif"])
def test_a_file_holds_every_frame_in_its_colours(tmp_path: Path, extension: str) -> None:
    if extension == ".mp4":
        pytest.importorskip("av", reason="no PyAV: pip install av")
    out = tmp_path / "new" / f"clip{extension}"
    assert write_footage(footage(), out, 10) == len(PATHS)
    drawn, frames = list(draw_frames(footage())), decoded(out)
    assert [frame.shape for frame in frames] == [frame.shape for frame in drawn]
    near = 0 if extension == ".gif" else 12
    for path, frame in zip(PATHS, frames, strict=True):
        assert np.abs(border(frame) - colour(path)).max() <= near
    again = tmp_path / f"again{extension}"
    write_footage(footage(), again, 10)
    assert again.read_bytes() == out.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize("extension", [".mp4", ".gif"])
def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path, extension: str) -> None:
    if extension == ".mp4":
        pytest.importorskip("av", reason="no PyAV: pip install av")
    out = tmp_path / f"clip{extension}"
    out.write_bytes(b"old")

    def broken() -> Iterator[Pixels]:
        yield from list(draw_frames(footage()))[:2]
        raise InputError("frame 2 is damaged")

    with pytest.raises(InputError, match="damaged"):
        write_video(broken(), out, 10)
    assert out.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [out]


def test_what_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"\.mp4 or \.gif"):
        write_footage(footage(), tmp_path / "clip.avi", 10)
    with pytest.raises(InputError, match=r"from 0\.5 to 50"):
        write_footage(footage(), tmp_path / "clip.gif", 0)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't write"):
        write_footage(footage(), tmp_path / "file" / "clip.gif", 10)
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(InputError, match=r"pip install 'vosbench\[video\]'"):
        write_footage(footage(), tmp_path / "clip.mp4", 10)


def test_the_cursor_moves_and_what_is_to_come_is_faded() -> None:
    track = Track("", "red", PATHS, np.linspace(0.1, 0.9, len(PATHS)))
    strip = draw_strip([track], {"τ = 0.4": 0.4}, "P_gate", 640)
    assert np.all(np.diff(strip.columns) > 0)
    (top, bottom), row = strip.rows[0], strip.rows[0][1] - 16
    for t in range(len(PATHS)):
        drawn = strip.at(t)
        assert drawn.shape == strip.picture.shape
        assert (drawn[top:bottom, strip.columns[t]] == drawn[top, strip.columns[t]]).all()
        for other in set(range(len(PATHS))) - {t}:
            shown = drawn[row, strip.columns[other] + 8]
            assert np.array_equal(shown, colour(PATHS[other])) == (other < t)


def test_notes_make_the_header_higher_and_only_some_objects_have_a_panel() -> None:
    plain = next(draw_frames(footage()))
    noted = next(draw_frames(replace(footage(), note="untrained: random weights")))
    assert noted.shape[0] > plain.shape[0]
    most, more = (next(draw_frames(footage(k))) for k in (MOST_TRACKS, MOST_TRACKS + 1))
    assert more.shape[0] - most.shape[0] == noted.shape[0] - plain.shape[0]


def test_a_network_without_a_gate_is_drawn_as_well() -> None:
    bare = replace(
        footage(), values=np.full((len(PATHS), 1), np.nan), thresholds={},
        paths=np.array([["init"]] + [["full"]] * 4),
    )  # fmt: skip
    assert len(list(draw_frames(bare))) == len(PATHS)


def test_an_object_that_is_not_there_yet_has_a_border_of_its_own() -> None:
    late = footage(2)
    late.paths[:2, 1] = "absent"
    first = next(draw_frames(late))
    assert not any(np.array_equal(border(first, -3), colour(path)) for path in PATHS)
