"""The families of networks, as :mod:`.network_runner` takes them."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from torch import nn

from vosbench.baselines.frtm import network as frtm_configs
from vosbench.baselines.frtm.network import FrtmConfig, FrtmNetwork, make_frtm
from vosbench.baselines.ttvos import models as ttvos_configs
from vosbench.baselines.ttvos.models import make_ttvos
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig
from vosbench.runners.frtm import FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.network_runner import Architecture, Autocast
from vosbench.runners.ttvos import TtvosTracker, padded
from vosbench.runners.weights import KeyLayout

FRTM_KEYS = KeyLayout(
    "feature_extractor.", ("refiner.Diff_process.", "convGS.", "Tmatching.", "Convert_Diff.")
)
TTVOS_KEYS = KeyLayout("vos.backbone.", ("gate.", "delta.", "translator."))


def architecture(family: str, config: str) -> Architecture[Any]:
    """Look a built-in architecture up by its family and the name of its config."""
    if family == "frtm":
        return frtm_architecture(getattr(frtm_configs, config))
    return ttvos_architecture(getattr(ttvos_configs, config))


def frtm_architecture(config: FrtmConfig) -> Architecture[Any]:
    """FRTM, plain or gated."""

    def track(network: nn.Module, autocast: Autocast, seed: int) -> FrtmTracker:
        frtm = cast(FrtmNetwork, network)
        return FrtmTracker(frtm, seeded_augment(seed), seeded_start(frtm, seed), autocast)

    return Architecture(
        repr(config), config.backbone, config.gated, partial(make_frtm, config), track, FRTM_KEYS
    )


def ttvos_architecture(config: TtvosConfig) -> Architecture[Any]:
    """TTVOS, plain or gated; nothing in it is random."""

    def track(network: nn.Module, autocast: Autocast, _seed: int) -> TtvosTracker:
        return TtvosTracker(cast(Ttvos, network), autocast)

    make = partial(make_ttvos, config)
    name, backbone, gated = repr(config), config.backbone, config.gated
    return Architecture(name, backbone, gated, make, track, TTVOS_KEYS, padded)
