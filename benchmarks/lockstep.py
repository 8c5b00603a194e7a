"""What walking a clip once for many settings saves, against separate runs in the same process.

    python benchmarks/lockstep.py --images DAVIS/JPEGImages/480p \
        --annotations DAVIS/Annotations/480p --clips blackswan,dog --max-frames 12

Ten values of τ, and copy, fusion and g-IoU at the middle one. By default the τ are the deciles of
P_gate that the network gives on the first clip, so that they disagree as much as they can;
``--taus`` takes others. Prints the time together and apart, their ratio and the ratio of the
floating-point operations that both executed (which bounds it from below on a CPU), whether every
label map and P_gate is the same bit for bit, how many network passes were saved, and the peak of
the resident set after the shared walks, which come first. Counting operations costs both sides
some microseconds an operation.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import torch
from clip_arguments import Frames, add_clip_arguments, machine, read_frames, sharpen_random_head
from torch.utils.flop_counter import FlopCounterMode

from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.measure.probe import peak_memory_mib
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import (
    Copy,
    Fusion,
    Learned,
    Never,
    TrueIoU,
    default_tau2,
)
from vosbench.runners.policy import GatePolicy
from vosbench.runners.registry import resolve


@dataclass(frozen=True)
class Walked:
    """One walk: a hash of labels and P_gate per policy, all P_gate, passes, seconds, operations."""

    hashes: tuple[str, ...]
    p_gate: tuple[float, ...]
    computed: int
    saved: int
    seconds: float
    operations: int


def walk(
    runner: NetworkRunner,
    clip: Frames,
    policies: Sequence[GatePolicy],
    clock: Callable[[], float],
) -> Walked:
    """Walk a clip for some policies at once."""

    def truth(t: int, object_id: int) -> torch.Tensor:
        return torch.from_numpy(clip.labels[t] == object_id)

    height, width = clip.size
    info = ClipInfo(clip.name, height, width, len(clip.images), truth)
    digests = [hashlib.sha256() for _ in policies]
    seen: list[float] = []
    counter = FlopCounterMode(display=False)
    began = clock()
    shared = runner.walk(info, tuple(policies))
    with counter:
        for t, image in enumerate(clip.images):
            frame = Frame(t, image)
            if t == 0:
                shared.add_objects(frame, {1: truth(0, 1)})
            for digest, step in zip(digests, shared.step(frame, no_spans), strict=True):
                digest.update(step.labels.numpy().tobytes())
                digest.update(repr([(o.id, o.path, o.p_gate) for o in step.objects]).encode())
                seen += [o.p_gate for o in step.objects if o.p_gate is not None]
    return Walked(
        tuple(d.hexdigest() for d in digests),
        tuple(seen),
        shared.passes_computed,
        shared.passes_saved,
        clock() - began,
        counter.get_total_flops(),
    )


def chosen_policies(taus: Sequence[Decimal]) -> tuple[GatePolicy, ...]:
    """The learned gate at every τ; copy, fusion and g-IoU at the middle one."""
    middle = sorted(taus)[len(taus) // 2]
    others = (Copy(middle), Fusion(middle, default_tau2(middle)), TrueIoU(Decimal("0.8")))
    return (*(Learned(tau) for tau in taus), *others)


def deciles(values: Sequence[float]) -> tuple[Decimal, ...]:
    """Ten thresholds that cut the values apart."""
    return tuple(Decimal(repr(float(q))) for q in np.quantile(values, np.arange(0.05, 1, 0.1)))


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_clip_arguments(parser)
    parser.add_argument("--clips", required=True, help="names, with commas between")
    parser.add_argument("--max-frames", type=int, default=None)
    parser.add_argument("--model", default="g-frtm-fast")
    parser.add_argument("--weights", default="random:0", help="checkpoint, or random:SEED")
    parser.add_argument("--taus", help="thresholds, with commas between")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--cpu-time", action="store_true", help="for busy machines: CPU time of one thread"
    )
    options = parser.parse_args()
    keep_large_blocks()
    torch.set_num_threads(1 if options.cpu_time else options.threads)
    clock = time.process_time if options.cpu_time else time.perf_counter
    built = resolve(options.model).build(RunnerOptions(weights=options.weights))
    if not isinstance(built, NetworkRunner):
        raise SystemExit(f"{options.model} can't share a walk")
    sharpen_random_head(built)
    built.load(torch.device("cpu"), Precision.FLOAT32)
    clips = [
        read_frames(options.images, options.annotations, name, options.max_frames)
        for name in options.clips.split(",")
    ]
    if options.taus is None:
        taus = deciles(walk(built, clips[0], (Never(),), clock).p_gate)
    else:
        taus = tuple(Decimal(text) for text in options.taus.split(","))
    policies = chosen_policies(taus)
    print(f"{datetime.date.today()}, {machine()}")
    print(f"{options.model} ({options.weights}), {len(policies)} settings,", end=" ")
    print(f"{'CPU' if options.cpu_time else 'wall'} time; τ {', '.join(f'{t:.4f}' for t in taus)}")
    compare(built, clips, policies, clock)


def compare(
    runner: NetworkRunner,
    clips: Sequence[Frames],
    policies: Sequence[GatePolicy],
    clock: Callable[[], float],
) -> None:
    """Print a line a clip, and one for all."""
    together = [walk(runner, clip, policies, clock) for clip in clips]
    peak_mib = peak_memory_mib(torch.device("cpu"))
    print(
        f"{'clip':14}{'frames':>7}{'apart s':>9}{'together s':>12}{'ratio':>8}{'bound':>8}", end=""
    )
    print(f"{'passes':>8}{'saved':>7}{'lanes':>7}  equal")
    total_s, total = 0.0, 0
    for clip, shared in zip(clips, together, strict=True):
        apart = [walk(runner, clip, (policy,), clock) for policy in policies]
        apart_s = sum(one.seconds for one in apart)
        total_s += apart_s
        operations = sum(one.operations for one in apart)
        total += operations
        equal = shared.hashes == tuple(one.hashes[0] for one in apart)
        print(
            f"{clip.name:14}{len(clip.images):7}{apart_s:9.1f}{shared.seconds:12.1f}"
            f"{shared.seconds / apart_s:8.1%}{shared.operations / operations:8.1%}"
            f"{shared.computed:8}{shared.saved:7}"
            f"{len(set(shared.hashes)):7}  {'yes' if equal else 'NO'}",
            flush=True,
        )
    ratio = sum(shared.seconds for shared in together) / total_s
    bound = sum(shared.operations for shared in together) / total
    print(
        f"together / apart: {ratio:.1%}, {ratio / bound:.2f} times the bound; "
        f"peak resident set together: {peak_mib:.0f} MiB"
    )


if __name__ == "__main__":
    main()
