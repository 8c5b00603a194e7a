"""From what was measured in frames to the figures of objects, sequences and sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from vosbench.harness.metrics.measures import MEASURES, Figures, ObjectFigures
from vosbench.harness.metrics.scorer import SequenceScores

UnseenOf = Callable[[str], frozenset[int] | None]
"""The objects of a sequence whose classes are unseen in training; None if unknown."""


def object_figures(
    sequences: Iterable[SequenceScores], unseen_of: UnseenOf = lambda _: None
) -> tuple[ObjectFigures, ...]:
    """The figures of every object, in the order given."""
    found = []
    for sequence in sequences:
        unseen = unseen_of(sequence.name)
        for scores in sequence.objects:
            figures = MEASURES[sequence.measures].figures(scores.series)
            is_unseen = None if unseen is None else scores.object_id in unseen
            found.append(ObjectFigures(sequence.name, scores.object_id, is_unseen, figures))
    return tuple(found)


def summarise(sequences: Sequence[SequenceScores], unseen_of: UnseenOf = lambda _: None) -> Figures:
    """The figures of a set of sequences, all measured alike.

    Raises:
        ValueError: no object has a frame that counts.
    """
    if not any(len(o.frames) for sequence in sequences for o in sequence.objects):
        raise ValueError("no object has a frame that counts")
    measures = MEASURES[sequences[0].measures]
    return measures.summary(object_figures(sequences, unseen_of))


def all_equal_warning(sequences: Iterable[SequenceScores]) -> str | None:
    """One line if every frame of every object scores the same, which real predictions don't."""
    objects = [o for s in sequences for o in s.objects if len(o.frames)]
    names = [name for name in ("j", "f") if all(name in o.series for o in objects)]
    rows = [np.stack([o.series[name] for name in names], axis=1) for o in objects]
    values = np.concatenate(rows or [np.empty((0, len(names)))])
    if len(values) < 2 or not (values == values[0]).all():
        return None
    equal = ", ".join(f"{name.upper()} {v:.3f}" for name, v in zip(names, values[0], strict=True))
    return (
        f"all {len(values)} scores are equal ({equal}): "
        "check that the predictions are of these sequences, and not empty or the annotations"
    )
