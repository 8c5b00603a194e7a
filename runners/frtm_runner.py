"""FRTM and G-FRTM behind the runner interface."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager

import torch

from vosbench.baselines.fold import fold_batch_norms
from vosbench.baselines.frtm.network import FrtmConfig, make_frtm
from vosbench.runners.frtm import FrameFeatures, FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.interface import Precision, RunnerOptions, RunnerSpec
from vosbench.runners.policies import GatePolicy, Ungated, make_policy
from vosbench.runners.tracking import SingleWalk
from vosbench.runners.weights import load_weights

_AUTOCAST = {Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}


class FrtmRunner(SingleWalk[FrameFeatures]):
    """One model of the family with one policy.

    Args:
        spec: what it is registered as.
        config: its architecture.
        options: weights, thresholds, seed.
    """

    def __init__(self, spec: RunnerSpec, config: FrtmConfig, options: RunnerOptions) -> None:
        self.spec = spec
        self._seed = options.seed
        self.policy: GatePolicy = make_policy(options) if config.gated else Ungated()
        self.network = make_frtm(config)
        model = spec.name.partition("@")[0].partition("+")[0]
        self.weights = load_weights(self.network, model, config.backbone, options, config.gated)

    def load(self, device: torch.device, precision: Precision) -> None:
        """Fold, move and convert a copy of the network; the original keeps its keys."""
        network = copy.deepcopy(self.network)
        fold_batch_norms(network)
        dtype = torch.float64 if precision is Precision.FLOAT64 else torch.float32
        network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

        def autocast() -> AbstractContextManager[None]:
            amp = _AUTOCAST.get(precision)
            return torch.autocast(device.type, amp or torch.bfloat16, enabled=amp is not None)

        self.tracker = FrtmTracker(
            network, seeded_augment(self._seed), seeded_start(network, self._seed), autocast
        )

    def sharing_key(self) -> str:
        """Weights, architecture and seed; runners that agree differ in their policy only."""
        return f"{self.network.config}/{self.weights.sha256}/{self._seed}"
