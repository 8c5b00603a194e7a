"""How much of beginning an object is its first frame's augmentation, done on the CPU everywhere.

    python benchmarks/first_frame.py --models frtm-fast,g-frtm-lite --size 854x480

One object of a sequence of the built-in `motion`; CPU times of one thread, and wall times with
`--device cuda`.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from clip_arguments import machine

from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.datasets.motion_kinds import KINDS
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.runners.frtm import seeded_augment
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve


def median_ms(work: Callable[[], object], rounds: int, device: torch.device) -> float:
    """Median time of some rounds; the first one warms up."""
    now = time.thread_time if device.type == "cpu" else time.perf_counter
    seconds = []
    for _ in range(rounds + 1):
        began = now()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(now() - began)
    return 1e3 * statistics.median(seconds[1:])


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="frtm-fast,g-frtm-lite")
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    keep_large_blocks()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    device = torch.device(options.device)
    width, height = (int(part) for part in options.size.split("x"))
    clip = make_clip(sorted(KINDS)[0], 3, (height, width), 2)
    image = torch.from_numpy(np.ascontiguousarray(clip.images[0].transpose(2, 0, 1))).to(device)
    mask = torch.from_numpy(clip.labels[0] == min(clip.objects)).to(device)
    print(f"{datetime.date.today()}, {machine()}")
    print(f"{width}x{height}, 1 object of {float(mask.float().mean()):.1%} of the frame, {device}")
    augment = seeded_augment(0)
    for name in options.models.split(","):
        runner = resolve(name).build(RunnerOptions(weights="random:0"))
        assert isinstance(runner, NetworkRunner)
        runner.load(device, Precision.FLOAT32)
        info = ClipInfo("motion", height, width, 2)

        def begin(runner: NetworkRunner = runner, info: ClipInfo = info) -> None:
            runner.walk(info, (Never(),)).add_objects(Frame(0, image), {1: mask})

        whole = median_ms(begin, options.rounds, device)
        own = median_ms(lambda: augment(image, mask), options.rounds, device)
        print(
            f"{name:12} begins in {whole:6.0f} ms, {own:5.1f} ms ({own / whole:.1%}) augmentation"
        )


if __name__ == "__main__":
    main()
