"""Strips of base, head and annotation: what they show, and which frames are chosen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.cli.strips import worst_frames
from vosbench.reports.strips import StripFrame, draw_strip, write_strip
from vosbench.reports.style import styled


def frame(index: int, base_j: float, head_j: float) -> StripFrame:
    labels = np.zeros((3, 12, 16), dtype=np.uint8)
    labels[0, 2:8, 2:8] = 1
    labels[1, 4:8, 2:8] = 1
    labels[2, 2:8, 2:9] = 1
    image = np.full((12, 16, 3), 90, dtype=np.uint8)
    return StripFrame(index, image, labels[0], labels[1], labels[2], base_j, head_j)


def test_a_strip_has_a_row_a_side_and_a_caption_a_frame() -> None:
    with styled():
        figure = draw_strip("point: dog", "note", [frame(3, 0.8, 0.1), frame(9, 0.7, 0.5)])
    axes = figure.axes
    assert len(axes) == 6
    assert [a.get_title(loc="left") or a.get_title() for a in axes[:2]] == [
        "frame 3\nJ 80 → 10",
        "frame 9\nJ 70 → 50",
    ]
    assert [axes[row].get_ylabel() for row in (0, 2, 4)] == ["base", "head", "annotation"]
    shown = [np.asarray(a.images[0].get_array()) for a in axes[::2]]
    assert not np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[0], shown[2])


def test_equal_strips_are_equal_files(tmp_path: Path) -> None:
    files = [
        write_strip("t", "n", [frame(3, 0.8, 0.1)], tmp_path / folder / "strip.png")
        for folder in ("one", "two")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_worst_frames_come_in_order_of_time_and_apart() -> None:
    losses = np.zeros(48)
    losses[[40, 41, 5, 20]] = (0.9, 0.8, 0.5, 0.6)
    assert worst_frames(losses, 3) == (5, 20, 40)
    assert worst_frames(np.array([0.1, 0.3]), 6) == (0, 1)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.integers(1, 6))
def test_the_worst_frame_of_all_is_always_shown(losses: list[float], count: int) -> None:
    chosen = worst_frames(np.array(losses), count)
    assert 1 <= len(chosen) <= count
    assert int(np.argmax(losses)) in chosen
