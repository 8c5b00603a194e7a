"""Who decides between the full and a cheaper path: one small class per rule.

A policy sees one object in one frame and answers with a :class:`~.interface.Path`. Models that
differ only in their policy share everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar, Protocol

from vosbench.baselines.errors import InputError, suggestion
from vosbench.runners.interface import Path, RunnerOptions
from vosbench.runners.switches import switch


@dataclass(frozen=True)
class Evidence:
    """What a policy may look at.

    Attributes:
        clip: name of the clip.
        frame: index t of this frame.
        object_id: the object.
        p_gate: probability that the gate is on; None for a network without a gate.
        last_full: index t−n of the object's last fully computed (or given) frame.
        true_iou: IoU of the annotated masks of two frames, for oracles; None where either
            frame has no annotation.
    """

    clip: str
    frame: int
    object_id: int
    p_gate: float | None
    last_full: int
    true_iou: Callable[[int, int], float | None]


class GatePolicy(Protocol):
    """A rule; ``name`` is what results are filed under."""

    @property
    def name(self) -> str: ...

    def decide(self, evidence: Evidence) -> Path:
        """Return FULL, REUSE or COPY."""


def _exceeds(value: float, tau: Decimal, inclusive: bool) -> bool:
    if tau >= 1:  # τ = 1 never reuses, also where a saturated softmax gives exactly 1
        return False
    return value >= float(tau) if inclusive else value > float(tau)


def _gate(evidence: Evidence) -> float:
    if evidence.p_gate is None:
        raise RuntimeError("a learned gate decides only for a gated network")
    return evidence.p_gate


@dataclass(frozen=True)
class Learned:
    """The paper's gate (eq. 2): reuse when P_gate > τ; ≥ with ``inclusive``."""

    tau: Decimal
    inclusive: bool = False
    name: ClassVar[str] = "learned"
    gate_on: ClassVar[Path] = Path.REUSE

    def decide(self, evidence: Evidence) -> Path:
        on = _exceeds(_gate(evidence), self.tau, self.inclusive)
        return self.gate_on if on else Path.FULL


class Copy(Learned):
    """Table 2, Ours-copy: the previous mask is the result where the gate is on."""

    name = "copy"
    gate_on = Path.COPY


@dataclass(frozen=True)
class Fusion:
    """Table 2, Ours-fusion: reuse above τ, copy above τ₂ > τ."""

    tau: Decimal
    tau2: Decimal
    inclusive: bool = False
    name = "fusion"

    def decide(self, evidence: Evidence) -> Path:
        p = _gate(evidence)
        if not _exceeds(p, self.tau, self.inclusive):
            return Path.FULL
        return Path.COPY if _exceeds(p, self.tau2, self.inclusive) else Path.REUSE


@dataclass(frozen=True)
class Capped:
    """The learned gate, but at most ``most`` frames in a row without a full one.

    Neither in the paper nor in its code: what is reused grows older with every reuse, and a gate
    that fails to notice loses the object. An ablation that bounds the age.
    """

    tau: Decimal
    most: int
    inclusive: bool = False

    @property
    def name(self) -> str:
        return f"cap:{self.most}"

    def decide(self, evidence: Evidence) -> Path:
        old = evidence.frame - evidence.last_full > self.most
        on = not old and _exceeds(_gate(evidence), self.tau, self.inclusive)
        return Path.REUSE if on else Path.FULL


@dataclass(frozen=True)
class TrueIoU:
    """Figure 8, g_IoU: an oracle that compares annotated masks.

    With ``adjacent`` those of t−1 and t (the paper's text), otherwise those of the last frame
    that was not reused and t (the published code). Without annotations the full path runs.
    """

    tau: Decimal
    adjacent: bool = False
    inclusive: bool = False
    name = "g-iou"

    def decide(self, evidence: Evidence) -> Path:
        before = evidence.frame - 1 if self.adjacent else evidence.last_full
        iou = evidence.true_iou(before, evidence.frame)
        on = iou is not None and _exceeds(iou, self.tau, self.inclusive)
        return Path.REUSE if on else Path.FULL


@dataclass(frozen=True)
class Always:
    """Reuse every frame: what the reuse path alone costs and loses."""

    name = "always"

    def decide(self, evidence: Evidence) -> Path:  # noqa: ARG002 - that is the point
        return Path.REUSE


@dataclass(frozen=True)
class Never:
    """Compute every frame in full."""

    name = "never"

    def decide(self, evidence: Evidence) -> Path:  # noqa: ARG002 - that is the point
        return Path.FULL


@dataclass(frozen=True)
class AlwaysCopy:
    """Copy every frame: what the cheapest path costs."""

    name = "always-copy"

    def decide(self, evidence: Evidence) -> Path:  # noqa: ARG002 - that is the point
        return Path.COPY


@dataclass(frozen=True)
class Ungated:
    """What a network without a gate is filed under: no policy at all."""

    name = ""

    def decide(self, evidence: Evidence) -> Path:  # noqa: ARG002 - there is nothing to decide
        return Path.FULL


@dataclass(frozen=True)
class Random:
    """A control that a gate has to beat: reuse at ``rate``, whatever the frame shows.

    The draw depends on seed, clip, object and frame alone, so it repeats anywhere.
    """

    rate: Decimal
    seed: int = 0

    @property
    def name(self) -> str:
        return f"random:{self.rate}"

    def decide(self, evidence: Evidence) -> Path:
        text = f"{self.seed}/{evidence.clip}/{evidence.object_id}/{evidence.frame}"
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        return Path.REUSE if draw < float(self.rate) else Path.FULL


@dataclass(frozen=True)
class PolicyKind:
    """A policy as a model's name may ask for it.

    Attributes:
        summary: one line for ``vosbench models``.
        takes_tau, takes_tau2: thresholds it needs.
        argument: what it needs after a colon, "" for nothing; ``example`` shows one.
        needs_truth: reads annotations.
        paths: what it may decide.
    """

    summary: str
    make: Callable[[RunnerOptions, str], GatePolicy]
    takes_tau: bool = True
    takes_tau2: bool = False
    argument: str = ""
    example: str = ""
    needs_truth: bool = False
    paths: frozenset[Path] = frozenset({Path.FULL, Path.REUSE})


def _tau(options: RunnerOptions) -> Decimal:
    if options.tau is None:
        raise InputError("a gated model needs a threshold: give --tau, e.g. --tau 0.7")
    return options.tau


def _inclusive(options: RunnerOptions) -> bool:
    return switch("comparison", options) == "paper"


def _fusion(options: RunnerOptions, _: str) -> GatePolicy:
    tau = _tau(options)
    tau2 = default_tau2(tau) if options.tau2 is None else options.tau2
    if tau2 < tau:
        raise InputError(f"fusion copies above τ₂ and reuses above τ, so τ₂ ({tau2}) < τ ({tau})")
    return Fusion(tau, tau2, _inclusive(options))


def default_tau2(tau: Decimal) -> Decimal:
    """Halfway between τ and 1; the paper gives no value for τ₂."""
    return (1 + tau) / 2


_LONGEST = 10_000


def _rate(text: str) -> Decimal:
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(-1)
    if not 0 <= rate <= 1:
        raise InputError(f"random:{text}: the reuse rate is a number from 0 to 1, e.g. random:0.4")
    return rate


def _most(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST:
        raise InputError(f"cap:{text}: how many reuses in a row, from 1 to {_LONGEST}, e.g. cap:2")
    return int(text)


POLICIES: Mapping[str, PolicyKind] = {
    "learned": PolicyKind(
        "reuse where the gate is on", lambda o, _: Learned(_tau(o), _inclusive(o))
    ),
    "copy": PolicyKind(
        "copy the previous mask where the gate is on",
        lambda o, _: Copy(_tau(o), _inclusive(o)),
        paths=frozenset({Path.FULL, Path.COPY}),
    ),
    "fusion": PolicyKind(
        "reuse above τ, copy above τ₂",
        _fusion,
        takes_tau2=True,
        paths=frozenset({Path.FULL, Path.REUSE, Path.COPY}),
    ),
    "cap": PolicyKind(
        "the learned gate, at most N reuses in a row",
        lambda o, argument: Capped(_tau(o), _most(argument), _inclusive(o)),
        argument="N",
        example="2",
    ),
    "g-iou": PolicyKind(
        "oracle: decide by the IoU of annotated masks",
        lambda o, _: TrueIoU(_tau(o), switch("iou-reference", o) == "paper", _inclusive(o)),
        needs_truth=True,
    ),
    "always": PolicyKind(
        "reuse every frame",
        lambda *_: Always(),
        takes_tau=False,
        paths=frozenset({Path.REUSE}),
    ),
    "never": PolicyKind(
        "never reuse", lambda *_: Never(), takes_tau=False, paths=frozenset({Path.FULL})
    ),
    "always-copy": PolicyKind(
        "copy every frame",
        lambda *_: AlwaysCopy(),
        takes_tau=False,
        paths=frozenset({Path.COPY}),
    ),
    "random": PolicyKind(
        "control: reuse at a fixed rate",
        lambda o, argument: Random(_rate(argument), o.seed),
        takes_tau=False,
        argument="RATE",
        example="0.4",
    ),
}


def make_policy(options: RunnerOptions) -> GatePolicy:
    """Build the policy that ``options.policy`` names, the learned gate by default.

    Raises InputError for unknown names, missing thresholds and bad arguments.
    """
    name, _, argument = (options.policy or "learned").partition(":")
    kind = POLICIES.get(name)
    if kind is None:
        raise InputError(f"unknown policy '{name}'{suggestion(name, POLICIES)}")
    if bool(kind.argument) != bool(argument):
        raise InputError(
            f"'{options.policy}': write {name}:{kind.argument}, e.g. {name}:{kind.example}"
            if kind.argument
            else f"'{options.policy}': the policy {name} takes no argument"
        )
    return kind.make(options, argument)
