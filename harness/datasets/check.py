"""``vosbench data check``: reads every file of a dataset and says what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.dataset import Dataset
from vosbench.harness.datasets.labels import label_colours
from vosbench.harness.datasets.manifest import manifest_sha256
from vosbench.harness.datasets.outlook import Outlook, outlook
from vosbench.harness.datasets.palette import label_palette


@dataclass(frozen=True)
class Defect:
    """A defect: the sequence it is in and one line that says what it is."""

    sequence: str
    message: str


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes:
        dataset, protocol, root: what was checked.
        sequences, frames, annotations, objects: how many were read.
        problems: defects that make a sequence unusable.
        remarks: what differs from the usual without harm, a palette of other colours.
        outlooks: what will be made of each sequence that can be run.
        manifest_sha256: hash over everything; None if there are problems.
    """

    dataset: str
    protocol: str
    root: Path
    sequences: int
    frames: int
    annotations: int
    objects: int
    problems: tuple[Defect, ...]
    remarks: tuple[Defect, ...]
    outlooks: tuple[Outlook, ...]
    manifest_sha256: str | None


def check(
    dataset: Dataset,
    sequences: Sequence[str] | None = None,
    on_sequence: Callable[[str], None] | None = None,
) -> CheckReport:
    """Read every frame and annotation of ``dataset`` (or of ``sequences``) and report.

    ``on_sequence`` is called with a sequence's name when it has been read. Damaged data is
    reported, not raised; an unknown sequence raises InputError.
    """
    selection = dataset.select(sequences)
    clips: list[Clip] = []
    problems: list[Defect] = []
    remarks: list[Defect] = []
    outlooks: list[Outlook] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in selection.sequences:
            try:
                clip = selection.clip(name)
            except InputError as error:
                problems.append(Defect(name, str(error)))
            else:
                clips.append(clip)
                problems += _clip_problems(dataset, clip, pool)
                seen = outlook(dataset, clip, pool)
                outlooks.append(seen)
                remarks += [Defect(name, line) for line in seen.remarks]
                remarks += _palette_remarks(clip)
            if on_sequence is not None:
                on_sequence(name)
    return CheckReport(
        dataset=dataset.name,
        protocol=dataset.protocol.name,
        root=dataset.root,
        sequences=len(clips),
        frames=sum(len(clip) for clip in clips),
        annotations=sum(len(clip.annotation_paths) for clip in clips),
        objects=sum(len(clip.objects) for clip in clips),
        problems=tuple(problems),
        remarks=tuple(remarks),
        outlooks=tuple(outlooks),
        manifest_sha256=None if problems else manifest_sha256(clips, dataset.content_hash),
    )


def _clip_problems(dataset: Dataset, clip: Clip, pool: ThreadPoolExecutor) -> list[Defect]:
    unfit = _messages(clip.require_images)
    if not clip.image_paths:
        return [Defect(clip.name, message) for message in unfit]

    def frame(t: int) -> list[str]:
        return _messages(lambda: clip.image(t)) + _messages(lambda: clip.annotation(t))

    messages = unfit + [message for found in pool.map(frame, range(len(clip))) for message in found]
    if not messages:
        # An audit reads the annotations again; damaged ones are reported already.
        messages = list(dataset.audit(clip))
    return [Defect(clip.name, message) for message in messages]


def _messages(read: Callable[[], object]) -> list[str]:
    try:
        read()
    except InputError as error:
        return [str(error)]
    return []


def _palette_remarks(clip: Clip) -> list[Defect]:
    """At most one remark a clip, since annotations of a clip come from one tool."""
    if clip.merge_objects:
        return []
    ids = [0, *clip.object_ids]
    usual = label_palette()[ids]
    for path in clip.annotation_paths.values():
        try:
            colours = label_colours(path)
        except InputError:
            continue
        if colours is None:
            return [
                Defect(clip.name, f"{path}: grey, without a palette; its ids are read as they are")
            ]
        if max(ids) >= len(colours) or not np.array_equal(colours[ids], usual):
            return [Defect(clip.name, f"{path}: its colours are not those of DAVIS; ids count")]
    return []
