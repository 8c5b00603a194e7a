"""The models of the family by config; widths shrink with the backbone's channels."""

from __future__ import annotations

from dataclasses import replace

from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.network import Ttvos, TtvosConfig

TTVOS = TtvosConfig("resnet50")
"""As published; the state dict has the published keys and shapes."""

TTVOS_FAST = TtvosConfig("resnet18", short_term=128, width=64)
TTVOS_LITE = TtvosConfig("tf_efficientnet_lite0", short_term=64, width=32, translator="light")

G_TTVOS, G_TTVOS_FAST, G_TTVOS_LITE = (
    replace(config, gated=True) for config in (TTVOS, TTVOS_FAST, TTVOS_LITE)
)


def make_ttvos(config: TtvosConfig) -> Ttvos:
    """Build the network of a config, in eval mode, with untrained weights."""
    network = GatedTtvos(config) if config.gated else Ttvos(config)
    return network.eval()
