"""Maps of several objects as one tensor, a row (1, …) each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def rows(each: Sequence[Tensor]) -> Tensor:
    """Join along the first axis; what is alone stays as it is."""
    return each[0] if len(each) == 1 else torch.cat(list(each))


def shared_or_rows(each: Sequence[Tensor]) -> Tensor:
    """As :func:`rows`; one tensor that all have in common stays as it is, of one row."""
    first = each[0]
    return first if all(one is first for one in each) else rows(each)


def each_row(x: Tensor) -> tuple[Tensor, ...]:
    """Rows (1, …) of x, within its memory."""
    return torch.split(x, 1)


def own_rows(x: Tensor) -> tuple[Tensor, ...]:
    """Rows (1, …) of x as tensors of their own: one that is kept doesn't keep the others."""
    if len(x) == 1:
        return (x,)
    split = torch.split_copy(x, 1)  # type: ignore[func-returns-value] # one launch for all
    return tuple(split)  # type: ignore[arg-type]
