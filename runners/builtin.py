"""The models this package brings: what they are, and how they are built.

Torch is imported when a model is built, not when it is listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vosbench.runners.interface import Path, Runner, RunnerOptions, RunnerSpec
from vosbench.runners.policies import POLICIES
from vosbench.runners.shipped import shipped_variants

VERSION = "1"
"""Raised whenever a change may alter results of the built-in models."""

_GATED_PATHS = frozenset({Path.FULL, Path.REUSE})


@dataclass(frozen=True)
class FrtmFactory:
    """Builds a model of the FRTM family; ``config`` names a constant of baselines.frtm.network."""

    spec: RunnerSpec
    config: str

    def __call__(self, options: RunnerOptions) -> Runner:
        from vosbench.baselines.frtm import network
        from vosbench.runners.frtm_runner import FrtmRunner

        return FrtmRunner(self.spec, getattr(network, self.config), options)

    def parameter_count(self) -> int:
        """Parameters of the network, backbone included; nothing is allocated."""
        import torch

        from vosbench.baselines.frtm import network

        with torch.device("meta"):
            return sum(
                p.numel() for p in network.make_frtm(getattr(network, self.config)).parameters()
            )

    def shipped_variants(self) -> tuple[str, ...]:
        """Names after an ``@`` for which weights come with the package; "default" for none."""
        return shipped_variants(self.spec.name)


def _plain(name: str, backbone: str, summary: str) -> RunnerSpec:
    return RunnerSpec(name, VERSION, summary, backbone=backbone)


def _gated(spec: RunnerSpec, summary: str) -> RunnerSpec:
    return replace(
        spec,
        name=f"g-{spec.name}",
        summary=summary,
        paths=_GATED_PATHS,
        policies=tuple(POLICIES),
        takes_tau=True,
    )


_FRTM = _plain("frtm", "resnet101", "FRTM, the paper's accurate baseline")
_FRTM_FAST = _plain("frtm-fast", "resnet18", "FRTM-fast, the paper's main baseline")
_FRTM_LITE = _plain("frtm-lite", "tf_efficientnet_lite0", "FRTM sized for a CPU")

frtm = FrtmFactory(_FRTM, "FRTM")
frtm_fast = FrtmFactory(_FRTM_FAST, "FRTM_FAST")
frtm_lite = FrtmFactory(_FRTM_LITE, "FRTM_LITE")
g_frtm = FrtmFactory(_gated(_FRTM, "FRTM with reuse gate"), "G_FRTM")
g_frtm_fast = FrtmFactory(_gated(_FRTM_FAST, "FRTM-fast with reuse gate"), "G_FRTM_FAST")
g_frtm_lite = FrtmFactory(_gated(_FRTM_LITE, "FRTM-lite with reuse gate"), "G_FRTM_LITE")
