"""A network with per-object state behind the runner interface."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import nn

from vosbench.baselines.fold import fold_batch_norms
from vosbench.baselines.ttvos.padding import Padding
from vosbench.runners.compiled import Part, compile_parts
from vosbench.runners.interface import (
    ClipInfo,
    Precision,
    RunnerOptions,
    RunnerSpec,
)
from vosbench.runners.tracker import BatchTracker
from vosbench.runners.tracker_runner import TrackerRunner
from vosbench.runners.weights import KeyLayout, load_weights

Autocast = Callable[[], AbstractContextManager[None]]

_AUTOCAST = {
    Precision.BF16: torch.bfloat16,
    Precision.BF16_COMPILED: torch.bfloat16,
    Precision.FP16: torch.float16,
}

PIXELS_AT_ONCE = 16 * 854 * 480
"""Largest batch on a GPU: sixteen objects of DAVIS's size.

On a CPU objects run one by one: it has few launches to save, and its kernels give a batch other
last bits than its members (docs/speed.md). Compiled parts would compile anew for each count.
"""


@dataclass(frozen=True)
class Architecture:
    """What a family of networks adds to this module.

    Attributes:
        name: identifies architecture and widths; runners of one name may share work.
        backbone: name of the feature extractor.
        gated: with reuse modules.
        make: builds the network, untrained.
        track: makes a tracker of the prepared network, with its autocast and a seed.
        keys: how its state dict is laid out.
        dense: what of the network can be compiled.
        padding: what frames of a clip have to be padded by.
    """

    name: str
    backbone: str
    gated: bool
    make: Callable[[], nn.Module]
    track: Callable[[nn.Module, Autocast, int], BatchTracker]
    keys: KeyLayout
    dense: Callable[[nn.Module], Iterable[Part]]
    padding: Callable[[ClipInfo], Padding | None] = lambda _: None


class NetworkRunner(TrackerRunner):
    """One network of a family.

    Args:
        spec: what it is registered as.
        architecture: how it is built and used.
        options: weights, seed.

    Attributes:
        pixels_at_once: largest batch of objects of a tracker made from now on; None for what suits
            the device.
    """

    def __init__(
        self, spec: RunnerSpec, architecture: Architecture, options: RunnerOptions
    ) -> None:
        self.spec = spec
        self._architecture = architecture
        self._seed = options.seed
        self.pixels_at_once: int | None = None
        self.network = architecture.make()
        self.weights = load_weights(
            self.network, spec.name, architecture.backbone, options, architecture.keys
        )

    def tracker(self, device: torch.device, precision: Precision) -> BatchTracker:
        """Fold, move and convert a copy of the network; the original keeps its keys."""
        network = copy.deepcopy(self.network)
        fold_batch_norms(network)
        dtype = torch.float64 if precision is Precision.FLOAT64 else torch.float32
        network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision.compiled:
            compile_parts(self._architecture.dense(network), device)

        def autocast() -> AbstractContextManager[None]:
            amp = _AUTOCAST.get(precision)
            return torch.autocast(device.type, amp or torch.bfloat16, enabled=amp is not None)

        tracker = self._architecture.track(network, autocast, self._seed)
        if self.pixels_at_once is not None:
            tracker.pixels_at_once = self.pixels_at_once
        elif device.type != "cpu" and not precision.compiled:
            tracker.pixels_at_once = PIXELS_AT_ONCE
        return tracker

    def padding(self, clip: ClipInfo) -> Padding | None:
        """As the architecture wants it."""
        return self._architecture.padding(clip)

    def sharing_key(self) -> str:
        """Weights, architecture and seed."""
        return f"{self._architecture.name}/{self.weights.sha256}/{self._seed}"
