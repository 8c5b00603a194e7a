"""What spans cost: the same frames with spans off and on, interleaved, in one run.

``python benchmarks/span_overhead.py [--device cuda] [--stages 12] [--stage-ms 1]`` prints the
median frame of either pass, the median of the paired ratios, and the price of one span. The
work is a chain of matrix products cut into stages, so that only the spans differ.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from vosbench.harness.measure.clock import Clock, clock_for
from vosbench.harness.measure.spans import SequenceTimer


def _nothing() -> None:
    """The CPU has nothing to wait for."""


def products_for(stage_ms: float, factor: torch.Tensor, wait: Callable[[], None]) -> int:
    """How many products take about ``stage_ms`` on the factor's device."""
    factor @ factor
    wait()
    start_s = time.perf_counter()
    for _ in range(50):
        factor @ factor
    wait()
    return max(1, round(stage_ms / ((time.perf_counter() - start_s) * 1e3 / 50)))


def one_pass(
    clock: Clock, *, spans: bool, frames: int, stages: int, products: int, factor: torch.Tensor
) -> float:
    """Median ms a frame of one pass."""
    clock.reserve(frames * (2 + 2 * stages))
    timer = SequenceTimer(clock, spans=spans)
    for _ in range(frames):
        with timer.frame():
            for stage in range(stages):
                with timer.spans(f"stage {stage}"):
                    for _ in range(products):
                        factor @ factor
    return float(median(timer.finish().frame_ms))


def main() -> None:
    """Run the passes and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--stages", type=int, default=12)
    parser.add_argument("--stage-ms", type=float, default=1.0)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    device = torch.device(options.device)
    clock = clock_for(device)
    factor = torch.randn(128, 128, device=device)
    wait = torch.cuda.synchronize if device.type == "cuda" else _nothing
    products = products_for(options.stage_ms, factor, wait)

    def run(spans: bool) -> float:
        return one_pass(
            clock,
            spans=spans,
            frames=options.frames,
            stages=options.stages,
            products=products,
            factor=factor,
        )

    run(spans=True)
    off_ms, on_ms = [], []
    for turn in range(options.rounds):
        order = (False, True) if turn % 2 == 0 else (True, False)
        for spans in order:
            (on_ms if spans else off_ms).append(run(spans))
    ratios = [on / off for on, off in zip(on_ms, off_ms, strict=True)]
    difference_us = 1e3 * median(on - off for on, off in zip(on_ms, off_ms, strict=True))
    print(f"device {device}, clock {clock.name}, {options.stages} spans a frame")
    print(f"frame, spans off {median(off_ms):.3f} ms; on {median(on_ms):.3f} ms")
    print(f"ratio on/off {median(ratios):.4f} (from {min(ratios):.4f} to {max(ratios):.4f})")
    print(f"one span {difference_us / options.stages:.2f} us")


if __name__ == "__main__":
    main()
