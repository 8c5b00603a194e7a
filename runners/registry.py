"""From a model's name to a runner.

Names compose: ``ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]``, for instance ``g-frtm-fast``,
``g-frtm-fast+copy``, ``g-frtm-fast+random:0.4``, ``g-frtm-fast@m0.7-0.2``. They need no quoting
in a shell and survive comma-separated lists.

A runner that takes an argument is written ``NAME:ARGUMENT``, for instance
``masks:../results/osvos``; all that follows the colon belongs to the argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from vosbench.baselines.errors import InputError, suggestion
from vosbench.runners.interface import (
    ArgumentFactory,
    Runner,
    RunnerFactory,
    RunnerOptions,
    RunnerSpec,
    WeightsInfo,
)
from vosbench.runners.plugins import Registry
from vosbench.runners.policies import POLICIES

RUNNERS = Registry("vosbench.runners", "model")

_NAME = re.compile(
    r"(?P<base>[A-Za-z0-9_./\-]+?)(@(?P<variant>[A-Za-z0-9_.\-]+))?"
    r"(\+(?P<policy>[a-z\-]+(:[0-9.]+)?))?"
)
_WITH_ARGUMENT = re.compile(r"(?P<base>[A-Za-z0-9_./\-]+):(?P<argument>.*)")


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
    variant: str | None = None
    policy: str | None = None

    def build(self, options: RunnerOptions) -> Runner:
        """Make the runner.

        Raises InputError where weights, thresholds or names don't fit, and for a plug-in that
        fails to make one.
        """
        options = replace(options, variant=self.variant, policy=self.policy)
        try:
            runner: Any = self.factory(options)
            defect = _runner_defect(runner)
        except InputError:
            raise
        except Exception as error:
            if type(self.factory).__module__.startswith("vosbench."):
                raise
            raise InputError(
                f"{self.name} can't be built: {type(error).__name__}: {error} "
                f"(`vosbench check {self.name} --traceback` shows where)"
            ) from error
        if defect is not None:
            raise InputError(f"{self.name} can't be used: {defect}")
        runner.spec = self.spec
        made: Runner = runner
        return made


def resolve(name: str) -> Model:
    """Look a composed name up; raises InputError with the nearest name for unknown ones."""
    match = _WITH_ARGUMENT.fullmatch(name)
    if match is not None:
        return _with_argument(name, match["base"], match["argument"])
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            f"'{name}' is no model name: write ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]"
        )
    base, variant, policy = match["base"], match["variant"], match["policy"]
    factory = _registered(base)
    spec = factory.spec
    if spec.argument:
        raise InputError(f"{base} needs an argument: write {base}:{spec.argument}")
    if policy is not None:
        spec = _with_policy(spec, policy)
    return Model(name, replace(spec, name=name), factory, variant, policy)


def factory_defect(name: str, factory: Any) -> str | None:
    """Why what is registered as ``name`` is no runner's factory, or None."""
    spec = getattr(factory, "spec", None)
    if not isinstance(spec, RunnerSpec):
        return "it has no 'spec' of type RunnerSpec"
    if spec.name != name:
        return f"it is registered as {name} but its spec says {spec.name!r}"
    unknown = sorted(set(spec.policies) - set(POLICIES))
    if unknown:
        return f"its spec names the policy '{unknown[0]}'{suggestion(unknown[0], POLICIES)}"
    if spec.argument and not isinstance(factory, ArgumentFactory):
        return f"its spec takes an argument ({spec.argument}), but it has no method 'bind'"
    if not spec.argument and not callable(factory):
        return "it can't be called with RunnerOptions"
    return None


def _registered(base: str) -> Any:
    factory = RUNNERS.get(base)
    defect = factory_defect(base, factory)
    if defect is not None:
        raise InputError(f"model '{base}' can't be used: {defect}")
    return factory


def _with_argument(name: str, base: str, argument: str) -> Model:
    factory = _registered(base)
    takes = factory.spec.argument
    if not takes:
        raise InputError(f"{base} takes nothing after a colon: write {base}")
    if not argument:
        raise InputError(f"{base} needs an argument: write {base}:{takes}")
    bound: RunnerFactory = factory.bind(argument)
    return Model(name, replace(bound.spec, name=name), bound)


def _runner_defect(runner: Any) -> str | None:
    lacking = [n for n in ("load", "start", "add_objects", "step") if not hasattr(runner, n)]
    if lacking:
        return f"what it builds has no method '{lacking[0]}'"
    if not isinstance(getattr(runner, "weights", None), WeightsInfo):
        return "what it builds has no 'weights' of type WeightsInfo"
    return None


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
