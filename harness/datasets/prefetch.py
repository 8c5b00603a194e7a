"""Decoding a clip ahead of its consumer, in threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks


class DecodedFrame(NamedTuple):
    """A frame: its index, its pixels uint8 RGB (H, W, 3), and its annotated masks or None."""

    t: int
    image: NDArray[np.uint8]
    annotation: Masks | None


class Prefetch:
    """Iterates over a clip's frames in order, decoded by threads at most ``ahead`` frames early.

    A reader's exception is raised in the consumer, at the frame it belongs to. Leaving the loop
    early stops the threads; each iteration starts from the first frame.

    Attributes:
        waited_s: seconds that the consumer waited for frames in the latest iteration.
    """

    def __init__(
        self, clip: Clip, *, ahead: int = 8, threads: int = 2, annotations: bool = True
    ) -> None:
        if ahead < 1 or threads < 1:
            raise ValueError(f"ahead and threads are at least 1, not {ahead} and {threads}")
        self._clip = clip
        self._ahead = ahead
        self._threads = threads
        self._annotations = annotations
        self.waited_s = 0.0

    def __len__(self) -> int:
        return len(self._clip)

    def __iter__(self) -> Iterator[DecodedFrame]:
        self.waited_s = 0.0
        pool = ThreadPoolExecutor(self._threads, thread_name_prefix="vosbench-decode")
        pending: deque[Future[DecodedFrame]] = deque()
        try:
            for t in range(len(self._clip)):
                while len(pending) < self._ahead and t + len(pending) < len(self._clip):
                    pending.append(pool.submit(self._decode, t + len(pending)))
                began_s = time.perf_counter()
                decoded = pending.popleft().result()
                self.waited_s += time.perf_counter() - began_s
                yield decoded
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _decode(self, t: int) -> DecodedFrame:
        annotation = self._clip.masks(t) if self._annotations else None
        return DecodedFrame(t, self._clip.image(t), annotation)
