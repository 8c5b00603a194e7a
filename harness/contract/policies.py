"""What is asked of a gate policy, and the small model on which it is asked.

``vosbench check +NAME`` runs these checks; an author can run them under pytest::

    import pytest
    from vosbench.harness.contract.policies import POLICY_CHECKS, PolicySubject

    @pytest.mark.parametrize("check", POLICY_CHECKS, ids=str)
    def test_contract(check):
        check(PolicySubject.of("my-policy"))
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import torch

from vosbench.baselines.errors import InputError
from vosbench.harness.contract.clip import ContractClip
from vosbench.harness.contract.clips import tiny_clips
from vosbench.harness.contract.outcome import Check
from vosbench.harness.contract.play import ContractBreach, Recording
from vosbench.harness.contract.sharing import together
from vosbench.harness.contract.stand_in import StandIn
from vosbench.harness.contract.subject import NotApplicable
from vosbench.runners.interface import Path, Precision
from vosbench.runners.policies import Always, Every
from vosbench.runners.policy import Decision, Evidence, GatePolicy, PolicySpec
from vosbench.runners.policy_registry import examples, make_policy, policy_factory

_CPU = torch.device("cpu")
_TAU = Decimal("0.8")


@dataclass
class PolicySubject:
    """A policy under test.

    Attributes:
        spec: of its factory.
        written: the ways to write it that are tried: its examples, or what somebody wrote.
    """

    spec: PolicySpec
    written: tuple[str, ...]
    tau: Decimal = _TAU
    clips: tuple[ContractClip, ...] = field(default_factory=tiny_clips)
    _alone: dict[tuple[str, str], Recording] = field(default_factory=dict)

    @classmethod
    def of(cls, written: str, tau: Decimal = _TAU) -> PolicySubject:
        """Look a policy up; ``NAME`` stands for all its examples. InputError for unknown names."""
        spec = policy_factory(written.partition(":")[0]).spec
        return cls(spec, (written,) if ":" in written else examples(spec), tau)

    def made(self, written: str, tau: Decimal | None = None) -> GatePolicy:
        """A new policy object."""
        return make_policy(written, tau=tau or self.tau)

    def play(self, clip: ContractClip, *policies: GatePolicy) -> list[Recording]:
        """One walk over a clip for some policies."""
        runner = StandIn()
        runner.load(_CPU, Precision.FLOAT32)
        return together(runner, clip, policies, _CPU)

    def alone(self, written: str, clip: ContractClip) -> Recording:
        """A new policy's walk by itself, remembered."""
        key = (written, clip.name)
        if key not in self._alone:
            (self._alone[key],) = self.play(clip, self.made(written))
        return self._alone[key]


@dataclass
class _Watched:
    """A policy, and what it remembered, as it was when it returned it."""

    policy: GatePolicy
    faults: list[str] = field(default_factory=list)
    _held: dict[int, tuple[Any, str]] = field(default_factory=dict)

    @property
    def spec(self) -> PolicySpec:
        return self.policy.spec

    def decide(self, seen: Evidence) -> Path | Decision:
        answer = self.policy.decide(seen)
        for memory, before in self._held.values():
            if repr(memory) != before:
                self.faults.append(f"frame {seen.frame}: what it had returned as memory changed")
        if isinstance(answer, Decision):
            key = seen.object_id
            self._held[key] = (answer.memory, repr(copy.deepcopy(answer.memory)))
        return answer


def _declared(subject: PolicySubject) -> None:
    if not subject.spec.summary:
        raise ContractBreach("its spec has no summary")
    for written in subject.written:
        try:
            policy = subject.made(written)
        except InputError as error:
            raise ContractBreach(f"{written} can't be built: {error}") from error
        if not subject.spec.paths >= policy.spec.paths:
            raise ContractBreach(f"{written}: its own spec has paths that its factory's lacks")


def _decides(subject: PolicySubject) -> None:
    for written in subject.written:
        for clip in subject.clips:
            subject.alone(written, clip)


def _paths(subject: PolicySubject) -> None:
    declared = subject.spec.paths | {Path.INIT}
    for written in subject.written:
        for clip in subject.clips:
            for played in subject.alone(written, clip).played:
                for o in played.objects:
                    if o.path not in declared:
                        raise ContractBreach(
                            f"{written}: {clip.name}, frame {played.t}: it chose '{o.path}', "
                            "which its spec doesn't declare"
                        )


def _tau_one(subject: PolicySubject) -> None:
    if not subject.spec.takes_tau:
        raise NotApplicable("it takes no threshold τ")
    for written in subject.written:
        for clip in subject.clips:
            (recording,) = subject.play(clip, subject.made(written, Decimal(1)))
            for played in recording.played:
                if any(o.path not in (Path.INIT, Path.FULL) for o in played.objects):
                    raise ContractBreach(
                        f"{written}: {clip.name}, frame {played.t}: it reuses at τ = 1"
                    )


def _repeats(subject: PolicySubject) -> None:
    for written in subject.written:
        used = subject.made(written)
        for clip in (*subject.clips, *reversed(subject.clips)):
            (again,) = subject.play(clip, used)
            difference = again.same_as(subject.alone(written, clip))
            if difference is not None:
                raise ContractBreach(
                    f"{written}: {difference} when it has decided elsewhere before: "
                    "return what it has to remember as Decision(path, memory)"
                )


def _company(subject: PolicySubject) -> None:
    for written in subject.written:
        shared = subject.made(written)
        for clip in subject.clips:
            # Twice the same object, between others, so that what it keeps to itself shows.
            walks = subject.play(clip, shared, Always(), shared, Every(2))
            for recording in (walks[0], walks[2]):
                difference = recording.same_as(subject.alone(written, clip))
                if difference is not None:
                    raise ContractBreach(f"{written}: {difference} from a walk by itself")


def _memory(subject: PolicySubject) -> None:
    for written in subject.written:
        for clip in subject.clips:
            watched = _Watched(subject.made(written))
            subject.play(clip, watched)
            for fault in watched.faults:
                raise ContractBreach(f"{written}: {clip.name}, {fault}: return a new value")


POLICY_CHECKS: tuple[Check, ...] = (
    Check("declared", "its spec is complete, and each example builds one", _declared),
    Check("decides", "every sequence is walked to its end", _decides),
    Check("paths", "only declared paths are chosen", _paths),
    Check("tau-1", "τ = 1 never reuses", _tau_one),
    Check("repeats", "it decides the same again, whatever came between", _repeats),
    Check("company", "it decides in a shared walk as by itself", _company),
    Check("memory", "what it returned to remember is never changed", _memory),
)
"""All checks of a policy, to be parametrised over in pytest with ``ids=str``."""
