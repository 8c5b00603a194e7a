"""Conventions: what one and the same clips give by each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.measure.timing import (
    ClipTimes,
    Convention,
    clip_fps,
    summarise,
)


def clip(name: str, frame_ms: list[float], init_ms: list[float], tracked: list[int]) -> ClipTimes:
    return ClipTimes(name, np.array(frame_ms, float), np.array(init_ms, float), np.array(tracked))


SLOW = clip("slow", [500, 50, 50], [450, 0, 0], [0, 1, 1])
LATE = clip("late", [110, 10, 70, 10], [100, 0, 50, 0], [0, 1, 1, 2])


def test_model_counts_tracked_frames_without_training():
    found = summarise([SLOW, LATE], Convention.MODEL)
    assert found.frames == 5
    assert found.pooled_fps == pytest.approx(1e3 * 5 / (100 + 40))
    assert found.fps == found.pooled_fps
    assert found.sequence_fps == pytest.approx((20 + 75) / 2)
    assert found.p50_ms == 20
    assert found.p95_ms == 50
    assert found.objects_per_frame == pytest.approx(6 / 5)
    # The frame that tracks nothing counts whole; the later object only with its own part.
    assert found.training_ms == pytest.approx((500 + 110 + 50) / 2)


def test_published_numbers_count_everything_and_average_over_sequences():
    found = summarise([SLOW, LATE], Convention.PUBLISHED)
    assert found.frames == 7
    assert found.fps == pytest.approx((1e3 * 3 / 600 + 1e3 * 4 / 200) / 2)
    assert found.fps == found.sequence_fps
    assert clip_fps(SLOW, Convention.PUBLISHED) == pytest.approx(5)


def test_a_clip_of_one_frame_has_no_fps_rather_than_zero():
    single = clip("single", [80], [70], [0])
    found = summarise([single], Convention.MODEL)
    assert (found.fps, found.p50_ms, found.objects_per_frame) == (None, None, None)
    assert found.training_ms == 80
    both = summarise([single, SLOW], Convention.MODEL)
    assert both.sequence_fps == pytest.approx(20)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="no frames"):
        clip("x", [], [], [])
    with pytest.raises(ValueError, match="lengths"):
        clip("x", [1], [], [0])
    with pytest.raises(ValueError, match="not positive"):
        clip("x", [0], [0], [0])
    with pytest.raises(ValueError, match="nothing"):
        summarise([], Convention.MODEL)


@given(st.lists(st.lists(st.floats(0.1, 1e4), min_size=1, max_size=8), min_size=1, max_size=5))
def test_both_averages_lie_between_the_slowest_and_the_fastest_clip(frames):
    clips = [clip("c", ms, [0] * len(ms), [1] * len(ms)) for ms in frames]
    each = [1e3 / np.mean(ms) for ms in frames]
    found = summarise(clips, Convention.MODEL)
    for fps in (found.pooled_fps, found.sequence_fps):
        assert min(each) * (1 - 1e-9) <= fps <= max(each) * (1 + 1e-9)
