"""Which frames count for which object: each protocol by its name, which is stored with results.

``docs/data.md`` says what each one counts, with an example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.objects import (
    all_as_one,
    as_they_appear,
    of_the_first_mask,
    of_the_first_mask_others_ignored,
)
from vosbench.harness.datasets.plan import ScoringPlan

if TYPE_CHECKING:
    from vosbench.harness.datasets.clip import Clip

Frames = Mapping[int, tuple[int, ...]]
"""By object id, the indices of the frames that count."""


@dataclass(frozen=True)
class Protocol:
    """What the numbers of a result mean; results of different protocols are never compared.

    Attributes:
        name: with a version, ``davis16-val@1``.
        counts: in a line, which frames count for which object.
        objects: a sequence as the protocol sees it, from the objects that its masks show.
        frames: the frames that count, of a sequence as ``objects`` gave it.
        measures: name of what is measured (:mod:`vosbench.harness.metrics.measures`).
    """

    name: str
    counts: str
    objects: Callable[[Clip], Clip]
    frames: Callable[[Clip], Frames]
    measures: str = "davis"

    def plan(self, clip: Clip) -> ScoringPlan:
        """What is scored of a sequence as ``objects`` gave it; nothing, where nothing can be."""
        frames = self.frames(clip)
        reason = None
        if clip.first_masks_only:
            reason = "its annotations are the objects' first masks alone"
        elif not any(frames.values()):
            annotated = len(clip.annotation_paths)
            reason = (
                f"{annotated} of {len(clip)} frames annotated, and none of them counts by "
                f"{self.name} ({self.counts})"
            )
        if reason is not None:
            frames = dict.fromkeys(frames, ())
        return ScoringPlan(frames, clip.merge_objects, clip.ignored_ids, reason, self.measures)


def _between(clip: Clip) -> Frames:
    return dict.fromkeys(clip.scored_ids, tuple(sorted(clip.annotation_paths)[1:-1]))


def _after_the_first(clip: Clip) -> Frames:
    annotated = sorted(clip.annotation_paths)
    return {i: tuple(t for t in annotated if t > first) for i, first in clip.objects.items()}


def _after_the_first_but_the_last(clip: Clip) -> Frames:
    last = len(clip) - 1
    return {i: tuple(t for t in ts if t < last) for i, ts in _after_the_first(clip).items()}


def _as_files_say(clip: Clip) -> Frames:
    assert clip.counted is not None, "its dataset reads the frames that count from files"
    return clip.counted


_BETWEEN = "all annotated frames but the first and the last"
DAVIS16 = Protocol("davis16-val@1", f"{_BETWEEN}, all objects as one", all_as_one, _between)
DAVIS17 = Protocol(
    "davis17-val@1",
    f"{_BETWEEN}, for each id up to the largest of the first mask",
    of_the_first_mask,
    _between,
)
YTVOS = Protocol(
    "ytvos@1",
    "the annotated frames after an object's first one",
    as_they_appear,
    _after_the_first,
    measures="ytvos",
)
OWN_CLIPS = Protocol(
    "own-clips@1",
    "the annotated frames after an object's first one, but the sequence's last",
    as_they_appear,
    _after_the_first_but_the_last,
)
MOSEV2 = Protocol(
    "mosev2@1",
    f"{_BETWEEN}, for each object of meta.json, whether it is there or not",
    as_they_appear,
    _between,
    measures="mosev2",
)
LVOS = Protocol(
    "lvos@1",
    "every fifth frame of an object's range in the meta file, but its first and its last",
    as_they_appear,
    _as_files_say,
    measures="lvos",
)
VOST = Protocol(
    "vost@1",
    f"{_BETWEEN}, for each id up to the largest of the first mask",
    of_the_first_mask_others_ignored,
    _between,
    measures="vost",
)
SAV = Protocol(
    "sav@1",
    "an object's annotated frames but its first and last, from the one on in which truth or "
    "prediction shows it",
    as_they_appear,
    _as_files_say,
    measures="sav",
)

OF_LAYOUTS = (OWN_CLIPS, DAVIS16, DAVIS17, YTVOS)
"""What own sequences can be scored by, the default first."""


def named(protocol: Protocol, name: str) -> Protocol:
    """The same rules under the name of another set of sequences."""
    return replace(protocol, name=name)


def choose(dataset: str, choices: tuple[Protocol, ...], name: str | None) -> Protocol:
    """The protocol of that name, with its version or without; the first one for None.

    Raises:
        InputError: the dataset can't be scored by it; says by what it can be.
    """
    if name is None:
        return choices[0]
    found = {p.name: p for p in choices} | {p.name.partition("@")[0]: p for p in choices}
    if name not in found:
        known = ", ".join(dict.fromkeys(p.name for p in choices))
        raise InputError(
            f"{dataset} isn't scored by protocol '{name}': --protocol takes {known} here"
        )
    return found[name]
