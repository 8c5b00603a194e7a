"""What a frame asks of a device: operations started, and waits for its results.

    python benchmarks/launches.py --objects 1,2,5,10 --taus 5

Nothing here needs a card: both are counted as the walk runs on the CPU, with objects one by one and
in batches, as on a GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import torch
from clip_arguments import sharpen_random_head

from vosbench.harness.measure.launches import Operations, Waits
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import PIXELS_AT_ONCE, NetworkRunner
from vosbench.runners.policies import Always, Every, Learned, Never
from vosbench.runners.policy import GatePolicy
from vosbench.runners.registry import resolve
from vosbench.runners.tracking import SharedWalk

SIZE = (48, 64)
FRAMES = 24
"""Of them the last sixteen are counted: two rounds of the target model's optimiser."""


@dataclass(frozen=True)
class Asked:
    """Operations and waits a frame."""

    operations: float
    waits: float


def asked(walk: SharedWalk, objects: int) -> Asked:
    """Walk noise with so many objects, side by side, and count."""
    height, width = SIZE
    edges = [round(width * k / objects) for k in range(objects + 1)]
    masks = {k + 1: torch.zeros(SIZE, dtype=torch.bool) for k in range(objects)}
    for k, mask in enumerate(masks.values()):
        mask[height // 4 :, edges[k] : edges[k + 1]] = True
    generator = torch.Generator().manual_seed(0)
    operations, waits = Operations(), Waits()
    for t in range(FRAMES):
        image = torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8, generator=generator)
        if t == 0:
            walk.add_objects(Frame(t, image), masks)
        if t < FRAMES - 16:
            walk.step(Frame(t, image), no_spans)
            continue
        with operations, waits:
            walk.step(Frame(t, image), no_spans)
    return Asked(operations.count / 16, waits.count / 16)


def settings(taus: int) -> dict[str, tuple[GatePolicy, ...]]:
    """Single runs of both paths, and a sweep whose policies disagree."""
    sweep = [Every(2 + k) for k in range(taus)]
    return {
        "full": (Never(),),
        "reused": (Always(),),
        f"{taus + 1} policies": (*sweep, Learned(Decimal("0.5"))),
    }


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="g-frtm-lite")
    parser.add_argument("--objects", default="1,2,5,10")
    parser.add_argument("--taus", type=int, default=5)
    options = parser.parse_args()
    runner = resolve(options.model).build(RunnerOptions(weights="random:0"))
    assert isinstance(runner, NetworkRunner)
    sharpen_random_head(runner)
    counts = [int(text) for text in options.objects.split(",")]
    table(runner, counts, settings(options.taus), print)


def table(
    runner: NetworkRunner,
    counts: Sequence[int],
    policies: Mapping[str, tuple[GatePolicy, ...]],
    say: Callable[[str], object],
) -> None:
    """A line for each setting and number of objects."""
    say(f"{runner.spec.name}, operations and waits a frame")
    say(f"{'':14}{'objects':>8}{'one by one':>12}{'waits':>7}{'batched':>9}{'waits':>7}")
    for name, chosen in policies.items():
        for objects in counts:
            found = []
            for pixels in (0, PIXELS_AT_ONCE):
                tracker = runner.tracker(torch.device("cpu"), Precision.FLOAT32)
                tracker.pixels_at_once = pixels
                info = ClipInfo("noise", *SIZE, FRAMES)
                found.append(asked(SharedWalk(tracker, info, chosen), objects))
            one, many = found
            say(
                f"{name:14}{objects:8}{one.operations:12.0f}{one.waits:7.1f}"
                f"{many.operations:9.0f}{many.waits:7.1f}"
            )


if __name__ == "__main__":
    main()
