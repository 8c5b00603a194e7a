"""What runs before and inside a timed clip, by a runner that only counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path as FilePath

import numpy as np
import torch
from PIL import Image

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.evaluate.timing import Timer, trial_numbers
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
