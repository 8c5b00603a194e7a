"""Policies by name, through the entry-point group ``vosbench.policies``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from vosbench.baselines.errors import InputError
from vosbench.runners.interface import RunnerSpec
from vosbench.runners.plugins import Registry
from vosbench.runners.policy import (
    GatePolicy,
    Need,
    Path,
    PolicyFactory,
    PolicySettings,
    PolicySpec,
)

POLICIES = Registry("vosbench.policies", "policy")

DEFAULT = "learned"
"""The policy of a model with a gate whose name names none."""

_TOLD_AS = {
    Need.P_GATE: "P_gate",
    Need.DELTA: "the size of Δ",
    Need.AREA: "the previous label's area",
    Need.PIXELS: "pixels",
    Need.MASKS: "the previous label",
    Need.TRUTH: "annotated masks",
}


def policy_factory(name: str) -> PolicyFactory:
    """The factory registered as ``name``.

    Raises InputError if it is unknown (with the nearest name), taken twice, or broken.
    """
    made: PolicyFactory = POLICIES.get(name)
    defect = policy_defect(name, made)
    if defect is not None:
        raise InputError(f"policy '{name}' can't be used: {defect}")
    return made


def policy_defect(name: str, made: Any) -> str | None:
    """Why what is registered as ``name`` is no policy, or None."""
    spec = getattr(made, "spec", None)
    if not callable(made) or not isinstance(spec, PolicySpec):
        return "it is no policy: that has a PolicySpec named spec and can be called"
    if spec.name != name:
        return f"it is registered as {name} but its spec says {spec.name!r}"
    if bool(spec.argument) != bool(spec.examples):
        return "its spec needs examples of its argument, and only then"
    if spec.colour and not re.fullmatch("#[0-9a-fA-F]{6}", spec.colour):
        return f"its spec's colour is {spec.colour!r}: write #rrggbb"
    strange = [path for path in spec.paths if path not in (Path.FULL, Path.REUSE, Path.COPY)]
    if strange or not spec.paths:
        return "its spec's paths are to be some of FULL, REUSE and COPY"
    return None


def make_policy(
    written: str,
    *,
    tau: Decimal | None = None,
    tau2: Decimal | None = None,
    seed: int = 0,
    switches: Mapping[str, str] | None = None,
) -> GatePolicy:
    """Build the policy that is written ``NAME`` or ``NAME:ARGUMENT``.

    Raises InputError for unknown names, missing thresholds and bad arguments, and for a plug-in
    that fails to build one.
    """
    name, _, argument = written.partition(":")
    factory = policy_factory(name)
    spec = factory.spec
    if bool(spec.argument) != bool(argument):
        raise InputError(
            f"'{written}': write {name}:{spec.argument}, e.g. {name}:{spec.examples[0]}"
            if spec.argument
            else f"'{written}': the policy {name} takes no argument"
        )
    try:
        policy = factory(PolicySettings(written, argument, tau, tau2, seed, switches or {}))
    except InputError:
        raise
    except Exception as error:
        if type(factory).__module__.startswith("vosbench."):
            raise
        raise InputError(
            f"policy {written} can't be built: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(getattr(policy, "spec", None), PolicySpec) or not hasattr(policy, "decide"):
        raise InputError(f"policy {written} can't be used: it lacks a 'spec' or a 'decide'")
    return policy


def require_told(
    model: str, spec: RunnerSpec, written: str, policy: GatePolicy | PolicyFactory
) -> None:
    """Raise InputError unless the model can tell the policy all that it needs."""
    lacking = sorted(policy.spec.needs - (spec.tells or frozenset()))
    if lacking:
        raise InputError(
            f"{model}: the policy {written} decides by {_TOLD_AS[lacking[0]]}, "
            "which this model can't tell"
        )


def fitting(spec: RunnerSpec) -> tuple[str, ...]:
    """Policies that a model takes, as they may be written behind its ``+``; broken ones aside."""
    if spec.tells is None:
        return ()
    found = []
    for name, plugin in POLICIES.plugins().items():
        if plugin.problem is None and policy_defect(name, plugin.value) is None:
            found += [text for text in examples(plugin.value.spec) if _fits(spec, text)]
    return tuple(found)


def examples(spec: PolicySpec) -> tuple[str, ...]:
    """Ways to write a policy."""
    return tuple(f"{spec.name}:{each}" for each in spec.examples) or (spec.name,)


def _fits(spec: RunnerSpec, written: str) -> bool:
    try:
        policy = make_policy(written, tau=Decimal("0.5"))
        require_told(spec.name, spec, written, policy)
        with_policy(spec, policy.spec)
    except InputError:
        return False
    return True


def with_policy(spec: RunnerSpec, policy: PolicySpec) -> RunnerSpec:
    """What a model is under a policy; raises InputError where it can't take the policy's paths."""
    cheap = Path.REUSE if Path.REUSE in spec.paths else Path.COPY
    paths = frozenset(cheap if path is Path.REUSE else path for path in policy.paths)
    if not paths <= spec.paths:
        lacking = ", ".join(sorted(paths - spec.paths))
        raise InputError(
            f"{spec.name} has no path '{lacking}', which the policy {policy.name} takes"
        )
    return replace(
        spec,
        summary=f"{spec.summary}; {policy.summary}",
        takes_tau=policy.takes_tau,
        takes_tau2=policy.takes_tau2,
        needs_truth=Need.TRUTH in policy.needs,
        paths=paths,
    )
