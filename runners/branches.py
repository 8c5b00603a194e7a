"""What a walk for several policies keeps: its branches, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from vosbench.runners.interface import ObjectTrace
from vosbench.runners.policy import Need, Path
from vosbench.runners.tracker import Match, Segment, State


@dataclass(frozen=True)
class Copied:
    """The COPY path: the previous mask again."""

    probability: Tensor
    trace: ObjectTrace | None = None


@dataclass(frozen=True)
class Tracked:
    """One object in one branch."""

    state: State
    mask: Tensor
    last_full: int


@dataclass(frozen=True)
class Branch:
    """Policies that decided alike so far, by index, and the state they share.

    Attributes:
        labels: of the previous frame, (H, W); None before the first.
        memories: what each policy remembers of each object, by the policy's index.
    """

    objects: Mapping[int, Tracked]
    members: tuple[int, ...]
    labels: Tensor | None
    memories: Mapping[int, Mapping[int, Any]]


Reading: TypeAlias = tuple[Need, list[tuple[int, int]], Tensor]
"""What may be told of objects, by branch and id: scalars (N,), still on the device."""


@dataclass(frozen=True)
class MatchedBranch:
    """A branch in a frame: its objects' matches, and what may be told of them, by object."""

    branch: Branch
    matches: Mapping[int, Match]
    told: Mapping[int, Mapping[Need, float]]


@dataclass(frozen=True)
class Fork:
    """Those policies of a branch that chose alike in a frame: the branch that they become.

    Attributes:
        chosen: each object's path.
        memories: as of :class:`Branch`, after the decision.
        segments: each object's mask; forks of one branch share those of equal paths.
    """

    matched: MatchedBranch
    chosen: Mapping[int, Path]
    memories: Mapping[int, Mapping[int, Any]]
    segments: Mapping[int, Segment]


@dataclass(frozen=True)
class SettledFork:
    """A fork after the competition: labels (H, W), soft masks, whether all were numbers."""

    labels: Tensor
    masks: Mapping[int, Tensor]
    finite: Tensor | None
