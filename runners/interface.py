"""What the harness and a model say to each other.

The harness owns the loop over frames, the clock and the saving; a runner owns a model and its
state for one clip. For every frame of a clip the harness calls, in this order:

1. :meth:`Runner.add_objects`, if objects are annotated first in this frame;
2. :meth:`Runner.step`, always, also on the frame in which the first objects came.

So the first step of a clip returns the given masks, with :attr:`Path.INIT` for every object.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vosbench.runners.policy import GatePolicy, Need
from vosbench.runners.policy import Path as Path  # noqa: PLC0414 - of this interface too

if TYPE_CHECKING:
    import torch


_NOTHING: AbstractContextManager[None] = nullcontext()


class Precision(StrEnum):
    """Arithmetic of the network. ``BF16`` and ``FP16`` mean autocast over float32 weights.

    Compiled arithmetic is ordered otherwise, so it counts as a precision: results and timings of
    compiled and other runs are never taken for the same.
    """

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    BF16 = "bf16"
    FP16 = "fp16"
    FLOAT32_COMPILED = "float32-compiled"
    BF16_COMPILED = "bf16-compiled"

    @property
    def compiled(self) -> bool:
        """Whether dense parts go through ``torch.compile``."""
        return self in (Precision.FLOAT32_COMPILED, Precision.BF16_COMPILED)


@dataclass(frozen=True)
class ClipInfo:
    """What a runner may know of a clip before its first frame.

    Attributes:
        name: the sequence's name in its dataset.
        height, width: size of every frame in pixels.
        frames: number of frames.
        truth: for oracles only (``RunnerSpec.needs_truth``): maps (frame, object id) to the
            annotated mask, bool (H, W), or None where the frame has no annotation.
        frame_names: the frames' file names without suffix, in order; () where there are none.
        merged: all annotated objects count as one, id 1 (DAVIS16).
        traced: frames of which a runner may tell an :class:`ObjectTrace`.
        watched: whether :attr:`Step.finite` is of use; it costs time, so it is not asked for where
            frames are timed.
        ungiven: ids that labels may hold in any frame though no mask of them is given: DAVIS 2017
            counts all ids up to the largest one.
        object_names: where every object has a folder of its own in stored predictions, since
            objects may overlap: the folders' names by id.
        wanted: by object id, the frames that count; empty where all may.
        ignored: ids that stored predictions may hold and that are background until they are
            objects: void (255), and objects that come later.
    """

    name: str
    height: int
    width: int
    frames: int
    truth: Callable[[int, int], torch.Tensor | None] | None = None
    frame_names: tuple[str, ...] = ()
    merged: bool = False
    traced: Container[int] = ()
    watched: bool = False
    ungiven: frozenset[int] = frozenset()
    ignored: frozenset[int] = frozenset()
    object_names: Mapping[int, str] = field(default_factory=dict)
    wanted: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """One frame: its index from 0, and its pixels, uint8 RGB (3, H, W), on the runner's device."""

    index: int
    image: torch.Tensor


@dataclass(frozen=True)
class ObjectTrace:
    """What a network saw of an object, maps (h, w) at 1/16: S (or Ŝ), mean |R8| (or |R̂8|), Δ."""

    score: torch.Tensor
    r8: torch.Tensor
    delta: torch.Tensor | None = None


@dataclass(frozen=True)
class ObjectStep:
    """What happened to one object in one frame.

    Attributes:
        id: the object's id, 1..254 (255 is void).
        path: how its mask came about.
        p_gate: probability that the gate is on, 0..1; None where no gate was evaluated.
        trace: in traced frames, where the runner has such maps.
    """

    id: int
    path: Path
    p_gate: float | None = None
    trace: ObjectTrace | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Step:
    """A frame's result.

    Attributes:
        labels: uint8 (H, W), 0 for background.
        objects: one entry per object.
        masks: where a runner lets objects overlap, each one's mask, bool (H, W), by id; they are
            scored in place of the labels.
        finite: where a runner tells, whether all probabilities were numbers: a bool scalar, left
            on the device. The labels of a frame with NaN or infinity mean nothing.
    """

    labels: torch.Tensor
    objects: tuple[ObjectStep, ...]
    masks: Mapping[int, torch.Tensor] | None = None
    finite: torch.Tensor | None = None


class Spans(Protocol):
    """Where a runner says which stage it is in; the harness decides whether that is timed."""

    def __call__(self, stage: str) -> AbstractContextManager[None]: ...


def no_spans(stage: str) -> AbstractContextManager[None]:  # noqa: ARG001 - of the protocol
    """Spans that time nothing."""
    return _NOTHING


@dataclass(frozen=True)
class RunnerSpec:
    """What a runner is and can do, known before it is built.

    Attributes:
        name: the name under which it is registered.
        version: raised whenever its results may change; part of a trial's key.
        summary: one line for ``vosbench models``.
        backbone: name of the feature extractor, "" where there is none.
        multi_object: segments several objects at once; otherwise datasets merge them.
        needs_truth: an oracle that reads annotations (:attr:`ClipInfo.truth`).
        takes_weights: has parameters to load or to draw.
        paths: the paths it may report besides INIT.
        tells: what it can tell a gate policy, as a :class:`SharingRunner`; None for a model that
            knows of none. Named ``MODEL+POLICY``, that gets a gate put around it
            (:mod:`vosbench.runners.gated`).
        takes_tau, takes_tau2: thresholds that must be given.
        predicts_early: stored predictions, which may show an object before its mask is given.
        argument: what follows the name and a colon, for instance "DIR"; "" where nothing does.
            Its factory is an :class:`ArgumentFactory`.
    """

    name: str
    version: str
    summary: str
    backbone: str = ""
    multi_object: bool = True
    needs_truth: bool = False
    takes_weights: bool = True
    paths: frozenset[Path] = frozenset({Path.FULL})
    tells: frozenset[Need] | None = None
    takes_tau: bool = False
    takes_tau2: bool = False
    predicts_early: bool = False
    argument: str = ""


@dataclass(frozen=True)
class RunnerOptions:
    """What a runner is built with.

    Attributes:
        weights: "random:SEED" or a checkpoint's path; None for what the package ships.
        variant: which of the shipped weights, from the name's ``@`` part (``m0.7-0.2``).
        tau: threshold τ of a runner that gates by itself (``RunnerSpec.takes_tau``, and no
            policy); None where only its weights are asked for.
        seed: seeds everything random at test time.
        switches: points where paper and published code disagree, by name
            (``vosbench models --switches`` lists them).
    """

    weights: str | None = None
    variant: str | None = None
    tau: Decimal | None = None
    seed: int = 0
    switches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WeightsInfo:
    """What a runner's parameters are.

    Attributes:
        name: as a person would name them: ``random:0``, ``shipped``, a file's name.
        sha256: hash over the tensors (:func:`vosbench.baselines.checkpoints.hash_tensors`).
        trained: False for random weights.
        margins: "m1,m2" of the gate loss, where known.
        note: what every output has to say about them, "" for published ones.
        provenance: the checkpoint's own record, as text by name.
    """

    name: str
    sha256: str
    trained: bool
    margins: str | None = None
    note: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Runner(Protocol):
    """A model behind the one interface of the harness.

    Attributes:
        spec: what it is; the same as its factory's, completed by what the name composed.
        weights: what its parameters are, known as soon as it is built.
    """

    spec: RunnerSpec
    weights: WeightsInfo

    def load(self, device: torch.device, precision: Precision) -> None:
        """Put the weights on ``device``; raises ``InputError`` if they don't fit."""

    def start(self, clip: ClipInfo) -> None:
        """Forget the previous clip and make ready for this one."""

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Begin objects at ``frame``, by id; masks are bool (H, W) on the runner's device."""

    def step(self, frame: Frame, spans: Spans) -> Step:
        """Segment ``frame``; frames come in order and none is left out."""


class RunnerFactory(Protocol):
    """What the entry-point group ``vosbench.runners`` names: a class, usually."""

    spec: RunnerSpec

    def __call__(self, options: RunnerOptions) -> Runner: ...


@runtime_checkable
class ArgumentFactory(Protocol):
    """What the entry-point group names for a runner that takes an argument: ``masks:DIR``."""

    spec: RunnerSpec

    def bind(self, argument: str) -> RunnerFactory:
        """The factory for this argument; raises InputError if it names nothing usable."""


class Walk(Protocol):
    """One walk over a clip for several policies at once.

    Equal states are computed once; the steps come in the order of the policies and are the
    same, bit for bit, as those of separate runs.
    """

    @property
    def passes_computed(self) -> int: ...

    @property
    def passes_saved(self) -> int: ...

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None: ...

    def step(self, frame: Frame, spans: Spans) -> tuple[Step, ...]: ...


@runtime_checkable
class PolicyRunner(Runner, Protocol):
    """A runner that takes policies, one in each walk; its own steps are all full ones."""

    def walk(self, clip: ClipInfo, policies: tuple[GatePolicy, ...]) -> Walk:
        """Begin a walk over ``clip``."""


@runtime_checkable
class SharingRunner(PolicyRunner, Protocol):
    """One whose walks take several policies."""

    def sharing_key(self) -> str:
        """Runners of one key may share a walk."""
