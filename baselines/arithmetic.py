"""Whether a network takes its shortcuts or does what its description says, for counting.

Operations are a property of an architecture as described, and shortcuts that give the same
results with fewer of them must not change it. The counter runs a frame once within
:func:`as_described`; all else never notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

_AS_DESCRIBED = ContextVar("_AS_DESCRIBED", default=False)


@contextmanager
def as_described() -> Iterator[None]:
    """Within it, networks take no shortcuts: results are equal up to rounding, only slower."""
    token = _AS_DESCRIBED.set(True)
    try:
        yield
    finally:
        _AS_DESCRIBED.reset(token)


def takes_shortcuts() -> bool:
    """Whether a shortcut may be taken here, which it may unless operations are counted."""
    # The compiler can't read context variables, and nobody counts what it compiles.
    return torch.compiler.is_compiling() or not _AS_DESCRIBED.get()
