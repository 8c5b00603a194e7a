"""Worker processes that make the clips of a stream while training goes on."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from vosbench.harness.training.data.pool import ClipPool, ClipStream

AHEAD = 64
"""Clips that are made before the window reaches them."""
_PAUSE_S = 0.5


@contextmanager
def producing(pool: ClipPool, workers: int) -> Iterator[None]:
    """Within it, workers make what the pool's window will reach; a fixed pool needs none.

    What a worker has not finished is made by whoever reads it, so the outcome of a training
    doesn't depend on their number or speed.
    """
    if pool.stream is None or workers == 0:
        yield
        return
    context = multiprocessing.get_context("spawn")
    processes: list[Any] = []
    step = context.Value("q", pool.stream.step)
    pool.stream.told = step
    try:
        for which in range(workers):
            process = context.Process(
                target=_produce,
                args=(replace(pool, stream=None), pool.stream.fresh, step, which, workers),
                daemon=True,
            )
            process.start()
            processes.append(process)
        yield
    finally:
        pool.stream.told = None
        for process in processes:
            process.terminate()
            process.join()


def _produce(pool: ClipPool, fresh: float, step: Any, which: int, workers: int) -> None:
    torch.set_num_threads(1)
    parent, stream = os.getppid(), ClipStream(fresh)
    index = which
    while os.getppid() == parent:
        stream.step = step.value
        start, size = stream.window(pool.size)
        index = max(index, start + (which - start) % workers)
        if index < start + size + AHEAD:
            pool.ensure(index)
            index += workers
        else:
            time.sleep(_PAUSE_S)
