"""Clocks: the CPU's, and the event clock against a fake event with CUDA's contract."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from vosbench.harness.measure.clock import CpuClock, EventClock, clock_for


@dataclass
class FakeDevice:
    """A stream: work queued on it is done only when somebody waits."""

    queued_ms: float = 0.0
    done_ms: float = -1.0
    synchronisations: int = 0
    events: list[FakeEvent] = field(default_factory=list)
    recorded: list[FakeEvent] = field(default_factory=list)

    def work(self, ms: float) -> None:
        self.queued_ms += ms

    def synchronise(self) -> None:
        self.synchronisations += 1
        self.done_ms = self.queued_ms

    def event(self) -> FakeEvent:
        event = FakeEvent(self)
        self.events.append(event)
        return event


class FakeEvent:
    """Raises, as CUDA does, when asked before the device has passed it."""

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.at_ms: float | None = None

    def record(self) -> None:
        self.at_ms = self.device.queued_ms
        self.device.recorded.append(self)

    def elapsed_time(self, end_event: FakeEvent, /) -> float:
        for event in (self, end_event):
            if event.at_ms is None:
                raise RuntimeError("event was never recorded")
            if event.at_ms > self.device.done_ms:
                raise RuntimeError("device not ready")
        return end_event.at_ms - self.at_ms


def event_clock(events: int = 4) -> tuple[FakeDevice, EventClock]:
    device = FakeDevice()
    return device, EventClock(device.event, device.synchronise, events=events)


def test_fake_event_refuses_to_answer_before_the_device_is_done():
    device = FakeDevice()
    start, end = device.event(), device.event()
    start.record()
    device.work(3.0)
    end.record()
    with pytest.raises(RuntimeError, match="not ready"):
        start.elapsed_time(end)
    device.synchronise()
    assert start.elapsed_time(end) == 3.0


def test_event_clock_waits_once_and_reads_pairs():
    device, clock = event_clock()
    marks = []
    for work_ms in (0.0, 5.0, 2.0, 1.0):
        device.work(work_ms)
        marks.append(clock.mark())
    assert marks == [0, 1, 2, 3]
    assert device.synchronisations == 0
    elapsed = clock.resolve([(0, 1), (1, 3), (2, 3)])
    assert elapsed.tolist() == [5.0, 3.0, 1.0]
    assert device.synchronisations == 1
    assert clock.pending() == 0


def test_event_clock_makes_its_events_in_advance_and_again_only_when_they_run_out():
    device, clock = event_clock(events=3)
    assert len(device.events) == 3
    for _ in range(3):
        clock.mark()
    assert len(device.events) == 3
    clock.mark()
    assert len(device.events) == 4
    clock.resolve([])
    clock.reserve(6)
    assert len(device.events) == 6


def test_events_are_reused_only_after_resolve():
    device, clock = event_clock(events=2)
    for _ in range(5):
        clock.mark()
    assert len({id(event) for event in device.recorded}) == 5
    clock.resolve([(0, 4)])
    for _ in range(5):
        clock.mark()
    assert {id(event) for event in device.recorded[5:]} == {id(e) for e in device.recorded[:5]}


def test_discard_waits_before_events_go_back():
    device, clock = event_clock()
    clock.mark()
    device.work(9.0)
    clock.discard()
    assert device.synchronisations == 1
    assert clock.pending() == 0


def test_cpu_clock_reads_nanoseconds():
    readings = iter([1_000_000, 4_500_000, 4_500_100])
    clock = CpuClock(lambda: next(readings))
    first, second, third = clock.mark(), clock.mark(), clock.mark()
    assert clock.resolve([(first, second), (second, third)]).tolist() == [3.5, 0.0001]
    assert clock.pending() == 0


def test_clock_for_names_the_truth():
    assert clock_for(torch.device("cpu")).name == "cpu"
    with pytest.raises(ValueError, match="meta"):
        clock_for(torch.device("meta"))
