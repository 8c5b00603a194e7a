"""What a walk gave, brought to the CPU: one copy for all lanes, since each is a wait for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vosbench.runners.interface import Step


def fetched(steps: Sequence[Step]) -> list[Step]:
    """The steps with labels and ``finite`` on the CPU; what was one step stays one.

    Labels that are no tensors like the others' stay as they are, for the check to refuse.
    """
    distinct = list({id(step): step for step in steps}.values())
    labels = _together([step.labels for step in distinct])
    finite = _together([step.finite for step in distinct])
    made = {
        id(step): replace(step, labels=own, finite=whole)
        for step, own, whole in zip(distinct, labels, finite, strict=True)
    }
    return [made[id(step)] for step in steps]


def _together(each: Sequence[Any]) -> Sequence[Any]:
    import torch

    alike = {(x.shape, x.dtype, x.device) if isinstance(x, torch.Tensor) else None for x in each}
    if None in alike or len(alike) > 1:
        return each
    return [each[0].cpu()] if len(each) == 1 else list(torch.stack(list(each)).cpu())
