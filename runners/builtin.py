"""The models this package brings: what they are, and how they are built.

Torch is imported when a model is built, not when it is listed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vosbench.runners.interface import Path, Runner, RunnerOptions, RunnerSpec
from vosbench.runners.policy import Need
from vosbench.runners.shipped import shipped_variants

VERSION = "1"
"""Raised whenever a change may alter results of the built-in models."""

_GATED_PATHS = frozenset({Path.FULL, Path.REUSE, Path.COPY})


@dataclass(frozen=True)
class Factory:
    """Builds one of the built-in models.

    Attributes:
        family: "frtm", "half" or "ttvos"; see :mod:`vosbench.runners.families`.
        config: name of a constant in the family's module of configs.
        parameters: of the network, backbone included: written down, since counting them takes
            torch and every network (a test counts).
    """

    spec: RunnerSpec
    family: str
    config: str
    parameters: int

    def __call__(self, options: RunnerOptions) -> Runner:
        """Build the runner; raises InputError where weights don't fit."""
        from vosbench.runners.families import architecture
        from vosbench.runners.network_runner import NetworkRunner

        return NetworkRunner(self.spec, architecture(self.family, self.config), options)

    def shipped_variants(self) -> tuple[str, ...]:
        """Names after an ``@`` for which weights come with the package; "default" for none."""
        return shipped_variants(self.spec.name)


def _plain(name: str, backbone: str, summary: str) -> RunnerSpec:
    return RunnerSpec(name, VERSION, summary, backbone=backbone)


def _gated(plain: Factory, parameters: int) -> Factory:
    """A model's gated form."""
    spec = replace(
        plain.spec,
        name=f"g-{plain.spec.name}",
        summary=f"{plain.spec.summary}, with reuse gate",
        paths=_GATED_PATHS,
        tells=frozenset(Need),
    )
    return Factory(spec, plain.family, f"G_{plain.config}", parameters)


frtm = Factory(
    _plain("frtm", "resnet101", "the paper's accurate baseline"), "frtm", "FRTM", 43_910_609
)
g_frtm = _gated(frtm, 44_492_292)
frtm_fast = Factory(
    _plain("frtm-fast", "resnet18", "the paper's main baseline"), "frtm", "FRTM_FAST", 12_402_641
)
g_frtm_fast = _gated(frtm_fast, 12_886_020)
frtm_fastr = Factory(
    _plain("frtm-fastr", "resnet18", "FRTM-fastR: as costly as the gated one at τ = 0.7"),
    "frtm",
    "FRTM_FASTR",
    12_123_721,
)
frtm_lite = Factory(
    _plain("frtm-lite", "tf_efficientnet_lite0", "FRTM sized for a CPU"),
    "frtm",
    "FRTM_LITE",
    3_269_873,
)
g_frtm_lite = _gated(frtm_lite, 3_325_572)
frtm_lite_r = Factory(
    _plain("frtm-lite-r", "tf_efficientnet_lite0", "as costly as g-frtm-lite at reuse 0.4"),
    "frtm",
    "FRTM_LITE_R",
    3_183_294,
)
frtm_half = Factory(
    _plain(
        "frtm-half", "tf_efficientnet_lite0", "each frame first seen in half size, for a CPU; ours"
    ),
    "half",
    "FRTM_HALF",
    3_392_050,
)
g_frtm_half = _gated(frtm_half, 3_393_651)
ttvos = Factory(_plain("ttvos", "resnet50", "TTVOS as published"), "ttvos", "TTVOS", 14_802_086)
g_ttvos = _gated(ttvos, 16_448_953)
ttvos_fast = Factory(
    _plain("ttvos-fast", "resnet18", "TTVOS with a small backbone"),
    "ttvos",
    "TTVOS_FAST",
    3_610_534,
)
g_ttvos_fast = _gated(ttvos_fast, 4_023_385)
ttvos_lite = Factory(
    _plain("ttvos-lite", "tf_efficientnet_lite0", "TTVOS sized for a CPU"),
    "ttvos",
    "TTVOS_LITE",
    889_670,
)
g_ttvos_lite = _gated(ttvos_lite, 920_865)
