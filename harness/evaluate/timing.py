"""A timing trial: each clip for real, one setting, the device held alone.

The headline pass has spans off; where a clip needs warming up, a pass as the published code times
comes before that, after no more than the first frame. Another pass with spans gives the
breakdown, and a last one, with decoding and transfer inside, the end-to-end time. Frames of all
but the last are decoded beforehand, in chunks, so that they see the model alone and memory stays
bounded.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.harness.datasets.overlap import flat
from vosbench.harness.datasets.prefetch import DecodedFrame, Prefetch
from vosbench.harness.evaluate.accuracy import clip_info
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.faults import checked_masks
from vosbench.harness.evaluate.inputs import frame_of, given_masks
from vosbench.harness.evaluate.streaming import Latencies, Stream, latency_numbers, streamed
from vosbench.harness.evaluate.summary import reuse_rates
from vosbench.harness.evaluate.warm import warm_first_frame, warm_paths
from vosbench.harness.measure.clock import clock_for
from vosbench.harness.measure.energy_meter import measure, per_frame_j, source_for
from vosbench.harness.measure.energy_readings import EnergyReading, NoSource
from vosbench.harness.measure.probe import forget_peak, peak_memory_mib
from vosbench.harness.measure.spans import SequenceTimer, SequenceTimes
from vosbench.harness.measure.timing import ClipTimes, Convention, clip_fps, summarise
from vosbench.harness.trials import PATH_CODES, ClipResult
from vosbench.runners.interface import Frame

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.harness.measure.clock import Clock
    from vosbench.runners.interface import Runner, Step

CHUNK_FRAMES = 128
ENERGY_S = 5.0
"""Least length of the window whose energy is measured; shorter clips are looped."""


@dataclass(frozen=True)
class Pass:
    """One pass over a clip: its times, and what the runner said of each frame."""

    times: SequenceTimes
    steps: tuple[Step | None, ...]
    mask_sha256: str


@dataclass(frozen=True)
class TimedClip:
    """A clip's result and the times that go into the trial's numbers.

    Attributes:
        times: of the headline pass.
        published: of the pass that the published conventions count, which is the headline pass
            once the clip's size is warm.
        end_to_end_ms: wall time of the pass with decoding inside, NaN if there was none.
        waited_ms: of it, waiting for decoded frames.
        loops: headline passes made.
        latencies: of the frames of a stream, if one was asked for.
    """

    result: ClipResult
    times: ClipTimes
    published: ClipTimes
    end_to_end_ms: float = math.nan
    waited_ms: float = math.nan
    loops: int = 1
    latencies: Latencies | None = None


@dataclass
class Timer:
    """Times clips of one runner.

    Attributes:
        breakdown: make the second pass, with spans.
        end_to_end: make the third pass, with decoding inside.
        least_s: the headline pass of each sequence is made again until so many seconds of frames
            were timed, and energy is measured over as many.
        stream: make two more passes as :mod:`vosbench.harness.evaluate.streaming` describes.
    """

    runner: Runner
    device: torch.device
    breakdown: bool = True
    end_to_end: bool = True
    least_s: float = 0.0
    stream: Stream | None = None
    _warm: set[tuple[int, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._clock: Clock = clock_for(self.device)

    def time(self, clip: Clip) -> TimedClip:
        """Warm up for the clip's size if that is new, then make all passes."""
        truth = Annotations(clip)
        forget_peak(self.device)
        published = None
        if clip.size not in self._warm:
            if not self._warm:
                warm_first_frame(self.runner, clip, truth, self.device)
            published = self._pass(clip, truth, spans=False).times
            warm_paths(self.runner, clip, truth, self.device, self._clock)
            self._warm.add(clip.size)
        headline = self._pass(clip, truth, spans=False)
        loops = [headline.times]
        while sum(float(times.frame_ms.sum()) for times in loops) < 1e3 * self.least_s:
            loops.append(self._pass(clip, truth, spans=False).times)
        peak_mib = peak_memory_mib(self.device)
        stages: Mapping[str, NDArray[np.float64]] = {}
        if self.breakdown:
            stages = self._pass(clip, truth, spans=True).times.stage_ms
        total_ms, waited_ms = self._end_to_end(clip, truth) if self.end_to_end else (math.nan,) * 2
        timed = _timed(clip, replace(headline, times=_joined(loops)), published, stages)
        own = {**timed.result.metrics, "peak_memory_mib": peak_mib}
        timed = replace(timed, result=replace(timed.result, metrics=own))
        late = None if self.stream is None else streamed(self, clip, truth, self.stream)
        return replace(timed, end_to_end_ms=total_ms, waited_ms=waited_ms, latencies=late)

    def energy(self, clip: Clip) -> tuple[EnergyReading, int]:
        """Energy of whole passes over a clip, first-frame training included, and their frames."""
        source = source_for(self.device)
        if isinstance(source, NoSource):
            return source.begin().end(), 0
        truth, frames = Annotations(clip), 0

        def work() -> None:
            nonlocal frames
            began_s = time.monotonic()
            while time.monotonic() - began_s < max(ENERGY_S, self.least_s):
                frames += len(self._pass(clip, truth, spans=False).steps)

        _, reading = measure(source, work)
        return reading, frames

    def _pass(self, clip: Clip, truth: Annotations, *, spans: bool) -> Pass:
        timer = SequenceTimer(self._clock, spans=spans)
        digest = hashlib.sha256()
        steps: list[Step | None] = []
        known: set[int] = set()
        self.start(clip, truth)
        for chunk in _chunks(clip):
            frames = [self._inputs(clip, decoded) for decoded in chunk]
            for frame, new in frames:
                known |= set(new)
                with timer.frame():
                    steps.append(self.advance(frame, new, known, timer))
            # Only now, as looking at labels waits for the device.
            for frame, new in frames:
                digest.update(_labels(clip, steps[frame.index], frame.index, new).tobytes())
        return Pass(timer.finish(), tuple(steps), digest.hexdigest())

    def advance(
        self, frame: Frame, new: dict[int, torch.Tensor], known: set[int], timer: SequenceTimer
    ) -> Step | None:
        if new:
            with timer.init():
                self.runner.add_objects(frame, new)
        return self.runner.step(frame, timer.spans) if known else None

    def _end_to_end(self, clip: Clip, truth: Annotations) -> tuple[float, float]:
        """Wall ms of tracked frames with decoding and transfer, and of it waiting for frames."""
        self.start(clip, truth)
        timer = SequenceTimer(self._clock, spans=False)
        known: set[int] = set()
        prefetch = Prefetch(clip)
        init_s = 0.0
        began_s = time.perf_counter()
        for decoded in prefetch:
            new = given_masks(clip, decoded.t, decoded.annotation, self.device)
            known |= set(new)
            frame_s = time.perf_counter()
            with timer.frame():
                frame = frame_of(decoded.t, decoded.image, self.device)
                step = self.advance(frame, new, known, timer)
            if step is not None:
                step.labels.cpu()
            if new and len(known) == len(new):
                init_s += time.perf_counter() - frame_s
        total_s = time.perf_counter() - began_s - init_s
        timer.finish()
        return 1e3 * total_s, 1e3 * prefetch.waited_s

    def start(self, clip: Clip, truth: Annotations) -> None:
        """Have the runner begin a sequence."""
        oracle = self.runner.spec.needs_truth
        self.runner.start(clip_info(clip, truth if oracle else None, self.device))

    def _inputs(self, clip: Clip, decoded: DecodedFrame) -> tuple[Frame, dict[int, torch.Tensor]]:
        masks = given_masks(clip, decoded.t, decoded.annotation, self.device)
        return frame_of(decoded.t, decoded.image, self.device), masks


def trial_numbers(clips: Sequence[TimedClip], device: torch.device) -> dict[str, float]:
    """A timing trial's numbers over its clips; NaN where unknown."""
    times = [clip.times for clip in clips]
    model = summarise(times, Convention.MODEL)
    published = summarise([clip.published for clip in clips], Convention.PUBLISHED)
    frames = sum(int(clip.times.tracked.sum()) // clip.loops for clip in clips)
    total_ms = sum(clip.end_to_end_ms for clip in clips)
    waited_ms = sum(clip.waited_ms for clip in clips)
    per_object = [rates for clip in clips for rates in clip.result.object_metrics.values()]
    known = {
        "fps": model.fps,
        "fps_pooled": model.pooled_fps,
        "fps_sequences": model.sequence_fps,
        "fps_published": published.fps,
        "ms_per_frame": None if not model.fps else 1e3 / model.fps,
        "p50_ms": model.p50_ms,
        "p95_ms": model.p95_ms,
        "p99_ms": model.p99_ms,
        "init_ms": float(np.mean([clip.times.training_ms / clip.loops for clip in clips])),
        "objects_per_frame": model.objects_per_frame,
        "fps_end_to_end": 1e3 * frames / total_ms if total_ms > 0 else None,
        "input_wait_share": waited_ms / total_ms if total_ms > 0 else None,
        "peak_memory_mib": max(
            peak_memory_mib(device),
            *(clip.result.metrics.get("peak_memory_mib", 0.0) for clip in clips),
        ),
        "reuse_rate": float(np.nanmean([r["reuse_rate"] for r in per_object])),
    }
    found = {name: math.nan if value is None else value for name, value in known.items()}
    if any(clip.loops > 1 for clip in clips):
        found["timed_loops"] = float(np.mean([clip.loops for clip in clips]))
        found["timed_s"] = sum(float(t.frame_ms.sum()) for t in times) / 1e3
    streams = [clip.latencies for clip in clips if clip.latencies is not None]
    return found | (latency_numbers(streams) if streams else {})


def energy_numbers(reading: EnergyReading, frames: int) -> dict[str, float]:
    """Joules a frame; NaN where unknown (the reason is in the attempt's annotations)."""
    named = {
        "energy_gross_j_per_frame": per_frame_j(reading.gross_j, frames),
        "energy_net_j_per_frame": per_frame_j(reading.net_j, frames),
    }
    return {name: math.nan if value is None else value for name, value in named.items()}


def energy_notes(reading: EnergyReading) -> dict[str, object]:
    """How the energy was measured, or why not, as JSON values."""
    return {f"energy_{name}": value for name, value in asdict(reading).items()}


def _labels(
    clip: Clip, step: Step | None, t: int, new: dict[int, torch.Tensor]
) -> NDArray[np.uint8]:
    """Checked labels of frame ``t``; background before the first object."""
    if step is None:
        return np.zeros(clip.size, np.uint8)
    known = [i for i, first in clip.objects.items() if first <= t]
    return flat(checked_masks(step, frame=t, clip=clip, known=known, new=new))


def _timed(
    clip: Clip,
    headline: Pass,
    published: SequenceTimes | None,
    stages: Mapping[str, NDArray[np.float64]],
) -> TimedClip:
    path, p_gate = _series(clip, headline.steps)
    tracked = (path >= PATH_CODES["full"]).sum(axis=1)
    loops = len(headline.times.frame_ms) // len(clip)
    times, cold = (
        ClipTimes(
            clip.name,
            measured.frame_ms,
            measured.init_ms,
            np.tile(tracked, len(measured.frame_ms) // len(clip)),
        )
        for measured in (headline.times, published or headline.times)
    )
    fps = clip_fps(times, Convention.MODEL)
    counted = times.counted_ms(Convention.MODEL)
    metrics = {
        "fps": math.nan if fps is None else fps,
        "ms_per_frame": float(counted.mean()) if len(counted) else math.nan,
        "init_ms": times.training_ms / loops,
    }
    rates = {i: reuse_rates(path[:, k]) for k, i in enumerate(clip.object_ids)}
    series: dict[str, NDArray[np.generic]] = {
        "frame_ms": _by_frame(times.frame_ms, loops),
        "init_ms": _by_frame(times.init_ms, loops),
        "path": path,
        "p_gate": p_gate,
    }
    if published is not None:
        series["frame_ms_published"] = cold.frame_ms
    series |= {f"stage/{name}": values for name, values in stages.items()}
    result = ClipResult(
        clip.name, clip.object_ids, len(clip), headline.mask_sha256, metrics, rates, series
    )
    return TimedClip(result, times, cold, loops=loops)


def _joined(loops: Sequence[SequenceTimes]) -> SequenceTimes:
    """Passes over a sequence, one after the other; of one, itself."""
    if len(loops) == 1:
        return loops[0]
    return replace(
        loops[0],
        frame_ms=np.concatenate([times.frame_ms for times in loops]),
        init_ms=np.concatenate([times.init_ms for times in loops]),
        wall_ms=sum(times.wall_ms for times in loops),
    )


def _by_frame(ms: NDArray[np.float64], loops: int) -> NDArray[np.float64]:
    """Each frame's mean over the loops."""
    return ms if loops == 1 else np.asarray(ms.reshape(loops, -1).mean(axis=0))


def _series(
    clip: Clip, steps: Sequence[Step | None]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Path codes and p_gate, (T, K) each."""
    path = np.zeros((len(clip), len(clip.object_ids)), np.uint8)
    p_gate = np.full(path.shape, np.nan, np.float32)
    for t, step in enumerate(steps):
        for o in step.objects if step is not None else ():
            k = clip.object_ids.index(o.id)
            path[t, k] = PATH_CODES[o.path]
            if o.p_gate is not None:
                p_gate[t, k] = o.p_gate
    return path, p_gate


def _chunks(clip: Clip) -> Iterator[list[DecodedFrame]]:
    chunk: list[DecodedFrame] = []
    for decoded in Prefetch(clip):
        chunk.append(decoded)
        if len(chunk) == CHUNK_FRAMES:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
