"""Whether a network computes the same on the device, and in each arithmetic, as on a CPU.

Networks of the FRTM family fit a target model to the first frame, by conjugate gradients whose
rounding grows from one iteration to the next. So all arithmetics are given the filters that float64
found, and what follows is held to narrow bounds; their own fits are judged by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vosbench.baselines.frtm.target import TargetModel, misfit
from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.play import clip_info
from vosbench.harness.contract.prove_record import Bench, Figure, Proof
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.evaluate.inputs import frame_of
from vosbench.harness.evaluate.warm import FORCED
from vosbench.runners.compiled import compiled_parts
from vosbench.runners.interface import Path, Precision, RunnerOptions, no_spans
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.registry import resolve
from vosbench.runners.tracker import Competed, Tracker
from vosbench.runners.tracking import SharedWalk

MODELS = (
    "g-frtm-lite",
    "g-frtm-half",
    "g-frtm-fast",
    "g-ttvos-lite",
    "g-ttvos-fast",
    "frtm-fast",
    "ttvos-fast",
    "g-ttvos",
    "g-frtm",
)
"""Every architecture, gated, quick ones first; two plain ones stand for those, which are parts."""
SIZE = (64, 96)
TRACKED = 2
"""Frames compared after the given one: later ones differ by what earlier ones made of rounding.
Fewer than pass between two runs of the target model's optimiser."""

MAPS: tuple[str, ...] = ("S", "R8", "mask")
"""As a report has them; the mask is that before objects compete."""

FIT_GAP = 0.1
"""Most by which the squared error after an arithmetic's own fit may exceed that after float64's.

In float32, conjugate gradients lose one or two of their ten iterations to rounding: measured on
CPUs, the error is up to 0.05 above float64's and S moves by up to 0.09 of its range, in ours and in
a plain fit by autograd alike. Relative noise of 1e-9 in the products of a float64 fit does as much.
"""


@dataclass(frozen=True)
class NumberFormat:
    """A way of computing, and how far it may be from float64 on the CPU.

    Attributes:
        gap: most that S, R8 and masks may differ, relative to their largest value, and P_gate.
        labels: largest share of unlike labels: where two are equally likely, one bit decides.
        fit: most by which the target model's error may exceed float64's; see ``FIT_GAP``.
    """

    precision: Precision
    gap: float
    labels: float
    fit: float | None = FIT_GAP
    tf32: bool = False
    gpu: bool = False

    @property
    def name(self) -> str:
        return f"{self.precision.value}{' with TF32' if self.tf32 else ''}"


ARITHMETICS = (
    NumberFormat(Precision.FLOAT64, 1e-6, 1e-3, gpu=True),
    NumberFormat(Precision.FLOAT32, 1e-4, 1e-3),
    NumberFormat(Precision.FLOAT32, 2e-2, 2e-2, tf32=True, gpu=True),
    NumberFormat(Precision.BF16, 5e-2, 5e-2),
    NumberFormat(Precision.FLOAT32_COMPILED, 1e-4, 1e-3),
)


@dataclass(frozen=True)
class SeenFrames:
    """What a network made of the frames after the first, on one path."""

    labels: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float64]]
    p_gate: NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """A target model, and what it was fitted to: f16 (K, C16, h, w) and masks (K, H, W)."""

    model: TargetModel
    f16: Tensor
    masks: Tensor


class NetworkTracker(Tracker, Protocol):
    """What a network's runner makes."""

    network: nn.Module


def build(model: str) -> NetworkRunner:
    """The model with random weights, which every machine can have."""
    runner = resolve(model).build(RunnerOptions(weights="random:0"))
    assert isinstance(runner, NetworkRunner)
    return runner


class Observer:
    """A network in use, whose fits and masks are listened to.

    Args:
        given: float64's fits, whose filters take the place of its own, object by object.

    Attributes:
        fits: its own, object by object, walk by walk.
    """

    def __init__(
        self,
        runner: NetworkRunner,
        device: torch.device,
        precision: Precision,
        given: Sequence[Fit] = (),
    ) -> None:
        self.fits: list[Fit] = []
        self._runner, self._device, self._given = runner, device, given
        self._tracker = cast(NetworkTracker, runner.tracker(device, precision))
        self._masks: list[Tensor] = []
        for name, listen in (("compete", self._compete), ("fitted", self._fitted)):
            if hasattr(self._tracker, name):
                setattr(self._tracker, name, partial(listen, getattr(self._tracker, name)))

    def _compete(self, compete: Callable[[Tensor], Competed], probabilities: Tensor) -> Competed:
        self._masks.append(probabilities)
        return compete(probabilities)

    def _fitted(
        self, fit: Callable[[Tensor, Tensor], TargetModel], f16: Tensor, masks: Tensor
    ) -> TargetModel:
        own = fit(f16, masks)
        place = len(self.fits)
        self.fits.append(Fit(own, f16, masks))
        if not self._given:
            return own
        # Its memory goes with its own filters; nothing reads that in the frames to come.
        other = self._given[place % len(self._given)].model
        return replace(
            own, project=other.project.to(own.project), kernel=other.kernel.to(own.kernel)
        )

    def observe(self, clip: ContractClip, path: Path) -> SeenFrames:
        """Walk the sequence's first frames on one path."""
        start, device = clip.start, self._device
        frames = range(start, start + 1 + TRACKED)
        info = replace(clip_info(clip, device, truth=False), traced=frames)
        padding = self._runner.padding(info)
        walk = SharedWalk(self._tracker, info, (FORCED[path],), padding)
        labels, gates = [], []
        maps: dict[str, list[NDArray[np.float64]]] = {}
        for t in frames:
            frame = frame_of(t, clip.frames[t], device)
            if t == start:
                given = {i: torch.from_numpy(clip.mask(t, i)).to(device) for i in clip.starting(t)}
                walk.add_objects(frame, given)
            self._masks.clear()
            (step,) = walk.step(frame, no_spans)
            if t == start:
                continue
            labels.append(step.labels.cpu().numpy())
            maps.setdefault("mask", []).append(_array(torch.cat(self._masks)))
            for o in step.objects:
                gates.append(np.nan if o.p_gate is None else o.p_gate)
                if o.trace is not None:
                    for name, value in (("S", o.trace.score), ("R8", o.trace.r8)):
                        maps.setdefault(name, []).append(_array(value))
        joined = {name: np.stack(maps[name]) for name in MAPS if name in maps}
        return SeenFrames(np.stack(labels), joined, np.array(gates))

    def parts(self, group: str) -> list[Figure]:
        """Whether the parts that are to be compiled ran so."""
        found = compiled_parts(self._tracker.network)
        return [
            Figure("ran", sum(part.calls for part in found), at_least=1, group=group),
            Figure("uncompiled", sum(part.uncompiled for part in found), at_most=0, group=group),
        ]


def _array(x: Tensor) -> NDArray[np.float64]:
    return np.asarray(x.detach().double().cpu().numpy())


def differences(seen: SeenFrames, reference: SeenFrames) -> dict[str, float]:
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
    runner: NetworkRunner,
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
    paths = [path for path in (Path.FULL, Path.REUSE) if path in runner.spec.paths]
    whole = Observer(runner, torch.device("cpu"), reference)
    expected = {path: whole.observe(clip, path) for path in paths}
    fits = whole.fits[: len(clip.starting(clip.start))]
    figures = []
    for arithmetic in arithmetics:
        if arithmetic.gpu and device.type != "cuda":
            continue
        with _tf32(arithmetic.tf32):
            observer = Observer(runner, device, arithmetic.precision, fits)
            for path, seen in expected.items():
                gaps = differences(observer.observe(clip, path), seen)
                group = f"{arithmetic.name}, {path.value}"
                bounds = {"labels": arithmetic.labels}
                figures += [
                    Figure(name, gap, at_most=bounds.get(name, arithmetic.gap), group=group)
                    for name, gap in gaps.items()
                ]
            if arithmetic.precision.compiled:
                figures += observer.parts(f"{arithmetic.name}, parts")
        own = zip(observer.fits, fits, strict=False)
        figures += fit_figures(f"{arithmetic.name}, own fit", list(own), arithmetic.fit)
    return figures


def fit_figures(
    group: str, pairs: Sequence[tuple[Fit, Fit]], at_most: float | None = FIT_GAP
) -> list[Figure]:
    """How much worse each object's own target model fits, on float64's features, than float64's."""
    if not pairs:
        return []
    errors, moved = [], []
    for own, reference in pairs:
        f16, masks = reference.f16, reference.masks
        model = own.model.like(f16)
        errors.append(misfit(model, f16, masks) / misfit(reference.model, f16, masks) - 1)
        one, other = model.score(f16), reference.model.score(f16)
        moved.append(float((one - other).abs().max() / other.abs().max()))
    return [
        Figure("error above float64's", max(errors), at_most=at_most, group=group),
        Figure("S moved by", max(moved), group=group),
    ]


def _check(model: str) -> Proof:
    def measure(bench: Bench) -> Sequence[Figure]:
        return conformance(build(model), bench.device)

    claim = f"{model} computes on the device, in each arithmetic, what float64 does on the CPU"
    return Proof(f"network {model}", claim, measure)


def checks(models: Sequence[str] = MODELS) -> list[Proof]:
    """One check per network."""
    return [_check(model) for model in models]
