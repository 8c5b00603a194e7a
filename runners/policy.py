"""What a gate policy is: the rule that chooses, frame by frame, which path an object takes.

A policy sees one object in one frame (:class:`Evidence`) and answers with a :class:`Path`. It is
any object with a ``spec`` and a method ``decide``; the entry-point group ``vosbench.policies``
names its class, which is called with :class:`PolicySettings`. docs/extend.md walks through one.

One policy object decides for all objects of all sequences, in any order and in walks that it
shares with other policies. What it has to remember it therefore returns with its answer
(:class:`Decision`), and is told again in the object's next frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vosbench.baselines.errors import InputError
from vosbench.baselines.parsing import whole_number

if TYPE_CHECKING:
    import torch


class Path(StrEnum):
    """How an object's mask came about in one frame."""

    INIT = "init"
    """The mask was given: the object's first frame."""
    FULL = "full"
    """The whole network was computed."""
    REUSE = "reuse"
    """Earlier features were corrected by Δ (the gate was on); of a model that has no such path,
    the labels were carried along by optical flow."""
    COPY = "copy"
    """The object's previous mask was taken as it is."""


class Need(StrEnum):
    """What a policy is told on request only, since it costs time or isn't known of every model."""

    P_GATE = "p_gate"
    """The network's own gate: the probability that it is on."""
    DELTA = "delta"
    """How large the estimated change Δ is, which is then computed for every frame."""
    AREA = "area"
    """How many pixels the object had in the previous frame."""
    PIXELS = "pixels"
    """This frame, and the object's last full one."""
    MASKS = "masks"
    """The previous label as masks."""
    TRUTH = "truth"
    """Annotated masks: for oracles."""


@dataclass(frozen=True)
class Evidence:
    """What a policy may look at. What it didn't ask for is None.

    Attributes:
        clip: name of the sequence.
        frame: index t of this frame.
        object_id: the object.
        last_full: index t−n of the object's last fully computed (or given) frame.
        cheap: the path that the model offers in place of the full one: REUSE for networks with
            reuse modules, COPY for others.
        memory: what this policy returned for this object last; None in the first frame.
        p_gate: probability that the gate is on, 0..1.
        delta: mean of |Δ_t| over the object's map; 0 where nothing changed since ``last_full``.
        area: pixels of the object's label in frame t−1.
        image, full_image: frames t and ``last_full``, uint8 RGB (3, H, W), on the model's device.
        masks: of the label in frame t−1, bool (H, W), on the model's device: the object's, or,
            where one decision is made for the whole frame, all objects'.
        true_iou: IoU of the annotated masks of two frames; None where either has no annotation.
    """

    clip: str
    frame: int
    object_id: int
    last_full: int
    cheap: Path = Path.REUSE
    memory: Any = None
    p_gate: float | None = None
    delta: float | None = None
    area: int | None = None
    image: torch.Tensor | None = None
    full_image: torch.Tensor | None = None
    masks: tuple[torch.Tensor, ...] | None = None
    true_iou: Callable[[int, int], float | None] | None = None

    @property
    def age(self) -> int:
        """Frames since the last full one: 1 in the frame after it."""
        return self.frame - self.last_full

    def cheap_if(self, on: bool) -> Path:
        """The cheap path where ``on``, else the full one."""
        return self.cheap if on else Path.FULL


class Decision(NamedTuple):
    """An answer with something to remember; ``memory`` is a value that nobody changes."""

    path: Path
    memory: Any


@dataclass(frozen=True)
class PolicySpec:
    """What a policy is, known before it is built.

    Attributes:
        name: the name under which it is registered; models are named ``MODEL+NAME``.
        summary: one line for ``vosbench models``.
        needs: what it has to be told.
        takes_tau, takes_tau2: thresholds it needs.
        argument: what follows its name and a colon, e.g. "RATE"; "" for nothing.
        examples: arguments that it takes; the first one is shown in messages.
        paths: what it may decide, REUSE standing for :attr:`Evidence.cheap`.
        label: its name in figures; "" for ``name``.
        colour: of its curves, ``#rrggbb``; "" for one that follows from its name.
        marker: of its points, as matplotlib names them; "" likewise.
    """

    name: str
    summary: str
    needs: frozenset[Need] = frozenset()
    takes_tau: bool = False
    takes_tau2: bool = False
    argument: str = ""
    examples: tuple[str, ...] = ()
    paths: frozenset[Path] = frozenset({Path.FULL, Path.REUSE})
    label: str = ""
    colour: str = ""
    marker: str = ""


@dataclass(frozen=True)
class PolicySettings:
    """What a policy is built with.

    Attributes:
        written: how a person named it, e.g. ``random:0.4``; for messages.
        argument: what follows the colon, "" for nothing.
        tau, tau2: thresholds.
        seed: seeds everything random.
        switches: where paper and code disagree, which is taken (:mod:`vosbench.runners.switches`).
    """

    written: str
    argument: str = ""
    tau: Decimal | None = None
    tau2: Decimal | None = None
    seed: int = 0
    switches: Mapping[str, str] = field(default_factory=dict)

    @property
    def threshold(self) -> Decimal:
        """τ; raises InputError if there is none."""
        if self.tau is None:
            raise InputError("a gated model needs a threshold: give --tau, e.g. --tau 0.7")
        return self.tau

    def number(self, text: str | None = None, low: float = 0, high: float = 1) -> Decimal:
        """A number within bounds: the argument, or the part of it that is given.

        Raises InputError for another text.
        """
        try:
            value = Decimal(self.argument if text is None else text)
        except InvalidOperation:
            value = Decimal("NaN")
        if not value.is_finite() or not low <= value <= high:
            raise InputError(f"{self.written}: write a number from {low:g} to {high:g}")
        return value

    def count(self, high: int = 10_000) -> int:
        """The argument as a whole number from 1; raises InputError for another text."""
        number = whole_number(self.argument)
        if number is None or not 1 <= number <= high:
            raise InputError(f"{self.written}: write a whole number from 1 to {high}")
        return number


class GatePolicy(Protocol):
    """A rule, ready to decide; ``spec`` may ask for less than that of its factory."""

    @property
    def spec(self) -> PolicySpec: ...

    def decide(self, seen: Evidence, /) -> Path | Decision:
        """Choose a path for one object in one frame."""


class PolicyFactory(Protocol):
    """What the entry-point group ``vosbench.policies`` names: a class, usually."""

    @property
    def spec(self) -> PolicySpec: ...

    def __call__(self, settings: PolicySettings, /) -> GatePolicy:
        """Build the policy; raises InputError where thresholds or the argument don't fit."""


def decision(policy: GatePolicy, seen: Evidence) -> Decision:
    """Ask a policy; raises RuntimeError for an answer that is no path."""
    answer = policy.decide(seen)
    found = answer if isinstance(answer, Decision) else Decision(answer, seen.memory)
    if not isinstance(found.path, Path) or found.path is Path.INIT:
        raise RuntimeError(f"the policy {policy.spec.name} decided {answer!r}, which is no path")
    return found


def mask_iou(a: torch.Tensor | None, b: torch.Tensor | None) -> float | None:
    """IoU of two masks; of two empty ones 1."""
    if a is None or b is None:
        return None
    union = int((a | b).sum())
    return 1.0 if union == 0 else int((a & b).sum()) / union
