"""From a model's name to a runner.

Names compose: ``ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]``, for instance ``g-frtm-fast``,
``g-frtm-fast+copy``, ``g-frtm-fast+random:0.4``, ``g-frtm-fast@m0.7-0.2``. They need no quoting
in a shell and survive comma-separated lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from vosbench.baselines.errors import InputError
from vosbench.runners.interface import Runner, RunnerFactory, RunnerOptions, RunnerSpec
from vosbench.runners.plugins import Registry
from vosbench.runners.policies import POLICIES
from vosbench.runners.suggest import suggestion

RUNNERS = Registry("vosbench.runners", "model")

_NAME = re.compile(
    r"(?P<base>[A-Za-z0-9_./:\-]+?)(@(?P<variant>[A-Za-z0-9_.\-]+))?"
    r"(\+(?P<policy>[a-z\-]+(:[0-9.]+)?))?"
)


@dataclass(frozen=True)
class Model:
    """A name, taken apart and looked up.

    Attributes:
        name: the whole name.
        spec: the architecture's spec, completed by what the policy changes.
    """

    name: str
    spec: RunnerSpec
    factory: RunnerFactory
    variant: str | None
    policy: str | None

    def build(self, options: RunnerOptions) -> Runner:
        """Make the runner; raises InputError where weights, thresholds or names don't fit."""
        runner = self.factory(replace(options, variant=self.variant, policy=self.policy))
        runner.spec = self.spec
        return runner


def resolve(name: str) -> Model:
    """Look a composed name up; raises InputError with the nearest name for unknown ones."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            f"'{name}' is no model name: write ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]"
        )
    base, variant, policy = match["base"], match["variant"], match["policy"]
    factory: RunnerFactory = RUNNERS.get(base)
    spec = factory.spec
    if policy is not None:
        spec = _with_policy(spec, policy)
    return Model(name, replace(spec, name=name), factory, variant, policy)


def _with_policy(spec: RunnerSpec, text: str) -> RunnerSpec:
    policy = text.partition(":")[0]
    if not spec.policies:
        raise InputError(f"{spec.name} has no gate, so it takes no policy '+{text}'")
    if policy not in spec.policies:
        raise InputError(
            f"{spec.name} knows no policy '{policy}'{suggestion(policy, spec.policies)}"
        )
    kind = POLICIES[policy]
    return replace(
        spec,
        summary=f"{spec.summary}; {kind.summary}",
        takes_tau=kind.takes_tau,
        takes_tau2=kind.takes_tau2,
        needs_truth=kind.needs_truth,
        paths=kind.paths,
    )
