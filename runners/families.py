"""The families of networks, as :mod:`.network_runner` takes them."""

from __future__ import annotations

from functools import partial
from typing import cast

from torch import nn

from vosbench.baselines.frtm import half as half_configs
from vosbench.baselines.frtm import network as frtm_configs
from vosbench.baselines.frtm.half import HalfConfig, HalfFrtm, make_half
from vosbench.baselines.frtm.network import (
    FrtmConfig,
    FrtmNetwork,
    GatedFrtmNetwork,
    make_frtm,
)
from vosbench.baselines.ttvos import models as ttvos_configs
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.models import make_ttvos
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig
from vosbench.baselines.ttvos.padding import Padding
from vosbench.runners.compiled import Part, backbone_parts
from vosbench.runners.frtm import FrtmTracker, seeded_augment, seeded_start
from vosbench.runners.half import HalfTracker
from vosbench.runners.interface import ClipInfo
from vosbench.runners.network_runner import Architecture, Autocast
from vosbench.runners.ttvos import TtvosTracker
from vosbench.runners.weights import KeyLayout

FRTM_KEYS = KeyLayout(
    "feature_extractor.", ("refiner.Diff_process.", "convGS.", "Tmatching.", "Convert_Diff.")
)
HALF_KEYS = KeyLayout("feature_extractor.", ("gate.",))
TTVOS_KEYS = KeyLayout("vos.backbone.", ("gate.", "delta.", "translator."))


def architecture(family: str, config: str) -> Architecture:
    """Look a built-in architecture up by its family and the name of its config."""
    if family == "frtm":
        return frtm_architecture(getattr(frtm_configs, config))
    if family == "half":
        return half_architecture(getattr(half_configs, config))
    return ttvos_architecture(getattr(ttvos_configs, config))


def frtm_architecture(config: FrtmConfig) -> Architecture:
    """FRTM, plain or gated."""

    def track(network: nn.Module, autocast: Autocast, seed: int) -> FrtmTracker:
        frtm = cast(FrtmNetwork, network)
        return FrtmTracker(frtm, seeded_augment(seed), seeded_start(frtm, seed), autocast)

    make = partial(make_frtm, config)
    name, backbone, gated = repr(config), config.backbone, config.gated
    return Architecture(name, backbone, gated, make, track, FRTM_KEYS, _frtm_parts)


def _frtm_parts(network: nn.Module) -> list[Part]:
    frtm = cast(FrtmNetwork, network)
    refiner = frtm.refiner
    parts = backbone_parts(frtm.feature_extractor)
    parts += [(refiner, "deep"), (refiner, "shallow"), (refiner.project, "forward")]
    if isinstance(frtm, GatedFrtmNetwork):
        parts += [(refiner, "translate"), (frtm.Tmatching, "template"), (frtm.Tmatching, "match")]
        parts += [(frtm.convGS, "forward"), (frtm.Convert_Diff, "forward")]
    return parts


def half_architecture(config: HalfConfig) -> Architecture:
    """FRTM-half, with or without its gate."""

    def track(network: nn.Module, autocast: Autocast, seed: int) -> HalfTracker:
        half = cast(HalfFrtm, network)
        return HalfTracker(half, seeded_augment(seed), seeded_start(half, seed), autocast)

    make = partial(make_half, config)
    name, backbone, gated = repr(config), config.backbone, config.gated
    return Architecture(name, backbone, gated, make, track, HALF_KEYS, _half_parts)


def _half_parts(network: nn.Module) -> list[Part]:
    half = cast(HalfFrtm, network)
    parts = [(half.feature_extractor, "early"), *backbone_parts(half.feature_extractor)]
    parts += [(half.matching, "forward"), (half.carry, "forward"), (half.refine, "forward")]
    return parts if half.gate is None else [*parts, (half.gate, "forward")]


def ttvos_architecture(config: TtvosConfig) -> Architecture:
    """TTVOS, plain or gated; nothing in it is random."""

    def track(network: nn.Module, autocast: Autocast, _seed: int) -> TtvosTracker:
        return TtvosTracker(cast(Ttvos, network), autocast)

    make = partial(make_ttvos, config)
    name, backbone, gated = repr(config), config.backbone, config.gated
    return Architecture(name, backbone, gated, make, track, TTVOS_KEYS, _ttvos_parts, _padding)


def _padding(clip: ClipInfo) -> Padding:
    return Padding.to_multiple(clip.height, clip.width)


def _ttvos_parts(network: nn.Module) -> list[Part]:
    ttvos = cast(Ttvos, network)
    layers = ttvos.vos
    parts = backbone_parts(layers.backbone)
    parts += [(layers.refine, "short_term"), (layers.refine, "decode")]
    parts += [(layers.gcm, "forward"), (layers.gcq, "forward")]
    if isinstance(ttvos, GatedTtvos):
        parts += [(each, "forward") for each in (ttvos.gate, ttvos.delta, ttvos.translator)]
    return parts
