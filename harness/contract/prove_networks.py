"""Whether a network computes the same on the device, and in each arithmetic, as on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.play import clip_info
from vosbench.harness.contract.prove_record import Bench, Figure, Proof
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.evaluate.inputs import frame_of
from vosbench.harness.evaluate.warm import can_force, forced_walk
from vosbench.runners.interface import Path, Precision, Runner, RunnerOptions, no_spans
from vosbench.runners.registry import resolve

MODELS = (
    "g-frtm",
    "g-frtm-fast",
    "g-frtm-lite",
    "g-ttvos",
    "g-ttvos-fast",
    "g-ttvos-lite",
    "frtm-fast",
    "ttvos-fast",
)
"""Every architecture, gated; the plain ones are parts of them, and stand for the rest by two."""
SIZE = (64, 96)
TRACKED = 2
"""Frames compared after the given one: later ones differ by what earlier ones made of rounding."""


@dataclass(frozen=True)
class NumberFormat:
    """A way of computing, and how far it may be from float64 on the CPU.

    Attributes:
        gap: most that R8 may differ, relative to its largest value, and P_gate and the share of
            labels. S is held to it in float64 alone: the fit of the target model is so badly
            conditioned that float32 moves S by some per cent of its range, and masks not at all.
    """

    precision: Precision
    gap: float
    tf32: bool = False
    gpu: bool = False

    @property
    def name(self) -> str:
        return f"{self.precision.value}{' with TF32' if self.tf32 else ''}"


ARITHMETICS = (
    NumberFormat(Precision.FLOAT64, 1e-6, gpu=True),
    NumberFormat(Precision.FLOAT32, 2e-2),
    NumberFormat(Precision.FLOAT32, 5e-2, tf32=True, gpu=True),
    NumberFormat(Precision.BF16, 0.1),
    NumberFormat(Precision.FLOAT32_COMPILED, 2e-2),
)


@dataclass(frozen=True)
class SeenFrame:
    """What a network made of the frames after the first, on one path."""

    labels: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float64]]
    p_gate: NDArray[np.float64]


def build(model: str) -> Runner:
    """The model with random weights, which every machine can have."""
    return resolve(model).build(RunnerOptions(weights="random:0"))


def observe(runner: Runner, clip: ContractClip, device: torch.device, path: Path) -> SeenFrame:
    """Walk the clip's first frames on one path, on a runner that was loaded onto ``device``."""
    info = clip_info(clip, device, truth=False)
    start = clip.start
    frames = range(start, start + 1 + TRACKED)
    walk = forced_walk(runner, replace(info, traced=frames), path)
    labels, gates = [], []
    maps: dict[str, list[NDArray[np.float64]]] = {}
    for t in frames:
        frame = frame_of(t, clip.frames[t], device)
        if t == start:
            masks = {i: torch.from_numpy(clip.mask(t, i)).to(device) for i in clip.starting(t)}
            walk.add_objects(frame, masks)
        (step,) = walk.step(frame, no_spans)
        if t == start:
            continue
        labels.append(step.labels.cpu().numpy())
        for o in step.objects:
            gates.append(np.nan if o.p_gate is None else o.p_gate)
            if o.trace is not None:
                for name, value in (("S", o.trace.score), ("R8", o.trace.r8)):
                    maps.setdefault(name, []).append(value.double().cpu().numpy())
    joined = {name: np.stack(each) for name, each in maps.items()}
    return SeenFrame(np.stack(labels), joined, np.array(gates))


def differences(seen: SeenFrame, reference: SeenFrame) -> dict[str, float]:
    """Largest relative difference of each map, of P_gate, and the share of unlike labels."""
    gaps = {
        name: float(np.abs(seen.maps[name] - other).max() / max(np.abs(other).max(), 1e-12))
        for name, other in reference.maps.items()
    }
    if not np.isnan(reference.p_gate).all():
        gaps["P_gate"] = float(np.abs(seen.p_gate - reference.p_gate).max())
    gaps["labels"] = float((seen.labels != reference.labels).mean())
    return gaps


@contextmanager
def _tf32(on: bool) -> Iterator[None]:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = on
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def conformance(
    runner: Runner,
    device: torch.device,
    arithmetics: Sequence[NumberFormat] = ARITHMETICS,
    clip: ContractClip | None = None,
    reference: Precision = Precision.FLOAT64,
) -> list[Figure]:
    """Figures of each arithmetic on ``device`` against float64 on the CPU, on each path.

    What only a GPU has is left out on a CPU. The default sequence is a tiny one, as depthwise
    convolutions in float64 take a CPU fifty times longer than in float32.
    """
    if clip is None:
        made = make_clip("slow", 301, SIZE, 1 + TRACKED)
        clip = ContractClip.of("slow", made.images, made.labels)
    cpu = torch.device("cpu")
    forced = can_force(runner)
    paths = [p for p in (Path.FULL, Path.REUSE) if forced and p in runner.spec.paths]
    paths = paths or [Path.FULL]
    runner.load(cpu, reference)
    expected = {path: observe(runner, clip, cpu, path) for path in paths}
    figures = []
    for arithmetic in arithmetics:
        if arithmetic.gpu and device.type != "cuda":
            continue
        with _tf32(arithmetic.tf32):
            runner.load(device, arithmetic.precision)
            for path, seen in expected.items():
                gaps = differences(observe(runner, clip, device, path), seen)
                figures += _figures(f"{arithmetic.name}, {path.value}", gaps, arithmetic)
    return figures


def _figures(where: str, gaps: Mapping[str, float], arithmetic: NumberFormat) -> list[Figure]:
    exact = arithmetic.precision is Precision.FLOAT64
    bounds = {name: arithmetic.gap if name != "S" or exact else None for name in gaps}
    return [Figure(f"{where}: {name}", gap, at_most=bounds[name]) for name, gap in gaps.items()]


def _check(model: str) -> Proof:
    def measure(bench: Bench) -> Sequence[Figure]:
        return conformance(build(model), bench.device)

    claim = f"{model} computes on the device, in each arithmetic, what float64 does on the CPU"
    return Proof(f"network {model}", claim, measure)


def checks(models: Sequence[str] = MODELS) -> list[Proof]:
    """One check per network."""
    return [_check(model) for model in models]
