"""Arithmetic of one frame, stage by stage, as torch counts it (2 per multiply-add).

Torch counts matrix products and convolutions. Interpolation, normalisation and activations are
memory-bound and not counted; nor is anything that OpenCV does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch.utils.flop_counter import FlopCounterMode

from vosbench.runners.interface import Spans


@dataclass(frozen=True)
class Arithmetic:
    """Floating-point operations of a piece of work, and of its stages."""

    total: int
    stages: dict[str, int]


def count_flops(work: Callable[[Spans], object]) -> Arithmetic:
    """Run ``work``, which says by spans which stage it is in, and count."""
    counter = FlopCounterMode(display=False)
    stages: dict[str, int] = {}

    @contextmanager
    def spans(stage: str) -> Iterator[None]:
        before = counter.get_total_flops()
        yield
        stages[stage] = stages.get(stage, 0) + counter.get_total_flops() - before

    with counter:
        work(spans)
    return Arithmetic(counter.get_total_flops(), stages)
