"""What torch.compile would save on the full path, and after how many frames it has paid.

    python benchmarks/compile_break_even.py --size 854x480

Compares backbone and refiner of a G-FRTM, folded and channels-last as the product runs them, with
the same under ``torch.compile``, compiled anew without caches. Times are CPU times, of child
processes too: the compiler's work counts. Prints the largest difference of the logits.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import math
import os
import statistics
from collections.abc import Callable

os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # else its workers' time is never told
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

import torch
from clip_arguments import machine
from torch import Tensor, nn

from vosbench.baselines.fold import fold_batch_norms
from vosbench.baselines.frtm.network import FrtmNetwork
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.runners.interface import RunnerOptions
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.registry import resolve


class FullPath(nn.Module):
    """Backbone and refiner of one frame: uint8 (1, 3, H, W), S (1, 1, h, w) → logits."""

    def __init__(self, network: FrtmNetwork) -> None:
        super().__init__()
        self._network = network

    def forward(self, image: Tensor, score: Tensor) -> Tensor:
        f4, f8 = self._network.feature_extractor.first(image)
        f16, f32 = self._network.feature_extractor.second(f8)
        size = (int(image.shape[-2]), int(image.shape[-1]))
        logits: Tensor = self._network.refiner((f4, f8, f16, f32), score, size).logits
        return logits


def cpu_s() -> float:
    """CPU time of this process and of the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def median_s(work: Callable[[], object], frames: int) -> float:
    """Median CPU time of a frame."""
    seconds = []
    for _ in range(frames):
        began = cpu_s()
        work()
        seconds.append(cpu_s() - began)
    return statistics.median(seconds)


@torch.inference_mode()
def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--model", default="g-frtm-fast")
    parser.add_argument("--weights", default="random:0", help="checkpoint, or random:SEED")
    parser.add_argument("--frames", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    keep_large_blocks()
    torch.set_num_threads(options.threads)
    runner = resolve(options.model).build(RunnerOptions(weights=options.weights))
    if not isinstance(runner, NetworkRunner) or not isinstance(runner.network, FrtmNetwork):
        raise SystemExit(f"{options.model}: this benchmark knows the frtm models only")
    network = copy.deepcopy(runner.network)
    fold_batch_norms(network)
    network.to(memory_format=torch.channels_last)
    width, height = (int(part) for part in options.size.split("x"))
    torch.manual_seed(0)
    image = torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8)
    score = torch.randn(1, 1, -(-height // 16), -(-width // 16))
    eager = FullPath(network)
    expected = eager(image, score)
    compiled = torch.compile(eager)
    began = cpu_s()
    logits = compiled(image, score)
    compile_s = cpu_s() - began
    gap = float((logits - expected).abs().max() / expected.abs().max())
    pairs = [
        (median_s(lambda: eager(image, score), 1), median_s(lambda: compiled(image, score), 1))
        for _ in range(options.frames)
    ]
    eager_s, compiled_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    saved_s = eager_s - compiled_s
    frames = f"{math.ceil(compile_s / saved_s)} frames" if saved_s > 0 else "never"
    print(f"{datetime.date.today()}, {machine()}")
    print(f"{options.model} ({options.weights}), {width}x{height}, CPU time")
    print(f"eager {1e3 * eager_s:.0f} ms, compiled {1e3 * compiled_s:.0f} ms a frame")
    print(f"compiling took {compile_s:.0f} s; it has paid after: {frames}")
    print(f"largest difference of the logits: {gap:.1e} of the largest logit")


if __name__ == "__main__":
    main()
