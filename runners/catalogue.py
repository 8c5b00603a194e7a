"""What there is to run: every registered model, described."""

from __future__ import annotations

from dataclasses import dataclass

from vosbench.runners.policy_registry import fitting
from vosbench.runners.registry import RUNNERS, factory_defect


@dataclass(frozen=True)
class Entry:
    """One model of ``vosbench models``.

    Attributes:
        policies: what may follow a ``+``, each with an example of its argument.
        parameters: of the network, as its factory's ``parameters`` says; None where it doesn't.
        weights: variants that come with the package, "default" for the one without a name.
        problem: why it can't be used, or None.
    """

    name: str
    package: str
    summary: str = ""
    backbone: str = ""
    parameters: int | None = None
    paths: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    problem: str | None = None


def catalogue() -> tuple[Entry, ...]:
    """Describe every model, broken ones too."""
    entries = []
    for name, plugin in RUNNERS.plugins().items():
        spec = getattr(plugin.value, "spec", None)
        problem = plugin.problem or factory_defect(name, plugin.value)
        if problem is not None or spec is None:
            entries.append(Entry(name, plugin.package, problem=problem))
            continue
        variants = getattr(plugin.value, "shipped_variants", None)
        entries.append(
            Entry(
                name,
                plugin.package,
                spec.summary,
                spec.backbone,
                getattr(plugin.value, "parameters", None),
                tuple(sorted(str(path) for path in spec.paths)),
                fitting(spec),
                variants() if variants is not None else (),
            )
        )
    return tuple(entries)
