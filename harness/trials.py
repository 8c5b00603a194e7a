"""A trial: one model, one setting, one dataset; the unit that is planned, run and stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

if TYPE_CHECKING:
    from vosbench.harness.store.arrays import PackedArray


class Kind(StrEnum):
    """What a trial measures; an accuracy trial may share work with others, a timing trial not."""

    ACCURACY = "accuracy"
    TIMING = "timing"


@dataclass(frozen=True)
class TrialSpec:
    """Everything that defines a trial's result; its hash is the trial's key.

    Attributes:
        model: full runner name, e.g. ``g-frtm-fast+copy``.
        runner_version: the runner's own version.
        weights: how the weights were named: ``random:0``, ``demo``, a file's name.
        weights_sha256: hash of the tensors behind that name.
        trained: False for random weights; every table and figure says so.
        dataset, protocol: names, the protocol with its version (``davis16-val@1``).
        manifest_sha256: hash of the selected frames and annotations.
        sequences: the clips, in order.
        max_frames: clips are cut after so many frames; None for whole clips.
        policy: the gate policy's name, None for a gate-less model.
        tau, tau2: thresholds, as decimals.
        margins: "m1,m2" of the gate loss the weights were trained with, where known.
        seed, precision: as in :class:`vosbench.runners.interface.RunnerOptions`.
        input_size: "HxW" that frames are resized to, None for their own.
        kind, repeat: what is measured, and which repetition this is.
        switches: where paper and code disagree: which was taken.
        environment_key: comparability key of the machine; timing trials only.
    """

    model: str
    runner_version: str
    weights: str
    weights_sha256: str
    trained: bool
    dataset: str
    protocol: str
    manifest_sha256: str
    sequences: tuple[str, ...]
    max_frames: int | None = None
    policy: str | None = None
    tau: Decimal | None = None
    tau2: Decimal | None = None
    margins: str | None = None
    seed: int = 0
    precision: str = "float32"
    input_size: str | None = None
    kind: Kind = Kind.ACCURACY
    repeat: int = 0
    switches: Mapping[str, str] = field(default_factory=dict)
    environment_key: str | None = None

    @property
    def key(self) -> str:
        """Hex SHA-256 over all that defines the result; how weights are *named* does not."""
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "weights"}
        named["switches"] = dict(sorted(self.switches.items()))
        for tau in ("tau", "tau2"):
            named[tau] = None if named[tau] is None else str(named[tau].normalize())
        return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Extras:
    """What is kept of an accuracy trial beside its numbers.

    Attributes:
        masks: the predicted label maps.
        traced: ranges of frames of which is kept what the network saw.
    """

    masks: bool = False
    traced: tuple[range, ...] = ()

    def __or__(self, other: Extras) -> Extras:
        """What either asks for."""
        return Extras(self.masks or other.masks, tuple({*self.traced, *other.traced}))

    def __bool__(self) -> bool:
        return self.masks or bool(self.traced)

    def frames(self, length: int) -> frozenset[int]:
        """The traced frames of a sequence of ``length`` frames."""
        return frozenset(t for part in self.traced for t in part[: max(0, length - part.start)])


@dataclass(frozen=True)
class Kept:
    """What a store has of one sequence beside its numbers: label maps, and traced frames."""

    masks: bool
    traced: frozenset[int]
    frames: int

    def covers(self, extras: Extras) -> bool:
        """Whether nothing of ``extras`` is missing."""
        return (self.masks or not extras.masks) and extras.frames(self.frames) <= self.traced


@dataclass(frozen=True)
class ClipResult:
    """What one trial measured on one clip.

    Attributes:
        sequence: the clip's name.
        object_ids: its objects, ascending; the second axis K of the per-object series.
        mask_sha256: hash over all predicted label maps, in order.
        metrics: scalars of the clip by name (``reuse_rate``, ``init_ms``, ``fps``).
        object_metrics: scalars by object id and name (``j_mean``, ``f_recall``, ``reuse_rate``).
        series: arrays by name: ``j`` and ``f`` (scored frames, K), ``p_gate`` (T, K; NaN where
            none), ``path`` (T, K; see :data:`PATH_CODES`), ``frame_ms`` (T); ``trace_*``.
        packed: series that are too large to be held otherwise: ``labels`` (T, H, W).
        traced: frames of which is kept what the network saw, as far as it told anything.
    """

    sequence: str
    object_ids: tuple[int, ...]
    frames: int
    mask_sha256: str
    metrics: Mapping[str, float]
    object_metrics: Mapping[int, Mapping[str, float]]
    series: Mapping[str, NDArray[np.generic]]
    packed: Mapping[str, PackedArray] = field(default_factory=dict)
    traced: tuple[int, ...] = ()

    def keeping(self, extras: Extras) -> ClipResult:
        """The same with no more beside its numbers than ``extras`` says."""
        traced = self.traced if extras.frames(self.frames) else ()
        series = {
            name: array
            for name, array in self.series.items()
            if traced or not name.startswith("trace_")
        }
        packed = {n: array for n, array in self.packed.items() if extras.masks or n != "labels"}
        return replace(self, series=series, packed=packed, traced=traced)


PATH_CODES: Mapping[str, int] = {"absent": 0, "init": 1, "full": 2, "reuse": 3, "copy": 4}
"""How the series ``path`` spells a path; 0 before an object's first frame."""
