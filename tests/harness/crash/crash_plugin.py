"""A model that costs nothing: masks drift with τ, and it fails when it is told to."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path as FilePath

import torch

from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerOptions,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)

FAULTS = "VOSBENCH_CRASH_FAULTS"
"""Folder; each file ``memory-*`` in it lets one frame run out of memory."""
HOLD = "VOSBENCH_CRASH_HOLD"
"""File; as long as it is there, no frame ends."""
EXIT = "VOSBENCH_CRASH_EXIT"
"""``TAU:STATUS``; a frame of trials with this τ, in thousandths, ends the process with it."""
FRAME_S = "VOSBENCH_CRASH_FRAME_S"
"""How long a frame takes."""


class CrashDummy:
    """Every object's mask is its last one, moved by a step that τ and the frame decide."""

    spec = RunnerSpec("crash-dummy", "1", "drifting masks, for tests", takes_tau=True)

    def __init__(self, options: RunnerOptions) -> None:
        self._tau = int((options.tau or 0) * 1000)  # weights are read without a threshold
        self._masks: dict[int, torch.Tensor] = {}
        file = None if options.weights is None else FilePath(options.weights)
        content = b"crash-dummy" if file is None else file.read_bytes()
        name = "none" if file is None else file.name
        self.weights = WeightsInfo(name, hashlib.sha256(content).hexdigest(), trained=False)

    def load(self, device: torch.device, precision: Precision) -> None:
        """There is nothing to load."""

    def start(self, clip: ClipInfo) -> None:
        """Forget the masks."""
        self._masks = {}

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:
        """Keep the masks."""
        self._masks |= masks

    def step(self, frame: Frame, spans: Spans) -> Step:
        """Move the masks on."""
        time.sleep(float(os.environ.get(FRAME_S, "0.002")))
        _wait_if_held()
        _fail_if_told()
        tau, _, status = os.environ.get(EXIT, "").partition(":")
        if tau == str(self._tau):
            os._exit(int(status))
        path = Path.INIT if frame.index == 0 else Path.FULL
        if frame.index:
            shift = int(frame.image.sum()) + self._tau * frame.index
            self._masks = {
                i: torch.roll(mask, shift % 7 - 3, dims=1) for i, mask in self._masks.items()
            }
        labels = torch.zeros(frame.image.shape[1:], dtype=torch.uint8)
        for object_id, mask in sorted(self._masks.items()):
            labels[mask] = object_id
        return Step(labels, tuple(ObjectStep(i, path) for i in sorted(self._masks)))


def _wait_if_held() -> None:
    hold = os.environ.get(HOLD)
    while hold and FilePath(hold).exists():
        time.sleep(0.02)


def _fail_if_told() -> None:
    folder = os.environ.get(FAULTS)
    for fault in sorted(FilePath(folder).glob("memory-*")) if folder else ():
        try:
            fault.unlink()  # whoever takes it away has the fault
        except FileNotFoundError:
            continue
        raise MemoryError("told to")
