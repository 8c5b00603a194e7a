"""What the registry of policies knows of those whose names stand in results."""

from __future__ import annotations

from functools import cache

from vosbench.baselines.errors import InputError
from vosbench.runners.policy import PolicySpec
from vosbench.runners.policy_registry import policy_factory


@cache
def policy_spec(name: str) -> PolicySpec | None:
    """The spec of a policy, by its name without argument; None for one that isn't installed."""
    try:
        return policy_factory(name).spec
    except InputError:
        return None


def split_argument(policy: str, argument: str) -> tuple[str, str]:
    """What of a policy's argument names a curve, and what names a point of it.

    The argument of a policy without threshold takes the place of τ, up to the next colon:
    ``budget:0.4:delta`` is the point 0.4 of the curve ``budget:delta``. Where the argument is a
    policy itself, its own is taken apart.
    """
    spec = policy_spec(policy)
    if spec is not None and spec.argument == "POLICY":
        inner, _, further = argument.partition(":")
        rest, point = split_argument(inner, further)
        return f"{inner}:{rest}" if rest else inner, point
    if spec is None or spec.takes_tau or not argument:
        return argument, ""
    point, _, rest = argument.partition(":")
    return rest, point
