"""What keeping large freed blocks in the process saves: page faults and CPU time of a frame.

    python benchmarks/page_faults.py --images DAVIS/JPEGImages/480p \
        --annotations DAVIS/Annotations/480p --clip blackswan

Each round starts a process with glibc as it is and one with its thresholds raised
(:mod:`vosbench.harness.measure.allocator`); both walk the same frames down the full path.
"""

from __future__ import annotations

import argparse
import datetime
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from clip_arguments import add_clip_arguments, machine, read_frames, sharpen_random_head

from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.measure.probe import peak_memory_mib
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve

WARM_FRAMES = 3


@dataclass(frozen=True)
class Cost:
    """Medians over frames: CPU time, of it the kernel's, page faults; and the process's peak."""

    cpu_ms: float
    kernel_ms: float
    faults: float
    peak_mib: float


def walk(options: argparse.Namespace) -> Cost:
    """Walk the clip's first frames and count."""
    torch.set_num_threads(options.threads)
    clip = read_frames(options.images, options.annotations, options.clip, options.frames)
    runner = resolve(options.model).build(RunnerOptions(weights=options.weights))
    assert isinstance(runner, NetworkRunner)
    sharpen_random_head(runner)
    runner.load(torch.device("cpu"), Precision.FLOAT32)
    shared = runner.walk(ClipInfo(clip.name, *clip.size, len(clip.images)), (Never(),))
    shared.add_objects(Frame(0, clip.images[0]), {1: torch.from_numpy(clip.labels[0] > 0)})
    rows = []
    for t, image in enumerate(clip.images):
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
        shared.step(Frame(t, image), no_spans)
        after, ended = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
        kernel_s = after.ru_stime - before.ru_stime
        rows.append((1e3 * (ended - began), 1e3 * kernel_s, after.ru_minflt - before.ru_minflt))
    cpu, kernel, faults = (
        statistics.median(column) for column in zip(*rows[WARM_FRAMES:], strict=True)
    )
    return Cost(cpu, kernel, faults, peak_memory_mib(torch.device("cpu")))


def show(name: str, costs: Sequence[Cost]) -> None:
    """Print medians over rounds."""
    cpu, kernel, faults, peak = (
        statistics.median(getattr(cost, field) for cost in costs)
        for field in ("cpu_ms", "kernel_ms", "faults", "peak_mib")
    )
    print(f"{name:16}{cpu:9.0f}{kernel:11.0f}{faults:10.0f}{peak:10.0f}")


def main() -> None:
    """Read the arguments, start the processes and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_clip_arguments(parser)
    parser.add_argument("--clip", required=True)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--model", default="g-frtm-fast")
    parser.add_argument("--weights", default="random:0", help="checkpoint, or random:SEED")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=("default", "kept"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        if options.child == "kept" and not keep_large_blocks():
            raise SystemExit("this C library is not glibc: there is nothing to compare")
        print(json.dumps(asdict(walk(options))))
        return
    print(f"{datetime.date.today()}, {machine()}")
    costs: dict[str, list[Cost]] = {"default": [], "kept": []}
    for _ in range(options.rounds):
        for name, measured in costs.items():
            command = [sys.executable, str(Path(__file__)), *sys.argv[1:], "--child", name]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            measured.append(Cost(**json.loads(told)))
    print(f"{'large blocks':16}{'CPU ms':>9}{'kernel ms':>11}{'faults':>10}{'peak MiB':>10}")
    for name, measured in costs.items():
        show(name, measured)


if __name__ == "__main__":
    main()
