"""The order of timing trials in which a drifting machine is as unkind to one side as to another.

A side is a model with its weights. Its repeats don't run in a block: each round runs every side
once, sides of one setting next to each other, and every second round runs backwards (base head,
head base, base head, ...), so that what changes slowly from round to round cancels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from vosbench.harness.trials import Kind, TrialSpec


def interleaved(specs: Iterable[TrialSpec]) -> tuple[TrialSpec, ...]:
    """The same trials: accuracy as it was, then timing round by round.

    Round r holds the trials of repeat r, so that the order of what is left stays the same when
    a sweep is resumed or gets more repeats.
    """
    specs = tuple(specs)
    rounds: dict[int, list[TrialSpec]] = {}
    for spec in specs:
        if spec.kind is Kind.TIMING:
            rounds.setdefault(spec.repeat, []).append(spec)
    ordered = [spec for spec in specs if spec.kind is not Kind.TIMING]
    for repeat in sorted(rounds):
        trials = tuple(_sides_together(rounds[repeat]))
        ordered += trials if repeat % 2 == 0 else reversed(trials)
    return tuple(ordered)


def _sides_together(trials: Iterable[TrialSpec]) -> Iterator[TrialSpec]:
    """Of each selection of clips the first setting of every side, then the second, and so on."""
    selections: dict[tuple[str, str], dict[tuple[str, str], list[TrialSpec]]] = {}
    for spec in trials:
        sides = selections.setdefault((spec.dataset, spec.manifest_sha256), {})
        sides.setdefault((spec.model, spec.weights_sha256), []).append(spec)
    for sides in selections.values():
        for settings in zip_longest(*sides.values()):
            yield from (spec for spec in settings if spec is not None)
