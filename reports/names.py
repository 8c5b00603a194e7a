"""What a model's name says: ``ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]``."""

from __future__ import annotations

from dataclasses import dataclass

from vosbench.reports.policies import policy_spec, split_argument
from vosbench.runners.registry import split_policy

GATE_PREFIX = "g-"


@dataclass(frozen=True)
class ModelName:
    """A name, taken apart.

    Attributes:
        base: the architecture, e.g. ``g-frtm-fast``.
        variant: which weights, "" where it isn't said.
        policy: the gate policy, "" where it isn't said.
        argument: the policy's argument, e.g. the rate of ``random:0.4``; "" without one.
    """

    base: str
    variant: str = ""
    policy: str = ""
    argument: str = ""

    @property
    def gated(self) -> bool:
        """Whether the architecture has a reuse gate."""
        return self.base.startswith(GATE_PREFIX)

    @property
    def family(self) -> str:
        """The architecture without its gate: what a gated model is compared with."""
        return self.base.removeprefix(GATE_PREFIX)

    @property
    def reduced(self) -> bool:
        """Whether it is a network of fewer channels (the paper's FRTM-fastR)."""
        return self.family.endswith(("fastr", "-r"))

    @property
    def whole_family(self) -> str:
        """The family that a reduced network was made from; its own otherwise."""
        return self.family.removesuffix("-r").removesuffix("r") if self.reduced else self.family

    @property
    def curve(self) -> str:
        """The name of the curve it is a point of: without the rate of a random control.

        A policy with a label of its own is called by it.
        """
        variant = f"@{self.variant}" if self.variant else ""
        if not self.policy:
            return f"{self.base}{variant}"
        rest, _ = split_argument(self.policy, self.argument)
        spec = policy_spec(self.policy)
        labelled = spec is not None and spec.label
        policy = f", {spec.label}" if spec is not None and labelled else f"+{self.policy}"
        return f"{self.base}{variant}{policy}{f':{rest}' if rest else ''}"

    @property
    def point(self) -> str:
        """What places it on its curve where there is no τ: the rate of a random control, or ""."""
        return split_argument(self.policy, self.argument)[1]


def parse_model(name: str) -> ModelName:
    """Take a name apart; any text is a name."""
    rest, policy = split_policy(name)
    base, _, variant = rest.partition("@")
    policy, _, argument = (policy or "").partition(":")
    return ModelName(base, variant, policy, argument)


def way(name: str, policy: str) -> str:
    """A way of deciding: the role, with what of the policy's argument isn't a point of its curve.

    Caps of different length are ways of their own, rates of a random control are not.
    """
    plain, _, argument = policy.partition(":")
    rest, _ = split_argument(plain, argument)
    return f"{role(name, policy)}{f':{rest}' if rest else ''}"


def role(name: str, policy: str | None) -> str:
    """What a run stands for among the paper's alternatives.

    One of ``ours``, ``copy``, ``fusion``, ``g-iou``, ``random``, ``always``, ``never``,
    ``always-copy``, ``N-gate``, ``reduced`` and ``baseline``; another policy by its own name.

    Args:
        name: the model's name.
        policy: the policy's name as results have it, None for a network without a gate.
    """
    model = parse_model(name)
    if not policy:
        return "reduced" if model.reduced else "baseline"
    if model.variant.startswith("ngate"):
        return "N-gate"
    plain = policy.partition(":")[0]
    return "ours" if plain == "learned" else plain
