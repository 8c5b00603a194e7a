"""How much a frame looks like the last full one: scores by which policies rank or cut frames.

``change`` and ``flow`` need no gate, so any model can be asked: what differs in and around an
object, and how far it has moved. Where one decision is made for several objects, the one that
changed most counts; of an object that isn't seen, the whole frame is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vosbench.runners.policy import Evidence, Need

if TYPE_CHECKING:
    import torch

_CELL = 4
"""Side of the squares whose mean colour is compared, in pixels."""
_AROUND = 3
"""So many of them around an object belong to it."""
_FLOW_SIDE = 240
"""Short side of the frames between which flow is sought: its length needs no detail."""


@dataclass(frozen=True)
class Score:
    """A number that is larger the more alike two frames are, and what it needs to be told."""

    needs: frozenset[Need]
    of: Callable[[Evidence], float]


def _p_gate(seen: Evidence) -> float:
    if seen.p_gate is None:
        raise RuntimeError("the score p_gate exists only for a gated network")
    return seen.p_gate


def _unchanged(seen: Evidence) -> float:
    if seen.delta is None:
        raise RuntimeError("the score delta exists only for a network with reuse modules")
    return -seen.delta


def _pixels(seen: Evidence) -> tuple[torch.Tensor, torch.Tensor]:
    if seen.image is None or seen.full_image is None:
        raise RuntimeError("a score of pixels wasn't told the pixels")
    return seen.image, seen.full_image


def _masks(seen: Evidence) -> tuple[torch.Tensor, ...]:
    if seen.masks is None:
        raise RuntimeError("a score of masks wasn't told the masks")
    return seen.masks


def _same_pixels(seen: Evidence) -> float:
    image, full_image = _pixels(seen)
    difference = image.short() - full_image.short()
    return -float(difference.abs().sum()) / difference.numel()


def change(seen: Evidence) -> float:
    """Mean difference of colours in and around the object since its last full frame, 0..255."""
    import torch
    from torch.nn.functional import avg_pool2d, max_pool2d

    now, before = (avg_pool2d(x.float(), _CELL, ceil_mode=True) for x in _pixels(seen))
    difference = (now - before).abs().mean(0)
    side = 2 * _AROUND + 1
    means = []
    for mask in _masks(seen):
        cells = max_pool2d(mask[None].float(), _CELL, ceil_mode=True)
        near = max_pool2d(cells, side, 1, _AROUND)[0]
        near = torch.where(near.any(), near, torch.ones_like(near))
        means.append((difference * near).sum() / near.sum())
    return float(torch.stack(means).max())


def flow(seen: Evidence) -> float:
    """Mean length of optical flow in the object since its last full frame, over √area."""
    from vosbench.runners.carry import flow_back, grey

    now, before = map(grey, _pixels(seen))
    length = (flow_back(now, before, _FLOW_SIDE) ** 2).sum(-1) ** 0.5
    found: list[float] = []
    for mask in _masks(seen):
        inside = mask.cpu().numpy()
        lengths = length[inside] if inside.any() else length.ravel()
        found.append(float(lengths.mean()) / math.sqrt(len(lengths)))
    return max(found)


_LOOK = frozenset({Need.PIXELS, Need.MASKS})

SCORES: Mapping[str, Score] = {
    "p_gate": Score(frozenset({Need.P_GATE}), _p_gate),
    "delta": Score(frozenset({Need.DELTA}), _unchanged),
    "pixels": Score(frozenset({Need.PIXELS}), _same_pixels),
    "age": Score(frozenset(), lambda seen: float(-seen.age)),
    "change": Score(_LOOK, lambda seen: -change(seen)),
    "flow": Score(_LOOK, lambda seen: -flow(seen)),
}
"""By name: the gate's probability, mean |Δ|, mean difference of pixels, age, and of any model the
difference of pixels in and around objects, and the length of flow in them."""
