"""Frames, training and stages from a clock's marks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vosbench.harness.measure.breakdown import breakdown
from vosbench.harness.measure.clock import CpuClock
from vosbench.harness.measure.spans import SequenceTimer, SequenceTimes, Stage
from vosbench.runners.interface import no_spans


class Work:
    """A clock that only moves when work is done."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def do(self, ms: float) -> None:
        self.now_ns += round(ms * 1e6)


def timer_on(work: Work, *, spans: bool) -> SequenceTimer:
    return SequenceTimer(CpuClock(work), spans=spans, now_ns=work)


def test_frames_training_and_stages_are_told_apart():
    work = Work()
    timer = timer_on(work, spans=True)
    with timer.frame():
        with timer.init():
            work.do(50)
        with timer.spans("f8"):
            work.do(4)
        work.do(1)
    work.do(7)  # between frames: in the wall time only
    with timer.frame():
        for _ in range(2):  # two objects
            with timer.spans("refiner deep"):
                work.do(3)
        with timer.spans("f8"):
            work.do(4)
    times = timer.finish()
    assert times.clock == "cpu"
    assert times.frame_ms.tolist() == [55, 10]
    assert times.init_ms.tolist() == [50, 0]
    assert {stage: ms.tolist() for stage, ms in times.stage_ms.items()} == {
        "f8": [4, 4],
        "refiner deep": [0, 6],
    }
    assert times.unspanned_ms.tolist() == [51, 0]
    assert times.wall_ms == 72
    with pytest.raises(ValueError, match="read-only"):
        times.frame_ms[0] = 0


def test_spans_off_measure_nothing_and_set_no_marks():
    work = Work()
    clock = CpuClock(work)
    timer = SequenceTimer(clock, spans=False, now_ns=work)
    with timer.frame(), timer.spans("f8"), timer.spans("nested"):
        work.do(2)
    assert clock.pending() == 2
    times = timer.finish()
    assert times.frame_ms.tolist() == [2]
    assert times.stage_ms == {}
    assert no_spans("f8") is no_spans("gate")


def test_stages_come_in_the_order_of_the_table():
    work = Work()
    timer = timer_on(work, spans=True)
    with timer.frame():
        for stage in ("my own", "aggregate", "target classify", "f8"):
            with timer.spans(stage):
                work.do(1)
    assert list(timer.finish().stage_ms) == ["f8", "target classify", "aggregate", "my own"]


def test_misuse_is_refused():
    work = Work()
    timer = timer_on(work, spans=True)
    with pytest.raises(RuntimeError, match="outside a frame"):
        timer.spans("f8")
    with pytest.raises(RuntimeError, match="outside a frame"):
        timer.init()
    with timer.frame():
        with pytest.raises(RuntimeError, match="frame inside"), timer.frame():
            pass
        with timer.spans("f8"), pytest.raises(RuntimeError, match="'gate' inside span 'f8'"):
            timer.spans("gate")
        with pytest.raises(RuntimeError, match="inside a frame"):
            timer.finish()


def test_a_failed_sequence_leaves_the_clock_to_be_discarded():
    work = Work()
    clock = CpuClock(work)
    timer = SequenceTimer(clock, spans=True, now_ns=work)
    with pytest.raises(KeyError), timer.frame(), timer.spans("f8"):
        raise KeyError
    with pytest.raises(RuntimeError, match="another sequence"):
        SequenceTimer(clock, spans=True)
    clock.discard()
    fresh = SequenceTimer(clock, spans=True, now_ns=work)
    with fresh.frame():
        work.do(1)
    assert fresh.finish().frame_ms.tolist() == [1]


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from(list(Stage)), st.integers(0, 9)), max_size=6),
        min_size=1,
        max_size=6,
    )
)
def test_stages_and_the_rest_add_up_to_the_frame(frames):
    work = Work()
    timer = timer_on(work, spans=True)
    for stages in frames:
        with timer.frame():
            for stage, ms in stages:
                with timer.spans(stage):
                    work.do(ms)
                work.do(1)
    times = timer.finish()
    assert times.unspanned_ms.tolist() == [len(stages) for stages in frames]
    total = sum(ms for stages in frames for _, ms in stages)
    assert sum(float(ms.sum()) for ms in times.stage_ms.values()) == total


def times(frame_ms: list[float], **stages: list[float]) -> SequenceTimes:
    arrays = {stage: np.array(ms) for stage, ms in stages.items()}
    return SequenceTimes("cpu", np.array(frame_ms), np.zeros(len(frame_ms)), arrays)


def test_breakdown_is_a_mean_over_all_frames_beside_the_headline():
    found = breakdown(
        [times([10, 20], gate=[1, 1]), times([30], gate=[4], f8=[6])], [times([18, 18, 18])]
    )
    assert [(s.stage, s.ms_per_frame, s.share) for s in found.stages] == [
        ("f8", 2, 0.1),
        ("gate", 2, 0.1),
    ]
    assert (found.frame_ms, found.unspanned_ms) == (20, 16)
    assert found.overhead == pytest.approx(1 / 9)
    assert breakdown([times([10])]).overhead is None
    with pytest.raises(ValueError, match="no frames"):
        breakdown([])
