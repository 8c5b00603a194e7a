"""A runner that breaks the rules is named in one line; its trial fails, the sweep goes on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.objects import present_ids
from vosbench.harness.datasets.overlap import Masks, Overlapping
from vosbench.runners.interface import Path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import torch

    from vosbench.harness.datasets.clip import Clip
    from vosbench.runners.interface import Step


class RunnerFault(RuntimeError):  # noqa: N818 - said of the runner, not raised by it
    """A runner gave something that its interface doesn't allow."""


def checked_masks(
    step: Step, *, frame: int, clip: Clip, known: Collection[int], new: Collection[int]
) -> Masks:
    """Hold a runner's step against the interface and return its masks.

    It waits for the device, so it has no place between frames that are timed.

    Args:
        step: what the runner gave for ``frame``.
        clip: the frame's; ids that it counts without giving them may be predicted.
        known: ids of all objects added so far.
        new: those of them that were added in this frame.

    Raises:
        RunnerFault: wrong type, shape or ids; missing objects; p_gate outside 0..1.
    """
    import torch

    labels = step.labels
    if not isinstance(labels, torch.Tensor) or labels.dtype != torch.uint8:
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise RunnerFault(f"frame {frame}: labels are {kind}, not a uint8 tensor")
    if tuple(labels.shape) != clip.size:
        shape = tuple(labels.shape)
        raise RunnerFault(f"frame {frame}: labels are {shape}, the frame is {clip.size}")
    fetched: NDArray[np.uint8] = labels.cpu().numpy()
    allowed = {*known, *clip.early_ids}
    strange = sorted(present_ids(fetched) - allowed)
    if strange:
        raise RunnerFault(f"frame {frame}: label {strange[0]} is no object of the sequence")
    told = sorted(o.id for o in step.objects)
    if told != sorted(known):
        raise RunnerFault(f"frame {frame}: the step tells of objects {told}, not {sorted(known)}")
    for o in step.objects:
        if (o.path is Path.INIT) != (o.id in new):
            raise RunnerFault(f"frame {frame}: object {o.id} has path '{o.path}'")
        if o.p_gate is not None and not (math.isfinite(o.p_gate) and 0 <= o.p_gate <= 1):
            raise RunnerFault(f"frame {frame}: object {o.id} has p_gate {o.p_gate}, not 0..1")
    return fetched if step.masks is None else _overlapping(step.masks, frame, clip, allowed)


def _overlapping(
    masks: Mapping[int, torch.Tensor], frame: int, clip: Clip, allowed: Collection[int]
) -> Overlapping:
    import torch

    for object_id, mask in masks.items():
        if object_id not in allowed:
            raise RunnerFault(
                f"frame {frame}: mask of {object_id}, which is no object of the sequence"
            )
        if mask.dtype != torch.bool or tuple(mask.shape) != clip.size:
            raise RunnerFault(
                f"frame {frame}: mask of object {object_id} is {mask.dtype} {tuple(mask.shape)}, "
                f"not bool {clip.size}"
            )
    return Overlapping(clip.size, {i: mask.cpu().numpy() for i, mask in masks.items()})
