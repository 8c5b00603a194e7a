"""What frames cost here, and how far the clock and the memory can be trusted."""

from __future__ import annotations

import gc
import resource
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from statistics import median
from typing import TYPE_CHECKING

import torch

from vosbench.baselines.frtm.target import FRTM_FAST_TARGET
from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.play import clip_info
from vosbench.harness.contract.prove_record import Bench, Figure, NotDone, Proof
from vosbench.harness.contract.prove_tracks import MODEL, build, sequences
from vosbench.harness.datasets import registry
from vosbench.harness.evaluate.annotations import Annotations
from vosbench.harness.evaluate.inputs import frame_of
from vosbench.harness.evaluate.profile import profile
from vosbench.harness.evaluate.warm import forced_walk, warm_paths
from vosbench.harness.measure.allocator import give_free_memory_back
from vosbench.harness.measure.clock import clock_for
from vosbench.runners.interface import Frame, Path, Precision, Runner, no_spans
from vosbench.runners.tracking import SharedWalk

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Walk

PAIRS = 30
GPU_NOISE, CPU_NOISE = 0.03, 0.25
"""Most that two halves of equal frames may differ before a timing says nothing."""
CAPACITY = FRTM_FAST_TARGET.capacity
GROWTH_MIB = 4.0
"""Most that 60 frames may leave behind; on a CPU, the allocator alone moves by some tenths."""
SHORT, LONG = 85, 145
"""Frames between which memory is compared. Before, the target model's memory of samples fills: the
first frame gives five, each full one another, until there are 80. What it gains later, for an
object that was out of sight, is counted out."""


def _loaded(bench: Bench) -> Runner:
    runner = build()
    runner.load(bench.device, Precision.FLOAT32)
    return runner


def _clip() -> Clip:
    return registry.open("motion").clip("fast")


def warmed(runner: Runner, clip: Clip, bench: Bench) -> list[Figure]:
    """Whether each path's times become stable."""
    records = warm_paths(runner, clip, Annotations(clip), bench.device, clock_for(bench.device))
    unstable = sum(not record.stable for record in records)
    # On a machine that others use, frames of a CPU never settle; that is the next check's to say.
    most = 0 if bench.gpu else len(records)
    return [
        Figure("paths that never became stable", unstable, at_most=most, timed=True),
        Figure("runs until stable", max(len(record.times_ms) for record in records)),
    ]


def alike(times_ms: Sequence[float], bench: Bench) -> list[Figure]:
    """Equal frames, every other one counted for A: how far A and B are apart."""
    a, b = median(times_ms[::2]), median(times_ms[1::2])
    return [
        Figure("A/A", abs(a / b - 1), at_most=GPU_NOISE if bench.gpu else CPU_NOISE, timed=True),
        Figure("median", median(times_ms), "ms"),
    ]


def frame_times(runner: Runner, clip: ContractClip, device: torch.device) -> list[float]:
    """Ms of equal full frames, after a few that warm up."""
    clock = clock_for(device)
    walk, image = _begun(runner, clip, device, Path.FULL)
    marks = []
    for shown in range(2 * PAIRS + 4):
        began = clock.mark()
        walk.step(Frame(shown + 1, image), no_spans)
        marks.append((began, clock.mark()))
    return [float(ms) for ms in clock.resolve(marks)[4:]]


def costs(runner: Runner, clip: Clip, bench: Bench) -> list[Figure]:
    """Each path's median ms and GFLOP; a copied frame must cost least."""
    found = {c.path: c for c in profile(runner, clip, bench.device, 10)}
    full, reuse, copy = (found[path] for path in (Path.FULL, Path.REUSE, Path.COPY))
    return [
        *(Figure(f"{c.path.value}", c.ms, "ms") for c in found.values()),
        *(Figure(f"{c.path.value}", c.gflop, "GFLOP") for c in (full, reuse)),
        Figure("copied / full, ms", copy.ms / full.ms, at_most=1.0, timed=True),
        Figure("reused / full, GFLOP", reuse.gflop / full.gflop, at_most=1.0),
    ]


@dataclass(frozen=True)
class HeldMemory:
    """MiB that are held: by this process, on a GPU by tensors, and of it by samples of objects.

    Attributes:
        most: samples of the object that has most.
    """

    process: float
    gpu: float | None
    samples: float = 0.0
    most: int = 0

    @classmethod
    def now(cls, walk: Walk, device: torch.device) -> HeldMemory:
        gc.collect()
        give_free_memory_back()
        pages = int(FilePath("/proc/self/statm").read_text().split()[1])
        gpu = torch.cuda.memory_allocated(device) / 2**20 if device.type == "cuda" else None
        memories = [
            state.target.memory.slots
            for state in (walk.states(0).values() if isinstance(walk, SharedWalk) else ())
        ]
        held = sum(
            tensor.nbytes
            for slots in memories
            for slot in slots
            for tensor in (slot.x, slot.normal, slot.moment)
        )
        most = max(map(len, memories), default=0)
        return cls(pages * resource.getpagesize() / 2**20, gpu, held / 2**20, most)


def grown(before: HeldMemory, after: HeldMemory) -> list[Figure]:
    """Memory after ``SHORT`` frames and after ``LONG``, without what samples gained."""
    name = f"growth from frame {SHORT} to {LONG}"
    gained = after.samples - before.samples
    # On a GPU, samples lie there and the process gains nothing by them.
    own = gained if before.gpu is None else 0.0
    figures = [
        Figure(name, after.process - before.process - own, "MiB", at_most=GROWTH_MIB),
        Figure("held", after.process, "MiB"),
        Figure("samples of an object", after.most, at_most=CAPACITY),
    ]
    if before.gpu is not None and after.gpu is not None:
        growth = after.gpu - before.gpu - gained
        figures += [
            Figure(f"{name}, GPU", growth, "MiB", at_most=GROWTH_MIB),
            Figure("held, GPU", after.gpu, "MiB"),
        ]
    return figures


def held(runner: Runner, clip: ContractClip, device: torch.device) -> tuple[HeldMemory, HeldMemory]:
    """What is held after ``SHORT`` and after ``LONG`` full frames."""
    walk, image = _begun(runner, clip, device, Path.FULL)
    found = []
    for index in range(1, LONG + 1):
        walk.step(Frame(index, image), no_spans)
        if index in (SHORT, LONG):
            found.append(HeldMemory.now(walk, device))
    return found[0], found[1]


def _begun(
    runner: Runner, clip: ContractClip, device: torch.device, path: Path
) -> tuple[Walk, torch.Tensor]:
    walk = forced_walk(runner, replace(clip_info(clip, device, truth=False), frames=LONG + 1), path)
    masks = {
        i: torch.from_numpy(clip.mask(clip.start, i)).to(device) for i in clip.starting(clip.start)
    }
    first = frame_of(0, clip.frames[clip.start], device)
    walk.add_objects(first, masks)
    walk.step(first, no_spans)
    return walk, frame_of(1, clip.frames[clip.start + 1], device).image


def checks() -> list[Proof]:
    """What is asked of clocks and memory."""

    def noise(bench: Bench) -> list[Figure]:
        clip = sequences(frames=3)[0]
        return alike(frame_times(_loaded(bench), clip, bench.device), bench)

    def memory(bench: Bench) -> list[Figure]:
        if not FilePath("/proc/self/statm").exists():
            raise NotDone("only Linux tells what a process holds")
        trio = sequences(frames=3)[1]
        return grown(*held(_loaded(bench), trio, bench.device))

    return [
        Proof(
            "warm-up",
            f"Frames of {MODEL} take equally long once each path has run some times",
            lambda bench: warmed(_loaded(bench), _clip(), bench),
        ),
        Proof("noise", "Two halves of equal frames take equally long", noise),
        Proof(
            "path costs",
            "A copied frame costs least, and a reused one computes less than a full one",
            lambda bench: costs(_loaded(bench), _clip(), bench),
        ),
        Proof("memory", "A long sequence needs no more memory than a short one", memory),
    ]
