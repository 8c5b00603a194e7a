"""The policies that come with the package; each is small, and registered like a stranger's.

Models that differ only in their policy share everything else. What a policy is stands in
:mod:`vosbench.runners.policy`; ``every`` and ``budget`` are controls of ours, the rest is the
paper's, or asks what its gate is worth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

from vosbench.baselines.errors import InputError
from vosbench.runners import budget, scores
from vosbench.runners.policy import (
    Decision,
    Evidence,
    GatePolicy,
    Need,
    Path,
    PolicySettings,
    PolicySpec,
    decision,
)
from vosbench.runners.switches import switch

_GATE = frozenset({Need.P_GATE})


def _exceeds(value: float, tau: Decimal, inclusive: bool) -> bool:
    if tau >= 1:  # τ = 1 never reuses, also where a saturated softmax gives exactly 1
        return False
    return value >= float(tau) if inclusive else value > float(tau)


def _gate(seen: Evidence) -> float:
    if seen.p_gate is None:
        raise RuntimeError("a learned gate decides only for a gated network")
    return seen.p_gate


@dataclass(frozen=True)
class Learned:
    """The paper's gate (eq. 2): reuse when P_gate > τ; ≥ with ``inclusive``."""

    tau: Decimal
    inclusive: bool = False
    spec = PolicySpec("learned", "reuse where the gate is on", _GATE, takes_tau=True)

    def decide(self, seen: Evidence) -> Path:
        return seen.cheap_if(_exceeds(_gate(seen), self.tau, self.inclusive))


@dataclass(frozen=True)
class Copy:
    """Table 2, Ours-copy: the previous mask is the result where the gate is on."""

    tau: Decimal
    inclusive: bool = False
    spec = PolicySpec(
        "copy",
        "copy the previous mask where the gate is on",
        _GATE,
        takes_tau=True,
        paths=frozenset({Path.FULL, Path.COPY}),
    )

    def decide(self, seen: Evidence) -> Path:
        on = _exceeds(_gate(seen), self.tau, self.inclusive)
        return Path.COPY if on else Path.FULL


@dataclass(frozen=True)
class Fusion:
    """Table 2, Ours-fusion: reuse above τ, copy above τ₂ > τ."""

    tau: Decimal
    tau2: Decimal
    inclusive: bool = False
    spec = PolicySpec(
        "fusion",
        "reuse above τ, copy above τ₂",
        _GATE,
        takes_tau=True,
        takes_tau2=True,
        paths=frozenset({Path.FULL, Path.REUSE, Path.COPY}),
    )

    def decide(self, seen: Evidence) -> Path:
        p = _gate(seen)
        if not _exceeds(p, self.tau, self.inclusive):
            return Path.FULL
        return Path.COPY if _exceeds(p, self.tau2, self.inclusive) else seen.cheap


@dataclass(frozen=True)
class Capped:
    """The learned gate, but at most ``most`` frames in a row without a full one.

    Neither in the paper nor in its code: what is reused grows older with every reuse, and a gate
    that fails to notice loses the object. An ablation that bounds the age.
    """

    tau: Decimal
    most: int
    inclusive: bool = False
    spec = PolicySpec(
        "cap",
        "the learned gate, at most N reuses in a row",
        _GATE,
        takes_tau=True,
        argument="N",
        examples=("2",),
    )

    def decide(self, seen: Evidence) -> Path:
        young = seen.age <= self.most
        return seen.cheap_if(young and _exceeds(_gate(seen), self.tau, self.inclusive))


@dataclass(frozen=True)
class TrueIoU:
    """Figure 8, g_IoU: an oracle that compares annotated masks.

    With ``adjacent`` those of t−1 and t (the paper's text), otherwise those of the last frame
    that was not reused and t (the published code). Without annotations the full path runs.
    """

    tau: Decimal
    adjacent: bool = False
    inclusive: bool = False
    spec = PolicySpec(
        "g-iou",
        "oracle: decide by the IoU of annotated masks",
        frozenset({Need.TRUTH}),
        takes_tau=True,
    )

    def decide(self, seen: Evidence) -> Path:
        before = seen.frame - 1 if self.adjacent else seen.last_full
        iou = None if seen.true_iou is None else seen.true_iou(before, seen.frame)
        return seen.cheap_if(iou is not None and _exceeds(iou, self.tau, self.inclusive))


@dataclass(frozen=True)
class Always:
    """Reuse every frame: what the reuse path alone costs and loses."""

    spec = PolicySpec("always", "reuse every frame", paths=frozenset({Path.REUSE}))

    def decide(self, seen: Evidence) -> Path:
        return seen.cheap


@dataclass(frozen=True)
class Never:
    """Compute every frame in full; also what a network without a gate does."""

    spec = PolicySpec("never", "never reuse", paths=frozenset({Path.FULL}))

    def decide(self, seen: Evidence) -> Path:  # noqa: ARG002 - that is the point
        return Path.FULL


@dataclass(frozen=True)
class AlwaysCopy:
    """Copy every frame: what the cheapest path costs."""

    spec = PolicySpec("always-copy", "copy every frame", paths=frozenset({Path.COPY}))

    def decide(self, seen: Evidence) -> Path:  # noqa: ARG002 - that is the point
        return Path.COPY


@dataclass(frozen=True)
class Random:
    """A control that a gate has to beat: reuse at ``rate``, whatever the frame shows.

    The draw depends on seed, sequence, object and frame alone, so it repeats anywhere.
    """

    rate: Decimal
    seed: int = 0
    spec = PolicySpec(
        "random", "control: reuse at a fixed rate", argument="RATE", examples=("0.4",)
    )

    def decide(self, seen: Evidence) -> Path:
        text = f"{self.seed}/{seen.clip}/{seen.object_id}/{seen.frame}"
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        return seen.cheap_if(draw < float(self.rate))


@dataclass(frozen=True)
class Every:
    """A control that a gate has to beat: a full frame every ``period``-th, as keyframes are."""

    period: int
    spec = PolicySpec("every", "control: a full frame every N-th", argument="N", examples=("3",))

    def decide(self, seen: Evidence) -> Path:
        return seen.cheap_if(seen.age < self.period)


@dataclass(frozen=True)
class Below:
    """Reuse while a score of :mod:`vosbench.runners.scores` stays below ``most``: no gate needed.

    Attributes:
        of: the score, larger for what changed more.
    """

    most: Decimal
    of: Callable[[Evidence], float]
    spec: PolicySpec

    def decide(self, seen: Evidence) -> Path:
        return seen.cheap_if(self.of(seen) < float(self.most))


@dataclass(frozen=True)
class Copying:
    """Any other policy, with copies in place of its cheap frames: what the cheap path is worth."""

    inner: GatePolicy
    spec: PolicySpec

    def decide(self, seen: Evidence) -> Path | Decision:
        path, memory = decision(self.inner, seen)
        return Decision(Path.FULL if path is Path.FULL else Path.COPY, memory)


def default_tau2(tau: Decimal) -> Decimal:
    """Halfway between τ and 1; the paper gives no value for τ₂."""
    return (1 + tau) / 2


def _inclusive(settings: PolicySettings) -> bool:
    return switch("comparison", settings.switches) == "paper"


def _fusion(settings: PolicySettings) -> Fusion:
    tau = settings.threshold
    tau2 = default_tau2(tau) if settings.tau2 is None else settings.tau2
    if tau2 < tau:
        raise InputError(f"fusion copies above τ₂ and reuses above τ, so τ₂ ({tau2}) < τ ({tau})")
    return Fusion(tau, tau2, _inclusive(settings))


def _true_iou(settings: PolicySettings) -> TrueIoU:
    adjacent = switch("iou-reference", settings.switches) == "paper"
    return TrueIoU(settings.threshold, adjacent, _inclusive(settings))


def _copying(settings: PolicySettings) -> Copying:
    from vosbench.runners.policy_registry import make_policy, policy_factory

    if policy_factory(settings.argument.partition(":")[0]).spec.takes_tau:
        raise InputError(
            f"{settings.written}: write a policy without τ; the learned gate's is copy"
        )
    inner = make_policy(settings.argument, seed=settings.seed, switches=settings.switches)
    return Copying(inner, replace(_COPYING, needs=inner.spec.needs))


_LOOKS = frozenset({Need.PIXELS, Need.MASKS})
_CHANGE = PolicySpec(
    "change",
    "reuse while colours in and around the object differ by less than LEVELS, 0..255",
    _LOOKS,
    argument="LEVELS",
    examples=("12",),
)
_FLOW = PolicySpec(
    "flow",
    "reuse until the object moved by SHARE of the root of its area, by optical flow",
    _LOOKS,
    argument="SHARE",
    examples=("0.05",),
)
_COPYING = PolicySpec(
    "copying",
    "another policy, with copies in place of its reused frames",
    argument="POLICY",
    examples=("every:3",),
    paths=frozenset({Path.FULL, Path.COPY}),
)


@dataclass(frozen=True)
class _Factory:
    """A class of this module, and how settings become one of its policies."""

    spec: PolicySpec
    make: Callable[[PolicySettings], GatePolicy]

    def __call__(self, settings: PolicySettings, /) -> GatePolicy:
        return self.make(settings)


LEARNED = _Factory(Learned.spec, lambda s: Learned(s.threshold, _inclusive(s)))
COPY = _Factory(Copy.spec, lambda s: Copy(s.threshold, _inclusive(s)))
FUSION = _Factory(Fusion.spec, _fusion)
CAP = _Factory(Capped.spec, lambda s: Capped(s.threshold, s.count(), _inclusive(s)))
G_IOU = _Factory(TrueIoU.spec, _true_iou)
ALWAYS = _Factory(Always.spec, lambda _: Always())
NEVER = _Factory(Never.spec, lambda _: Never())
ALWAYS_COPY = _Factory(AlwaysCopy.spec, lambda _: AlwaysCopy())
RANDOM = _Factory(Random.spec, lambda s: Random(s.number(), s.seed))
EVERY = _Factory(Every.spec, lambda s: Every(s.count()))
BUDGET = _Factory(budget.SPEC, budget.Budget.of)
CHANGE = _Factory(_CHANGE, lambda s: Below(s.number(high=255), scores.change, _CHANGE))
FLOW = _Factory(_FLOW, lambda s: Below(s.number(high=100), scores.flow, _FLOW))
COPYING = _Factory(_COPYING, _copying)
