"""Latency: frames arrive at a rate, as from a camera, and each is answered as soon as it can be.

A frame's latency is from its arrival until its labels lie on the host. Frames are never dropped: a
model that is slower than the rate falls ever further behind, and its latencies say so. The first
objects are begun before the stream starts; those that come later are begun within it. Two passes:
with frames decoded beforehand, and with each decoded as it arrives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.evaluate.inputs import frame_of, given_masks
from vosbench.runners.interface import no_spans

if TYPE_CHECKING:
    import torch

    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.evaluate.annotations import Annotations, Labels
    from vosbench.runners.interface import Runner

QUANTILES = (50, 90, 99)


@dataclass(frozen=True)
class Stream:
    """How frames arrive.

    Attributes:
        fps: frames a second; a frame is late if its latency is more than one period.
        now, sleep: of the clock, seconds.
    """

    fps: float
    now: Callable[[], float] = time.perf_counter
    sleep: Callable[[float], None] = time.sleep

    @property
    def deadline_ms(self) -> float:
        """One period."""
        return 1e3 / self.fps


@dataclass(frozen=True)
class Latencies:
    """Ms of each tracked frame of a sequence, with frames decoded beforehand and on arrival."""

    fps: float
    ready_ms: NDArray[np.float64]
    decoding_ms: NDArray[np.float64]


class Started(Protocol):
    """What a stream needs of who times: a runner, its device, and how a sequence begins."""

    runner: Runner
    device: torch.device

    def start(self, clip: Clip, truth: Annotations) -> None: ...


def streamed(timer: Started, clip: Clip, truth: Annotations, stream: Stream) -> Latencies:
    """Both passes over a sequence."""
    decoded = [clip.image(t) for t in range(len(clip))]
    passes = [
        played(timer, clip, truth, stream, read) for read in (decoded.__getitem__, clip.image)
    ]
    return Latencies(stream.fps, *passes)


def played(
    timer: Started,
    clip: Clip,
    truth: Annotations,
    stream: Stream,
    read: Callable[[int], Labels],
) -> NDArray[np.float64]:
    """Latencies of one pass, ms, of the frames after the first objects' first."""
    timer.start(clip, truth)
    first, found = min(clip.objects.values()), []
    began_s = stream.now()
    for t in range(first, len(clip)):
        new = clip.starting(t)
        masks = given_masks(clip, t, truth.masks(t), timer.device) if new else {}
        arrived_s = began_s + (t - first) / stream.fps
        stream.sleep(max(0.0, arrived_s - stream.now()))
        frame = frame_of(t, read(t), timer.device)
        if new:
            timer.runner.add_objects(frame, masks)
        timer.runner.step(frame, no_spans).labels.cpu()
        if t == first:
            began_s = stream.now()  # what it takes to begin is another number
        else:
            found.append(1e3 * (stream.now() - arrived_s))
    return np.array(found)


def latency_numbers(clips: Sequence[Latencies]) -> dict[str, float]:
    """Quantiles over all frames, and the share that came later than the next frame."""
    numbers = {"stream_fps": clips[0].fps}
    deadline_ms = 1e3 / clips[0].fps
    for name, each in (
        ("latency", [clip.ready_ms for clip in clips]),
        ("latency_decoding", [clip.decoding_ms for clip in clips]),
    ):
        ms = np.concatenate(each)
        for q in QUANTILES:
            numbers[f"{name}_p{q}_ms"] = float(np.percentile(ms, q)) if len(ms) else np.nan
        numbers[f"{name}_late_share"] = float((ms > deadline_ms).mean()) if len(ms) else np.nan
    return numbers
