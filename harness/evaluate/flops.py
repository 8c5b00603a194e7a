"""Arithmetic of one frame, stage by stage, as torch counts it (2 per multiply-add).

Torch counts matrix products and convolutions. Normalisation and activations are memory-bound and
not counted, nor is interpolation, save what is described as a convolution; nor is anything that
OpenCV does. A network may need less than its description: both numbers can be had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from vosbench.baselines.arithmetic import as_described
from vosbench.runners.interface import Spans


@dataclass(frozen=True)
class Arithmetic:
    """Floating-point operations of a piece of work, and of its stages."""

    total: int
    stages: dict[str, int]


def count_flops(work: Callable[[Spans], object], *, described: bool = False) -> Arithmetic:
    """Run ``work``, which says by spans which stage it is in, and count.

    Args:
        work: takes the spans.
        described: run the network in the order of its description, without shortcuts.
    """
    counter = FlopCounterMode(display=False)
    stages: dict[str, int] = {}

    @contextmanager
    def spans(stage: str) -> Iterator[None]:
        before = counter.get_total_flops()
        yield
        stages[stage] = stages.get(stage, 0) + counter.get_total_flops() - before

    # Fused kernels aren't counted: what was compiled runs as it was written.
    eager = torch.compiler.set_stance("force_eager")
    with as_described() if described else nullcontext(), eager, counter:
        work(spans)
    return Arithmetic(counter.get_total_flops(), stages)
