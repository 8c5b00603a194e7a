"""The part of the doctor that needs a GPU: a load on it, watched by every instrument at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vosbench.harness.measure.clock import clock_for
from vosbench.harness.measure.energy_readings import NoSource
from vosbench.harness.measure.judgements import (
    InstrumentFinding,
    judge_clocks,
    judge_counter,
    judge_events,
    judge_sampling,
    judge_throttling,
)
from vosbench.harness.measure.nvml import NvmlError, open_device
from vosbench.harness.measure.nvml_source import nvml_source
from vosbench.harness.measure.sampled_power import SampledSource

if TYPE_CHECKING:
    import torch

WATCH_PERIOD_S = 0.02

Load = Callable[[float], tuple[float, float]]
"""Keeps a device busy for so many seconds; (ms by its events, ms by the wall clock)."""


@dataclass
class _Seen:
    """What the watcher has collected so far."""

    sm_mhz: list[int] = field(default_factory=list)
    reasons: set[str] | None = None


@contextmanager
def _watching(uuid: str) -> Iterator[_Seen]:
    """Collect SM clocks and throttle reasons beside the block."""
    seen, stop = _Seen(), threading.Event()

    def watch() -> None:
        with suppress(NvmlError), open_device(uuid) as gpu:
            while not stop.wait(WATCH_PERIOD_S):
                with suppress(NvmlError):
                    seen.sm_mhz.append(gpu.sm_clock_mhz())
                with suppress(NvmlError):
                    seen.reasons = (seen.reasons or set()) | set(gpu.clock_reasons())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def examine_gpu(uuid: str, load: Load, seconds: float) -> list[InstrumentFinding]:
    """Judge a GPU's instruments from one load on it.

    Args:
        uuid: the device, as :func:`.nvml.open_device` takes it.
        load: see :data:`Load`; run once briefly to raise the clocks first.
        seconds: length of the watched load.
    """
    source = nvml_source(uuid)
    # A split board's samples would be as wrong as its counter.
    sampler = source if isinstance(source, NoSource) else SampledSource(uuid)
    load(seconds / 4)
    with _watching(uuid) as seen:
        sampled = sampler.begin()
        counted = source.begin()
        events_ms, wall_ms = load(seconds)
        counter, integral = counted.end(), sampled.end()
    reasons = None if seen.reasons is None else frozenset(seen.reasons)
    return [
        judge_events(events_ms, wall_ms),
        judge_counter(counter, integral),
        judge_sampling(integral),
        judge_clocks(seen.sm_mhz),
        judge_throttling(reasons),
    ]


def matmul_load(device: torch.device, size: int = 4096) -> Load:
    """A load of square float32 products on ``device``."""
    import torch

    clock = clock_for(device)
    factor = torch.randn(size, size, device=device)

    def load(seconds: float) -> tuple[float, float]:
        torch.cuda.synchronize(device)
        start_s = time.perf_counter()
        first = clock.mark()
        while time.perf_counter() - start_s < seconds:
            for _ in range(10):
                factor @ factor
            # Without it the queue would run far ahead of the clock that ends the load.
            torch.cuda.synchronize(device)
        last = clock.mark()
        (events_ms,) = clock.resolve([(first, last)])
        return float(events_ms), (time.perf_counter() - start_s) * 1e3

    return load


def graph_gap(device: torch.device, rounds: int = 5) -> float | str:
    """Largest difference of a compiled part's outputs from eager ones, relative to the largest.

    All outputs are looked at after the last round, as a tracker keeps some of them for long.
    Where nothing can be compiled: why.
    """
    import torch
    from torch import nn

    from vosbench.runners.compiled import compile_parts

    part = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 3))
    part.to(device)
    with torch.inference_mode():
        given = [torch.randn(1, 8, 32, 48, device=device) for _ in range(rounds)]
        eager = [part(x) for x in given]
        try:
            compile_parts([(part, "forward")], device)
            kept = [part(x) for x in given]
        except Exception as error:  # compilers and drivers fail in many ways
            return (str(error) or type(error).__name__).strip().splitlines()[0]
        pairs = zip(kept, eager, strict=True)
        return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
