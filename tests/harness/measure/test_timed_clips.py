"""What runs before and inside a timed clip, by a runner that only counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.streaming import Latencies, Stream, latency_numbers, played
from vosbench.harness.evaluate.timing import Timer, trial_numbers
from vosbench.harness.measure.spans import SequenceTimer, SequenceTimes
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)

SIZE = (8, 12)
FRAMES = 4


class Counting:
    """Answers background, and notes how many frames each start was followed by."""

    spec = RunnerSpec("counting", "1", "counts frames, for tests")
    weights = WeightsInfo("none", "0" * 64, trained=False)

    def __init__(self) -> None:
        self.starts: list[int] = []

    def load(self, device: torch.device, precision: Precision) -> None: ...

    def start(self, clip: ClipInfo) -> None:
        self.starts.append(0)

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None: ...

    def step(self, frame: Frame, spans: Spans) -> Step:
        self.starts[-1] += 1
        path = Path.FULL if frame.index else Path.INIT
        labels = torch.zeros(frame.image.shape[1:], dtype=torch.uint8)
        labels[0, 0] = 1
        return Step(labels, (ObjectStep(1, path),))


def _clip(folder: FilePath, name: str) -> Clip:
    images = []
    for t in range(FRAMES):
        images.append(folder / f"{name}-{t}.png")
        Image.fromarray(np.full((*SIZE, 3), t, np.uint8)).save(images[-1])
    mask = Image.fromarray(np.eye(*SIZE, dtype=np.uint8))
    mask.putpalette([0, 0, 0, 128, 0, 0])
    mask.save(folder / f"{name}.png")
    names = tuple(str(t) for t in range(FRAMES))
    return Clip(name, SIZE, names, tuple(images), {0: folder / f"{name}.png"}, {1: 0})


def test_the_published_pass_comes_after_no_more_than_the_first_frame(tmp_path: FilePath) -> None:
    runner = Counting()
    timer = Timer(runner, torch.device("cpu"), breakdown=False, end_to_end=False)
    first = timer.time(_clip(tmp_path, "a"))
    # The first frame alone; the published pass; our warm-up until stable; the headline pass.
    assert runner.starts[:2] == [1, FRAMES]
    assert len(runner.starts) == 4
    assert runner.starts[2] > FRAMES
    assert runner.starts[3] == FRAMES
    assert (first.published.frame_ms == first.result.series["frame_ms_published"]).all()
    assert (first.times.frame_ms == first.result.series["frame_ms"]).all()

    second = timer.time(_clip(tmp_path, "b"))
    assert runner.starts[4:] == [FRAMES]
    assert "frame_ms_published" not in second.result.series
    assert (second.published.frame_ms == second.times.frame_ms).all()

    numbers = trial_numbers([first, second], torch.device("cpu"))
    each = [1e3 * FRAMES / clip.published.frame_ms.sum() for clip in (first, second)]
    assert numbers["fps_published"] == np.mean(each)


def test_a_sequence_is_timed_again_until_it_has_taken_long_enough(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Counting()
    timer = Timer(runner, torch.device("cpu"), breakdown=False, end_to_end=False, least_s=0.5)
    frames = iter(range(1000))

    def finish(self: SequenceTimer) -> SequenceTimes:
        """As if every frame had taken a tenth of a second, and the first one's object half."""
        self._clock.discard()
        ms = np.full(FRAMES, 100.0) + next(frames)
        init = np.where(np.arange(FRAMES) == 0, 50.0, 0.0)
        return SequenceTimes("fake", ms, init, {}, float(ms.sum()))

    monkeypatch.setattr(SequenceTimer, "finish", finish)
    timer._warm.add(SIZE)
    timed = timer.time(_clip(tmp_path, "a"))
    assert timed.loops == 2  # 4 frames of 0.1 s are not enough, 8 are
    assert runner.starts == [FRAMES, FRAMES]
    assert timed.result.series["frame_ms"].tolist() == [100.5] * FRAMES
    numbers = trial_numbers([timed], torch.device("cpu"))
    assert (numbers["timed_loops"], numbers["timed_s"]) == (2, 0.804)
    assert numbers["init_ms"] == 100.5  # the first frame tracks nothing: all of it, a loop
    assert numbers["ms_per_frame"] == pytest.approx(100.5)


@dataclass
class Clock:
    """Moves when somebody sleeps or works."""

    now_s: float = 0.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_a_stream_waits_for_its_frames_and_falls_behind(tmp_path: FilePath) -> None:
    clock, clip = Clock(), _clip(tmp_path, "a")

    class Working(Counting):
        def step(self, frame: Frame, spans: Spans) -> Step:
            clock.sleep(0.03 if frame.index else 7.0)
            return super().step(frame, spans)

    def slowly(t: int) -> NDArray[np.uint8]:
        clock.sleep(0.04)
        return clip.image(t)

    timer = Timer(Working(), torch.device("cpu"))
    stream = Stream(20.0, clock.now, clock.sleep)
    ready, decoding = (
        played(timer, clip, Annotations(clip), stream, read) for read in (clip.image, slowly)
    )
    assert ready == pytest.approx([30.0] * 3)  # each waited for its frame
    assert decoding == pytest.approx([70.0, 90.0, 110.0])  # each waited for the one before
    numbers = latency_numbers([Latencies(20.0, ready, decoding)])
    assert numbers["latency_p50_ms"] == pytest.approx(30.0)
    assert numbers["latency_decoding_p50_ms"] == pytest.approx(90.0)
    assert (numbers["latency_late_share"], numbers["latency_decoding_late_share"]) == (0.0, 1.0)


def test_a_stream_that_is_asked_for_is_part_of_the_trial(tmp_path: FilePath) -> None:
    timer = Timer(
        Counting(), torch.device("cpu"), breakdown=False, end_to_end=False, stream=Stream(1e4)
    )
    timed = timer.time(_clip(tmp_path, "a"))
    numbers = trial_numbers([timed], torch.device("cpu"))
    assert timed.latencies is not None and len(timed.latencies.ready_ms) == FRAMES - 1
    assert numbers["stream_fps"] == 1e4
    assert 0 < numbers["latency_p50_ms"] <= numbers["latency_p99_ms"]
    assert numbers["latency_decoding_p50_ms"] > 0
