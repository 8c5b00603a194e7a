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
class Factory:
    """Builds one of the built-in models.

    Attributes:
        family: "frtm" or "ttvos"; see :mod:`vosbench.runners.families`.
        config: name of a constant in the family's module of configs.
    """

    spec: RunnerSpec
    family: str
    config: str

    def __call__(self, options: RunnerOptions) -> Runner:
        """Build the runner; raises InputError where weights or thresholds don't fit."""
        from vosbench.runners.families import architecture
        from vosbench.runners.network_runner import NetworkRunner

        return NetworkRunner(self.spec, architecture(self.family, self.config), options)

    def parameter_count(self) -> int:
        """Parameters of the network, backbone included; nothing is allocated."""
        import torch

        from vosbench.runners.families import architecture

        with torch.device("meta"):
            made = architecture(self.family, self.config).make()
        return sum(parameter.numel() for parameter in made.parameters())

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


def _pair(name: str, backbone: str, summary: str, family: str, config: str) -> tuple[Factory, ...]:
    """A model and its gated form."""
    spec = _plain(name, backbone, summary)
    gated = _gated(spec, f"{summary}, with reuse gate")
    return Factory(spec, family, config), Factory(gated, family, f"G_{config}")


frtm, g_frtm = _pair("frtm", "resnet101", "the paper's accurate baseline", "frtm", "FRTM")
frtm_fast, g_frtm_fast = _pair(
    "frtm-fast", "resnet18", "the paper's main baseline", "frtm", "FRTM_FAST"
)
frtm_fastr = Factory(
    _plain("frtm-fastr", "resnet18", "FRTM-fastR: as costly as the gated one at τ = 0.7"),
    "frtm",
    "FRTM_FASTR",
)
frtm_lite, g_frtm_lite = _pair(
    "frtm-lite", "tf_efficientnet_lite0", "FRTM sized for a CPU", "frtm", "FRTM_LITE"
)
frtm_lite_r = Factory(
    _plain("frtm-lite-r", "tf_efficientnet_lite0", "as costly as g-frtm-lite at reuse 0.4"),
    "frtm",
    "FRTM_LITE_R",
)
ttvos, g_ttvos = _pair("ttvos", "resnet50", "TTVOS as published", "ttvos", "TTVOS")
ttvos_fast, g_ttvos_fast = _pair(
    "ttvos-fast", "resnet18", "TTVOS with a small backbone", "ttvos", "TTVOS_FAST"
)
ttvos_lite, g_ttvos_lite = _pair(
    "ttvos-lite", "tf_efficientnet_lite0", "TTVOS sized for a CPU", "ttvos", "TTVOS_LITE"
)
