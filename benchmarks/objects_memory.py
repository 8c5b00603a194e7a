"""How much memory many objects take, with every target model's memory full.

    python benchmarks/objects_memory.py --objects 16 --size 854x480

Objects are squares over noise. All of them begin in the first frame; a few frames are walked, then
each object's sample memory is filled to its capacity beside the walk, and frames are walked on. So
the peak printed is that of a clip of any length, or somewhat above.
"""

from __future__ import annotations

import argparse
import datetime

import torch
from clip_arguments import machine, sharpen_random_head

from vosbench.baselines.frtm.target import TargetModel
from vosbench.harness.measure.allocator import keep_large_blocks
from vosbench.harness.measure.probe import peak_memory_mib
from vosbench.runners.frtm import FrtmState
from vosbench.runners.interface import ClipInfo, Frame, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve
from vosbench.runners.tracking import SharedWalk


def squares(count: int, height: int, width: int) -> dict[int, torch.Tensor]:
    """Masks of ``count`` objects on a grid."""
    columns = -(-count // 4)
    masks = {}
    for i in range(count):
        top, left = (i // columns) * height // 4, (i % columns) * width // columns
        mask = torch.zeros(height, width, dtype=torch.bool)
        mask[top + 5 : top + height // 4 - 5, left + 5 : left + width // columns - 5] = True
        masks[i + 1] = mask
    return masks


def filled(model: TargetModel, mask: torch.Tensor) -> TargetModel:
    """The model after so many samples that its memory is full; the filter stays as it is."""
    height, width = (-(-side // 16) for side in mask.shape)
    while len(model.memory.slots) < model.config.capacity:
        f16 = torch.randn(1, model.project.shape[1], height, width)
        model = model.updated(f16, 0.9 * mask.float())
    return model


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=16)
    parser.add_argument("--size", default="854x480", help="WIDTHxHEIGHT")
    parser.add_argument("--model", default="g-frtm-fast")
    parser.add_argument("--weights", default="random:0", help="checkpoint, or random:SEED")
    parser.add_argument("--frames", type=int, default=2, help="frames before and after filling")
    options = parser.parse_args()
    keep_large_blocks()
    width, height = (int(part) for part in options.size.split("x"))
    runner = resolve(options.model).build(RunnerOptions(weights=options.weights))
    if not isinstance(runner, NetworkRunner):
        raise SystemExit(f"{options.model}: this benchmark knows the built-in networks only")
    sharpen_random_head(runner)
    cpu = torch.device("cpu")
    runner.load(cpu, Precision.FLOAT32)
    masks = squares(options.objects, height, width)
    frames = options.frames
    walk = runner.walk(ClipInfo("squares", height, width, 2 * frames + 1), (Never(),))
    assert isinstance(walk, SharedWalk)
    torch.manual_seed(0)
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    print(f"{datetime.date.today()}, {machine()}")
    print(f"{options.model} ({options.weights}), {options.objects} objects, {width}x{height}")
    print(f"network loaded: {peak_memory_mib(cpu):.0f} MiB at most so far", flush=True)
    walk.add_objects(Frame(0, image), masks)
    for t in range(frames + 1):
        walk.step(Frame(t, image), no_spans)
    print(f"after {frames + 1} frames: {peak_memory_mib(cpu):.0f} MiB", flush=True)
    with torch.inference_mode():
        held = [
            filled(state.target, masks[i])
            for i, state in walk.states(0).items()
            if isinstance(state, FrtmState)
        ]
    print(f"{len(held)} memories filled: {peak_memory_mib(cpu):.0f} MiB", flush=True)
    for t in range(frames + 1, 2 * frames + 1):
        walk.step(Frame(t, image), no_spans)
    print(f"peak: {peak_memory_mib(cpu):.0f} MiB")


if __name__ == "__main__":
    main()
