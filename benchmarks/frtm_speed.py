"""How fast G-FRTM runs, against a plain implementation of its description in the same run.

    python benchmarks/frtm_speed.py --images DAVIS/JPEGImages/480p \
        --annotations DAVIS/Annotations/480p --clip blackswan

Each round times every piece of work once on either side, one after the other, so that other load
falls on both. Pieces: the first frame (augmentation, features of the augmented frames, fit of the
target model, template, first R8), one run of the optimiser over a memory of ``--memory`` samples,
a full frame and a reused frame. Prints medians and their ratio, and GFLOP/s (as torch counts
operations) beside those of a large matrix product. :mod:`plain_frtm` says what plain means.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from clip_arguments import Frames, add_clip_arguments, machine, read_frames, sharpen_random_head
from plain_frtm import PlainTracker

from vosbench.baselines.frtm.network import GatedFrtmNetwork
from vosbench.baselines.frtm.target import TargetModel
from vosbench.harness.evaluate.flops import count_flops
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.runners.frtm import FrtmState, seeded_augment, seeded_start
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Always, Never
from vosbench.runners.policy import GatePolicy
from vosbench.runners.registry import resolve
from vosbench.runners.tracking import SharedWalk

Work = Callable[[], object]
MATRIX = 3072


@dataclass
class Piece:
    """One piece of work on either side, and the seconds it took."""

    name: str
    ours: Work
    plain: Work | None
    gflop: float
    ours_s: list[float] = field(default_factory=list)
    plain_s: list[float] = field(default_factory=list)


Clock = Callable[[], float]


def seconds(work: Work, clock: Clock) -> float:
    """Time of one call."""
    began = clock()
    work()
    return clock() - began


def gflop(work: Work) -> float:
    """Operations that torch counts in one call, 10⁹."""
    return count_flops(lambda _: work()).total / 1e9


def make_runner(model: str, weights: str, precision: Precision) -> NetworkRunner:
    """A loaded gated FRTM; raises SystemExit for other models."""
    runner = resolve(model).build(RunnerOptions(weights=weights))
    if not isinstance(runner, NetworkRunner) or not isinstance(runner.network, GatedFrtmNetwork):
        raise SystemExit(f"{model}: this benchmark knows the g-frtm models only")
    sharpen_random_head(runner)
    runner.load(torch.device("cpu"), precision)
    return runner


class Ours:
    """The product: a walk forced down one path."""

    def __init__(self, runner: NetworkRunner, clip: Frames) -> None:
        self._runner, self._clip = runner, clip
        self._mask = {1: torch.from_numpy(clip.labels[0] > 0)}
        self._walks = {policy: self.begin(policy) for policy in (Never(), Always())}
        self._t = dict.fromkeys(self._walks, 0)

    def begin(self, policy: GatePolicy) -> SharedWalk:
        height, width = self._clip.size
        walk = self._runner.walk(ClipInfo(self._clip.name, height, width, 10**6), (policy,))
        assert isinstance(walk, SharedWalk)
        first = Frame(0, self._clip.images[0])
        walk.add_objects(first, self._mask)
        walk.step(first, no_spans)
        return walk

    def step(self, policy: GatePolicy) -> None:
        self._t[policy] += 1
        t = self._t[policy]
        image = self._clip.images[1 + t % (len(self._clip.images) - 1)]
        self._walks[policy].step(Frame(t, image), no_spans)

    def optimise(self, samples: int) -> TargetModel:
        """A target model that has learnt to ``samples`` samples, about to optimise."""
        state = self.begin(Never()).states(0)[1]
        assert isinstance(state, FrtmState)
        model = replace(state.target, classified=1)
        f16, mask = self._sample(model)
        while len(model.memory.slots) < samples:
            model = model.updated(f16, mask)
        return model

    def _sample(self, model: TargetModel) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = (-(-side // 16) for side in self._clip.size)
        f16 = torch.randn(1, model.project.shape[1], height, width)
        return f16, 0.9 * self._mask[1].float()


class Plain:
    """The plain implementation with the runner's weights, unfolded."""

    def __init__(self, runner: NetworkRunner, clip: Frames) -> None:
        network = copy.deepcopy(runner.network)
        assert isinstance(network, GatedFrtmNetwork)
        self._network, self._clip = network, clip
        self._mask = torch.from_numpy(clip.labels[0] > 0)
        first = self.begin()
        self._trackers = {False: first, True: copy.copy(first)}
        self._t = 0

    def begin(self) -> PlainTracker:
        tracker = PlainTracker(self._network, self._network.config.target)
        start = seeded_start(self._network, 0)(torch.zeros(()))
        images, masks = seeded_augment(0)(self._clip.images[0], self._mask)
        tracker.begin(start, images, masks.float())
        return tracker

    def step(self, *, reuse: bool) -> None:
        self._t += 1
        image = self._clip.images[1 + self._t % (len(self._clip.images) - 1)]
        self._trackers[reuse].step(image, reuse=reuse)

    def optimise(self, samples: int) -> PlainTracker:
        """A tracker whose memory holds ``samples`` samples."""
        tracker = self._trackers[False]
        height, width = (-(-side // 16) for side in self._clip.size)
        channels = tracker.target.project.shape[1]
        for _ in range(samples - 5):
            tracker.target.classified = 1
            tracker.target.update(torch.randn(1, channels, height, width), 0.9 * self._mask.float())
        return tracker


def pieces(runner: NetworkRunner, clip: Frames, memory: int, *, plain: bool) -> tuple[Piece, ...]:
    """Build both sides; with ``plain`` False ours alone."""
    ours = Ours(runner, clip)
    model = ours.optimise(memory)
    work: list[tuple[str, Work]] = [
        ("first frame", lambda: ours.begin(Never())),
        ("update", model.optimised),
        ("full frame", lambda: ours.step(Never())),
        ("reused frame", lambda: ours.step(Always())),
    ]
    others = plain_work(runner, clip, memory) if plain else (None,) * len(work)
    pairs = zip(work, others, strict=True)
    return tuple(Piece(name, one, other, gflop(one)) for (name, one), other in pairs)


def plain_work(runner: NetworkRunner, clip: Frames, memory: int) -> tuple[Work, ...]:
    """The same pieces on the plain side, in the same order."""
    plain = Plain(runner, clip)
    filled = plain.optimise(memory)
    return (
        plain.begin,
        filled.target.optimise,
        lambda: plain.step(reuse=False),
        lambda: plain.step(reuse=True),
    )


def measure(items: tuple[Piece, ...], rounds: int, dtype: torch.dtype, clock: Clock) -> float:
    """Time all pieces in turn, ``rounds`` times; GFLOP/s of the fastest matrix product."""
    a, b = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))
    product_s = []
    for item in items[1:]:  # warm; building both sides has run the first frame
        item.ours()
        if item.plain is not None:
            item.plain()
    for _ in range(rounds):
        product_s += [seconds(lambda: a @ b, clock) for _ in range(3)]
        for item in items:
            item.ours_s.append(seconds(item.ours, clock))
            if item.plain is not None:
                item.plain_s.append(seconds(item.plain, clock))
    return 2 * MATRIX**3 / 1e9 / min(product_s)


def show(items: tuple[Piece, ...], peak: float) -> None:
    """Print one line a piece; the roofline is its arithmetic at the matrix product's speed."""
    print(f"matrix product {MATRIX}³: {peak:.0f} GFLOP/s")
    print(
        f"{'':14}{'plain ms':>9}{'ours ms':>9}{'ratio':>7}"
        f"{'GFLOP':>8}{'GFLOP/s':>9}{'roofline ms':>13}{'of it':>8}"
    )
    for item in items:
        ms = 1e3 * statistics.median(item.ours_s)
        plain = ratio = "–"
        if item.plain_s:
            plain = f"{1e3 * statistics.median(item.plain_s):.0f}"
            pairs = zip(item.plain_s, item.ours_s, strict=True)
            ratio = f"{statistics.median(p / o for p, o in pairs):.1f}x"
        roof = 1e3 * item.gflop / peak
        print(
            f"{item.name:14}{plain:>9}{ms:9.0f}{ratio:>7}{item.gflop:8.1f}"
            f"{1e3 * item.gflop / ms:9.0f}{roof:13.0f}{ms / roof:7.2f}x"
        )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_clip_arguments(parser)
    parser.add_argument("--clip", required=True)
    parser.add_argument("--model", default="g-frtm-fast")
    parser.add_argument("--weights", default="random:0", help="checkpoint, or random:SEED")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory", type=int, default=20, help="samples in the update's memory")
    parser.add_argument("--bf16", action="store_true", help="also time ours with bf16 autocast")
    parser.add_argument("--default-allocator", action="store_true", help="leave malloc as it is")
    parser.add_argument(
        "--cpu-time", action="store_true", help="for busy machines: CPU time of one thread"
    )
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    kept = not options.default_allocator and keep_large_blocks()
    torch.set_num_threads(1 if options.cpu_time else options.threads)
    torch.manual_seed(0)
    clip = read_frames(options.images, options.annotations, options.clip, 12)
    height, width = clip.size
    print(f"{datetime.date.today()}, {machine()}")
    print(f"{options.model} ({options.weights}), {clip.name} {width}x{height}, 1 object,")
    print(
        f"{'CPU' if options.cpu_time else 'wall'} time, medians of {options.rounds} rounds;",
        end=" ",
    )
    print(f"large blocks kept: {'yes' if kept else 'no'}")
    for precision in (Precision.FLOAT32, Precision.BF16) if options.bf16 else (Precision.FLOAT32,):
        runner = make_runner(options.model, options.weights, precision)
        plain = precision is Precision.FLOAT32
        dtype = torch.float32 if plain else torch.bfloat16
        items = pieces(runner, clip, options.memory, plain=plain)
        print(f"\n{precision.value}")
        show(items, measure(items, options.rounds, dtype, clock))
    print(f"\nat the end: {machine()}")


if __name__ == "__main__":
    main()
