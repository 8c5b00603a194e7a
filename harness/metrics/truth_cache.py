"""Annotations prepared once and kept, packed, for every later prediction of the same clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from vosbench.harness.metrics.planes import ObjectPlane, PackedPlane

_OVERHEAD_BYTES = 512


class TruthKey(NamedTuple):
    """An annotation, and what of it is prepared."""

    clip: str
    frame: int
    object_ids: tuple[int, ...]
    merge_objects: bool


@dataclass(frozen=True)
class TruthFrame:
    """One annotation: its size (height, width) and the planes of the objects in it."""

    size: tuple[int, int]
    planes: Mapping[int, ObjectPlane]


@dataclass(frozen=True)
class _PackedFrame:
    size: tuple[int, int]
    planes: Mapping[int, PackedPlane]

    @property
    def size_bytes(self) -> int:
        return _OVERHEAD_BYTES + sum(
            _OVERHEAD_BYTES + plane.bits.nbytes for plane in self.planes.values()
        )


class TruthCache:
    """Prepared annotations by clip and frame, within ``limit_bytes``; the longest unused go first.

    A cache belongs to one dataset: it takes for granted that a clip's annotations stay the same.
    """

    def __init__(self, limit_bytes: int = 256 * 2**20) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._frames: OrderedDict[TruthKey, _PackedFrame] = OrderedDict()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def held_bytes(self) -> int:
        """Size of what is held."""
        return self._held_bytes

    def frame(self, key: TruthKey, prepare: Callable[[], TruthFrame]) -> TruthFrame:
        """The annotation ``key``, prepared by ``prepare`` if it isn't held."""
        held = self._frames.get(key)
        if held is not None:
            self._frames.move_to_end(key)
            return TruthFrame(held.size, {i: p.unpack() for i, p in held.planes.items()})
        truth = prepare()
        packed = _PackedFrame(truth.size, {i: PackedPlane.pack(p) for i, p in truth.planes.items()})
        if packed.size_bytes <= self._limit_bytes:
            self._frames[key] = packed
            self._held_bytes += packed.size_bytes
            while self._held_bytes > self._limit_bytes:
                self._held_bytes -= self._frames.popitem(last=False)[1].size_bytes
        return truth
