"""FRTM, and G-FRTM: the same with reuse modules. One config per published model.

The networks hold no state of a clip; :mod:`vosbench.runners.frtm` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from vosbench.baselines.backbones import make_backbone
from vosbench.baselines.frtm.refiner import Refiner
from vosbench.baselines.frtm.reuse import WIDTH, Gate, PublishedMatching, delta_generator
from vosbench.baselines.frtm.target import FRTM_FAST_TARGET, FRTM_TARGET, TargetConfig


@dataclass(frozen=True)
class FrtmConfig:
    """What distinguishes the models of the family.

    Attributes:
        backbone: a name of :func:`vosbench.baselines.backbones.make_backbone`.
        target: schedule of the online optimiser.
        width: channels of the refiner.
        gated: with reuse modules.
        match_width: channels of template and D.
        translator: "published", "light" or "residual"; see :data:`.refiner.TRANSLATORS`.
    """

    backbone: str
    target: TargetConfig
    width: int = 64
    gated: bool = False
    match_width: int = WIDTH
    translator: str = "published"


FRTM = FrtmConfig("resnet101", FRTM_TARGET)
FRTM_FAST = FrtmConfig("resnet18", FRTM_FAST_TARGET)
FRTM_FASTR = replace(FRTM_FAST, width=56)
"""FRTM-fastR (table 2): fewer channels, to cost what G-FRTM-fast does at τ = 0.7.

The paper gives no widths. At 854×480 with one object, a frame of G-FRTM-fast takes 53.6 GFLOP in
full and 39.9 reused, so 47.1 at the paper's reuse rate of 0.475; FRTM-fast takes 52.9, and 47.6 at
this width (``vosbench profile`` counts them; 8 channels more or less change it by 5).
"""
# Small networks make more mistakes: a frame that was predicted weighs less than in FRTM.
_LITE_TARGET = replace(FRTM_FAST_TARGET, learning_rate=0.03)
FRTM_LITE = FrtmConfig(
    "tf_efficientnet_lite0", _LITE_TARGET, width=32, match_width=32, translator="residual"
)
FRTM_LITE_R = replace(FRTM_LITE, width=27)
"""FRTM-lite's counterpart of FRTM-fastR: 10.6 GFLOP a frame at 854×480.

G-FRTM-lite takes 12.4 in full and 8.0 reused, so 10.7 at a reuse rate of 0.4; FRTM-lite 12.4.
"""
G_FRTM, G_FRTM_FAST, G_FRTM_LITE = (
    replace(config, gated=True) for config in (FRTM, FRTM_FAST, FRTM_LITE)
)


class FrtmNetwork(nn.Module):
    """Backbone and refiner; the target model is trained online and is no part of a checkpoint.

    Keys of the state dict are the published ones, with the backbone under
    ``feature_extractor.``.
    """

    def __init__(self, config: FrtmConfig) -> None:
        super().__init__()
        self.config = config
        self.feature_extractor = make_backbone(config.backbone)
        channels = self.feature_extractor.spec.channels
        translator = config.translator if config.gated else None
        self.refiner = Refiner(channels, config.width, translator)


class GatedFrtmNetwork(FrtmNetwork):
    """FRTM with template matching, gate, delta generator and refine-translator."""

    def __init__(self, config: FrtmConfig) -> None:
        super().__init__(config)
        self.convGS = Gate(config.match_width)
        self.Tmatching = PublishedMatching(
            self.feature_extractor.spec.channels.f8, config.match_width
        )
        self.Convert_Diff = delta_generator(config.match_width)


def make_frtm(config: FrtmConfig) -> FrtmNetwork:
    """Build the network of a config, in eval mode, with untrained weights."""
    network = GatedFrtmNetwork(config) if config.gated else FrtmNetwork(config)
    return network.eval()
