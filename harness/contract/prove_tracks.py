"""Whether masks and decisions are the device's, the order's or the sharing's doing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.harness.contract import Subject
from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.clips import tiny_clips
from vosbench.harness.contract.play import Recording, play, start
from vosbench.harness.contract.prove_record import Bench, Figure, Proof
from vosbench.harness.contract.sharing import shared_walk, together
from vosbench.harness.datasets.motion import make_clip
from vosbench.harness.metrics import boundary_accuracy, region_similarity
from vosbench.runners.interface import Path, Precision, Runner, RunnerOptions
from vosbench.runners.network_runner import PIXELS_AT_ONCE, NetworkRunner
from vosbench.runners.policies import Every, Learned, Never
from vosbench.runners.registry import resolve

MODEL = "g-frtm-lite"
TAU = Decimal("0.7")
SIZE = (240, 432)
SMALL = (96, 160)
"""For float64 on a CPU, whose depthwise convolutions take fifty times longer than in float32."""
SEQUENCES = (("fast", 502), ("trio", 312))
FRAMES = 20


def sequences(size: tuple[int, int] = SIZE, frames: int = FRAMES) -> list[ContractClip]:
    """Two sequences of ``motion``, as arrays: a fast object, and three at once."""
    made = [(kind, make_clip(kind, seed, size, frames)) for kind, seed in SEQUENCES]
    return [ContractClip.of(kind, clip.images, clip.labels) for kind, clip in made]


def build(model: str = MODEL) -> Runner:
    """A shipped model at one threshold."""
    return resolve(model).steered(RunnerOptions(tau=TAU))


def record(
    runner: Runner, clip: ContractClip, device: torch.device, precision: Precision
) -> Recording:
    """Load and play."""
    runner.load(device, precision)
    return play(start(runner, clip, device), clip, device)


@dataclass(frozen=True)
class WalkComparison:
    """Two recordings of a sequence.

    Attributes:
        equal: share of pixels with the same label.
        flipped: share of decisions that differ.
        jf_points: difference of J&F, in points, absolute.
    """

    equal: float
    flipped: float
    jf_points: float


def compare(a: Recording, b: Recording) -> WalkComparison:
    """Labels pixel by pixel, decisions one by one, and J&F against the annotation."""
    pairs = list(zip(a.played, b.played, strict=True))
    equal = float(np.mean([(x.labels == y.labels).mean() for x, y in pairs]))
    decisions = [
        one.path is not other.path
        for x, y in pairs
        for one, other in zip(x.objects, y.objects, strict=True)
        if one.path is not Path.INIT
    ]
    difference = 100 * abs(_jf(a) - _jf(b))
    return WalkComparison(equal, float(np.mean(decisions)), difference)


def _jf(recording: Recording) -> float:
    clip = recording.clip
    scores: list[float] = []
    for played in recording.played:
        for i in clip.known(played.t - 1):
            truth, mask = clip.mask(played.t, i), _mask(played.labels, i)
            scores += [region_similarity(truth, mask), boundary_accuracy(truth, mask)]
    return float(np.mean(scores))


def _mask(labels: NDArray[np.generic], object_id: int) -> NDArray[np.bool_]:
    return np.asarray(labels == object_id)


def across(runner: Runner, clips: Sequence[ContractClip], bench: Bench) -> list[Figure]:
    """The CPU's masks and decisions beside the device's; without a GPU beside float64's."""
    other = Precision.FLOAT32 if bench.gpu else Precision.FLOAT64
    cpu = torch.device("cpu")
    found = [
        compare(
            record(runner, clip, cpu, Precision.FLOAT32), record(runner, clip, bench.device, other)
        )
        for clip in clips
    ]
    return [
        Figure("equal labels", min(c.equal for c in found), at_least=0.99),
        Figure("flipped decisions", max(c.flipped for c in found), at_most=0.1),
        Figure("J&F difference", max(c.jf_points for c in found), "points", at_most=1.0),
    ]


def repeated(runner: Runner, clips: Sequence[ContractClip], bench: Bench) -> list[Figure]:
    """The same walk twice: frames that differ in any bit."""
    differing = 0
    for clip in clips:
        one, two = (record(runner, clip, bench.device, Precision.FLOAT32) for _ in range(2))
        differing += sum(
            not np.array_equal(a.labels, b.labels) or a.objects != b.objects
            for a, b in zip(one.played, two.played, strict=True)
        )
    return [Figure("frames that differ", differing, at_most=0)]


def shared(model: str, bench: Bench) -> list[Figure]:
    """One walk for all policies against one walk each; raises where they differ."""
    subject = Subject.of(model, tiny_clips(), RunnerOptions(tau=TAU), bench.device)
    shared_walk(subject)
    return [Figure("walks that differ", 0, at_most=0)]


def batched(model: str, clips: Sequence[ContractClip], bench: Bench) -> list[Figure]:
    """Objects of all branches in one batch beside objects one by one, where policies disagree."""
    runner = resolve(model).build(RunnerOptions())
    assert isinstance(runner, NetworkRunner)
    policies = (Learned(TAU), Never(), Every(3))
    found: list[WalkComparison] = []
    for clip in clips:
        walks = []
        for pixels in (0, PIXELS_AT_ONCE):
            runner.pixels_at_once = pixels
            runner.load(bench.device, Precision.FLOAT32)
            walks.append(together(runner, clip, policies, bench.device))
        found += [compare(one, many) for one, many in zip(*walks, strict=True)]
    return [
        Figure("equal labels", min(c.equal for c in found), at_least=0.99),
        Figure("flipped decisions", max(c.flipped for c in found), at_most=0.1),
    ]


def _batches(model: str) -> Proof:
    claim = "Objects in one batch get what they get one by one"
    return Proof(f"batches {model}", claim, lambda b: batched(model, sequences(frames=8)[1:], b))


def _lockstep(model: str) -> Proof:
    claim = "Settings that share a walk get the masks of separate runs: bit for bit on a CPU"
    return Proof(f"lockstep {model}", claim, lambda bench: shared(model, bench))


def checks() -> list[Proof]:
    """What is asked of tracking as a whole."""
    return [
        Proof(
            "masks",
            f"{MODEL} at τ={TAU} makes the same masks and decisions on the CPU and the device",
            lambda bench: across(build(), sequences() if bench.gpu else sequences(SMALL, 8), bench),
        ),
        Proof(
            "determinism",
            "The same walk twice gives the same bits",
            lambda bench: repeated(build(), sequences(), bench),
        ),
        *(_batches(model) for model in (MODEL, "g-ttvos-lite", "g-frtm-half")),
        *(_lockstep(model) for model in (MODEL, "g-ttvos-lite")),
    ]
