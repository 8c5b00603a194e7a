"""Who decides between the full and a cheaper path: one small class per rule.

A policy sees one object in one frame and answers with a :class:`~.interface.Path`. Models that
differ only in their policy share everything else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from vosbench.runners.interface import Path


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
    name = "learned"

    def decide(self, evidence: Evidence) -> Path:
        on = _exceeds(_gate(evidence), self.tau, self.inclusive)
        return Path.REUSE if on else Path.FULL


@dataclass(frozen=True)
class Copy:
    """Table 2, Ours-copy: the previous mask is the result where the gate is on."""

    tau: Decimal
    inclusive: bool = False
    name = "copy"

    def decide(self, evidence: Evidence) -> Path:
        on = _exceeds(_gate(evidence), self.tau, self.inclusive)
        return Path.COPY if on else Path.FULL


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
