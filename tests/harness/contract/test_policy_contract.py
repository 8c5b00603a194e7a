"""The contract of policies: ours keep it, and each way to break it is found by its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from typer.testing import CliRunner

from vosbench.harness.cli.app import app
from vosbench.harness.contract.outcome import Status, run_checks
from vosbench.harness.contract.policies import POLICY_CHECKS, PolicySubject
from vosbench.runners.policy import Decision, Evidence, GatePolicy, Need, Path, PolicySpec
from vosbench.runners.policy_registry import POLICIES

SPEC = PolicySpec("mine", "a policy of a test")


@dataclass
class Mine:
    """Reuses every other frame, by its memory; subclasses break one promise each."""

    tau: Decimal
    spec = SPEC

    def decide(self, seen: Evidence) -> Path | Decision:
        return Decision(seen.cheap_if(not seen.memory), not seen.memory)


class CountsByItself(Mine):
    count = 0

    def decide(self, seen: Evidence) -> Path:
        self.count += 1
        return seen.cheap_if(self.count % 3 > 0)


class ChangesMemory(Mine):
    def decide(self, seen: Evidence) -> Decision:
        memory = [] if seen.memory is None else seen.memory
        memory.append(seen.frame)
        return Decision(seen.cheap_if(len(memory) % 2 > 0), memory)


class UndeclaredPath(Mine):
    def decide(self, seen: Evidence) -> Path:
        return Path.COPY


class UndeclaredNeed(Mine):
    def decide(self, seen: Evidence) -> Path:
        return seen.cheap_if(seen.p_gate > 0.5)  # type: ignore[operator]


class ReusesAtOne(Mine):
    spec = PolicySpec("mine", "a policy of a test", frozenset({Need.P_GATE}), takes_tau=True)

    def decide(self, seen: Evidence) -> Path:
        return seen.cheap


class Subject(PolicySubject):
    """Of a class that isn't registered."""

    kind: Callable[[Decimal], GatePolicy]

    def made(self, written: str, tau: Decimal | None = None) -> GatePolicy:
        return self.kind(tau or self.tau)


def failed(kind: type[Mine]) -> dict[str, str]:
    subject: Any = Subject(kind.spec, ("mine",))
    subject.kind = kind
    found = run_checks(POLICY_CHECKS, subject)
    return {o.check.name: o.line for o in found if o.status is Status.FAILED}


@pytest.mark.parametrize("name", POLICIES.names())
def test_ours_keep_it(name: str) -> None:
    subject = PolicySubject.of(name)
    for outcome in run_checks(POLICY_CHECKS, subject):
        assert outcome.status is not Status.FAILED, (outcome.check.name, outcome.line)


def test_a_sound_policy_keeps_it() -> None:
    assert failed(Mine) == {}


@pytest.mark.parametrize(
    ("kind", "checks", "says"),
    [
        (CountsByItself, {"repeats", "company"}, "return what it has to remember as Decision"),
        (ChangesMemory, {"memory"}, "what it had returned as memory changed"),
        (UndeclaredPath, {"paths"}, "it chose 'copy', which its spec doesn't declare"),
        (UndeclaredNeed, {"decides"}, "TypeError: '>' not supported"),
        (ReusesAtOne, {"tau-1"}, "it reuses at τ = 1"),
    ],
)
def test_each_broken_promise_is_found(kind: type[Mine], checks: set[str], says: str) -> None:
    found = failed(kind)
    assert checks <= set(found)
    assert any(says in line for line in found.values()), found
    assert all("\n" not in line for line in found.values())


def test_the_command_checks_a_policy() -> None:
    told = CliRunner().invoke(app, ["check", "+every:2", "--json"])
    assert told.exit_code == 0, told.output
    assert '"model": "+every:2"' in told.output
    assert CliRunner().invoke(app, ["check", "+evry:2"]).exit_code != 0
