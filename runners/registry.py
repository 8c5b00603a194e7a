"""From a model's name to a runner.

Names compose: ``ARCHITECTURE[@VARIANT][+POLICY[:ARGUMENT]]``, for instance ``g-frtm-fast``,
``g-frtm-fast+copy``, ``g-frtm-fast+random:0.4``, ``g-frtm-fast@m0.7-0.2``. They need no quoting
in a shell and survive comma-separated lists.

A runner that takes an argument is written ``NAME:ARGUMENT``, for instance
``masks:../results/osvos``; all that follows the colon belongs to the argument.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path as FilePath
from typing import Any

from vosbench.baselines.errors import InputError, suggestion
from vosbench.baselines.text import error_text, plain_name
from vosbench.runners.gated import Gated, gated_spec
from vosbench.runners.interface import (
    ArgumentFactory,
    PolicyRunner,
    Runner,
    RunnerFactory,
    RunnerOptions,
    RunnerSpec,
    WeightsInfo,
)
from vosbench.runners.plugins import Registry, in_this_folder
from vosbench.runners.policy import GatePolicy, Need
from vosbench.runners.policy_registry import (
    DEFAULT,
    make_policy,
    policy_factory,
    require_told,
    with_policy,
)
from vosbench.runners.steered import steered

RUNNERS = Registry("vosbench.runners", "model")

_NAME = re.compile(
    r"(?P<base>[A-Za-z0-9_./\-]+?)(@(?P<variant>[A-Za-z0-9_.\-]+))?"
    r"(\+(?P<policy>[A-Za-z0-9_\-]+(:[A-Za-z0-9_.:\-]+)?))?"
)
_POLICY = re.compile(r"[A-Za-z0-9_\-]+(:[A-Za-z0-9_.:\-]+)?")
_TAKE_PATHS = ("masks", "subprocess")
"""Runners whose argument is a path."""
_WITH_ARGUMENT = re.compile(r"(?P<base>[A-Za-z0-9_./\-]+):(?P<argument>.*)")


@dataclass(frozen=True)
class Model:
    """A name, taken apart and looked up.

    Attributes:
        name: the whole name.
        spec: the architecture's spec, completed by what the policy changes.
        policy: as it is written behind the ``+``, or the learned gate for a gated model; None for
            a model that is run without.
        wrapped: the gate is put around it, as it knows of none.
    """

    name: str
    spec: RunnerSpec
    factory: RunnerFactory
    variant: str | None = None
    policy: str | None = None
    wrapped: bool = False

    def build(self, options: RunnerOptions) -> Runner:
        """Make the runner: a network without a policy.

        Raises InputError where weights or names don't fit, and for a plug-in that fails to make
        one.
        """
        try:
            with in_this_folder():
                runner: Any = self.factory(replace(options, variant=self.variant))
                takes_policies = self.spec.tells is not None and not self.wrapped
                defect = _runner_defect(runner, takes_policies=takes_policies)
        except (InputError, KeyboardInterrupt):
            raise
        except BaseException as error:
            if type(self.factory).__module__.startswith("vosbench."):
                raise
            raise InputError(
                f"{self.name} can't be built: {error_text(error)} "
                f"(`vosbench check {self.name} --traceback` shows where)"
            ) from error
        if defect is not None:
            raise InputError(f"{self.name} can't be used: {defect}")
        if self.wrapped:
            runner = Gated(runner)
        runner.spec = self.spec
        made: Runner = runner
        return made

    def decide_by(
        self,
        tau: Decimal | None,
        tau2: Decimal | None = None,
        seed: int = 0,
        switches: Mapping[str, str] | None = None,
    ) -> GatePolicy | None:
        """The policy of the name at these thresholds; None for a model without.

        Raises InputError where thresholds or the argument don't fit, or where the model can't
        tell the policy what it needs.
        """
        if self.policy is None:
            return None
        policy = make_policy(self.policy, tau=tau, tau2=tau2, seed=seed, switches=switches)
        require_told(base_name(self.name), self.spec, self.policy, policy)
        return policy

    def steered(self, options: RunnerOptions, tau2: Decimal | None = None) -> Runner:
        """The runner under its policy at ``options.tau``; as it is for a model without."""
        policy = self.decide_by(options.tau, tau2, options.seed, options.switches)
        runner = self.build(options)
        if policy is None:
            return runner
        assert isinstance(runner, PolicyRunner), "build() made sure of it"
        return steered(runner, policy)


def base_name(name: str) -> str:
    """A model's name without its policy; a ``+`` within a path begins none."""
    return split_policy(name)[0]


def split_policy(name: str) -> tuple[str, str | None]:
    """What precedes the last ``+``, and the policy behind it; None where that can't be one."""
    base, plus, policy = name.rpartition("+")
    return (base, policy) if plus and _POLICY.fullmatch(policy) else (name, None)


def absolute_name(name: str) -> str:
    """The name of the same model in every working folder: paths in it are made absolute.

    Symbolic links stay as they are written.
    """
    base, _, path = name.partition(":")
    if base not in _TAKE_PATHS or not path:
        return name
    with suppress(RuntimeError):  # a home folder that nobody has: an odd name for a folder here
        path = str(FilePath(path).expanduser())
    return f"{base}:{os.path.abspath(path)}"  # noqa: PTH100 - pathlib keeps `..`


def resolve(name: str) -> Model:
    """Look a composed name up; raises InputError with the nearest name for unknown ones.

    A path in the name becomes absolute, as the name identifies what was run.
    """
    plain_name(name, "model")
    name = absolute_name(name)
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
    wrapped = policy is not None and spec.tells is None
    if policy is None and spec.tells is not None and Need.P_GATE in spec.tells:
        plain, policy = spec.summary, DEFAULT
        spec = replace(_with_policy(spec, policy), summary=plain)
    elif policy is not None:
        spec = _with_policy(spec, policy)
    return Model(name, replace(spec, name=name), factory, variant, policy, wrapped)


def factory_defect(name: str, factory: Any) -> str | None:
    """Why what is registered as ``name`` is no runner's factory, or None."""
    spec = getattr(factory, "spec", None)
    if not isinstance(spec, RunnerSpec):
        return "it has no 'spec' of type RunnerSpec"
    if spec.name != name:
        return f"it is registered as {name} but its spec says {spec.name!r}"
    strange = [need for need in spec.tells or () if need not in tuple(Need)]
    if strange:
        return f"its spec tells policies of {strange[0]!r}{suggestion(str(strange[0]), Need)}"
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
    stored = factory.spec.predicts_early  # nothing to be gated there
    path, policy = (argument, None) if stored else _path_and_policy(argument)
    if not path:
        raise InputError(f"{base} needs an argument: write {base}:{takes}")
    bound: RunnerFactory = factory.bind(path)
    spec = bound.spec if policy is None else _with_policy(bound.spec, policy)
    return Model(name, replace(spec, name=name), bound, policy=policy, wrapped=policy is not None)


def _path_and_policy(argument: str) -> tuple[str, str | None]:
    """A policy behind the last ``+``, unless all of the argument is there as a path."""
    return (argument, None) if FilePath(argument).exists() else split_policy(argument)


def _runner_defect(runner: Any, *, takes_policies: bool) -> str | None:
    wanted = ["load", "start", "add_objects", "step"]
    wanted += ["walk", "sharing_key"] if takes_policies else []
    lacking = [name for name in wanted if not hasattr(runner, name)]
    if lacking:
        return f"what it builds has no method '{lacking[0]}'"
    if not isinstance(getattr(runner, "weights", None), WeightsInfo):
        return "what it builds has no 'weights' of type WeightsInfo"
    return None


def _with_policy(spec: RunnerSpec, text: str) -> RunnerSpec:
    factory = policy_factory(text.partition(":")[0])
    if spec.tells is None:
        spec = gated_spec(spec)
        require_told(spec.name, spec, text, factory)
    return with_policy(spec, factory.spec)
