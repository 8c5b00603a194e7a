"""Whether runs that share a walk come out as runs by themselves."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import torch

from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.play import ContractBreach, Recording, clip_info, play
from vosbench.harness.contract.subject import NotApplicable, Subject
from vosbench.runners.interface import Frame, SharingRunner, Spans, Step, Walk
from vosbench.runners.policies import Never
from vosbench.runners.policy import GatePolicy
from vosbench.runners.policy_registry import fitting, make_policy

LEAST_EQUAL = 0.95
"""On a GPU, the share of each frame's labels that a shared walk has in common with a single one."""
_CLIPS = 2
"""Walks take as many passes as there are policies; two clips say enough."""


def shared_walk(subject: Subject) -> None:
    """Compare one walk for all policies with one walk each, and the runner's own steps."""
    runner = subject.runner
    if not isinstance(runner, SharingRunner):
        raise NotApplicable("it shares no walk")
    for clip in _richest(subject.clips):
        own = subject.sound(clip)
        named = _policies(subject, own)
        walked = together(runner, clip, tuple(named.values()), subject.device)
        for (name, policy), shared in zip(named.items(), walked, strict=True):
            (alone,) = together(runner, clip, (policy,), subject.device)
            difference = _difference(shared, alone, subject.device)
            if difference is not None:
                raise ContractBreach(f"policy {name}: {difference} from a run by itself")
        difference = _difference(walked[0], own, subject.device)
        if difference is not None:
            raise ContractBreach(f"its own policy: {difference} from step()")


def _difference(shared: Recording, alone: Recording, device: torch.device) -> str | None:
    """What differs that may not: anything on a CPU; elsewhere more than last bits explain.

    A GPU's kernels give a batch of objects other last bits than its members, and a P_gate at τ
    may fall on either side.
    """
    if device.type == "cpu":
        return shared.same_as(alone)
    pairs = zip(shared.played, alone.played, strict=True)
    equal = min(float((a.labels == b.labels).mean()) for a, b in pairs)
    return None if equal >= LEAST_EQUAL else f"only {equal:.1%} of a frame's labels are equal"


def _richest(clips: tuple[ContractClip, ...]) -> list[ContractClip]:
    """Those with most objects and changes, which split branches most."""
    return sorted(clips, key=lambda clip: -len(clip.objects))[:_CLIPS]


def _policies(subject: Subject, own: Recording) -> Mapping[str, GatePolicy]:
    """The runner's own policy, then every other it may be given, with a τ that divides frames."""
    first = subject.policy(subject.options.tau) or Never()
    seen = [o.p_gate for p in own.played for o in p.objects if o.p_gate is not None]
    tau = Decimal(str(round(statistics.median(seen), 6))) if seen else Decimal("0.5")
    named: dict[str, GatePolicy] = {"its own": first, "its own, again": first}
    for written in fitting(subject.model.spec):
        named[f"+{written} at τ={tau}"] = make_policy(written, tau=tau, seed=subject.options.seed)
    return named


def together(
    runner: SharingRunner,
    clip: ContractClip,
    policies: tuple[GatePolicy, ...],
    device: torch.device,
) -> list[Recording]:
    """One recording per policy, out of one walk."""
    driver = _Driver(runner.walk(clip_info(clip, device, truth=True), policies), {})
    first = play(driver, clip, device)
    others = range(1, len(policies))
    return [first, *(play(_Replay(driver.steps, index), clip, device) for index in others)]


@dataclass(frozen=True)
class _Driver:
    """The first policy's view of a walk that it drives; everybody's steps are kept by frame."""

    walk: Walk
    steps: dict[int, tuple[Step, ...]]

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        self.walk.add_objects(frame, masks)

    def step(self, frame: Frame, spans: Spans) -> Step:
        self.steps[frame.index] = self.walk.step(frame, spans)
        return self.steps[frame.index][0]


@dataclass(frozen=True)
class _Replay:
    """Another policy's steps of a walk that is over."""

    steps: Mapping[int, tuple[Step, ...]]
    index: int

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Done already."""

    def step(self, frame: Frame, spans: Spans) -> Step:  # noqa: ARG002 - done already
        return self.steps[frame.index][self.index]
