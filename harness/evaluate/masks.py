"""``masks:DIR``: somebody's predicted masks, read from ``DIR/<clip>/<frame>.png``.

So that results of a model that nobody here can run land in the store and in its tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, read_regular
from vosbench.harness.datasets.labels import LABEL_SUFFIXES, Labels, read_labels
from vosbench.harness.datasets.layout import child, frame_files
from vosbench.harness.datasets.objects import merged, present_ids, without
from vosbench.harness.datasets.predictions import all_predictions, prediction_files
from vosbench.runners.interface import (
    ClipInfo,
    Frame,
    ObjectStep,
    Path,
    Precision,
    RunnerOptions,
    RunnerSpec,
    Spans,
    Step,
    WeightsInfo,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Masks:
    """The factory of one folder; without one, what ``vosbench models`` lists."""

    spec: RunnerSpec
    folder: FilePath | None = None

    def bind(self, argument: str) -> Masks:
        """The factory for a folder; raises InputError if there is none or it has no PNGs."""
        folder = FilePath(argument).expanduser()
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder: masks:DIR wants DIR/<clip>/<frame>.png")
        return replace(self, folder=folder)

    def __call__(self, options: RunnerOptions) -> MasksRunner:  # noqa: ARG002 - there are none
        """Build the runner; options say nothing to it."""
        if self.folder is None:
            raise InputError("masks needs a folder: write masks:DIR")
        return MasksRunner(self.spec, self.folder)


MASKS = Masks(
    RunnerSpec(
        name="masks",
        version="2",
        summary="masks:DIR, somebody's predictions: DIR/<clip>/<frame>.png",
        takes_weights=False,
        argument="DIR",
    )
)


class MasksRunner:
    """Replays label maps; its weights are the files.

    What ``vosbench eval`` counts of the files is counted here: an object's given mask takes what
    the prediction of its first frame leaves free, and that frame doesn't count for the object.
    """

    def __init__(self, spec: RunnerSpec, folder: FilePath) -> None:
        self.spec = spec
        self._folder = folder
        self.weights = WeightsInfo(folder.resolve().name, _files_sha256(folder), trained=True)
        self._device: torch.device | None = None
        self._clip: ClipInfo | None = None
        self._files: tuple[FilePath | None, ...] = ()
        self._objects: tuple[int, ...] = ()
        self._given: dict[int, Labels] = {}

    def load(self, device: torch.device, precision: Precision) -> None:  # noqa: ARG002
        """Note where labels go."""
        self._device = device

    def start(self, clip: ClipInfo) -> None:
        """Find the clip's files; raises InputError if any is missing."""
        self._clip = clip
        self._files = _frame_files(self._folder, clip)
        self._objects, self._given = (), {}

    def add_objects(self, frame: Frame, masks: Mapping[int, torch.Tensor]) -> None:  # noqa: ARG002
        """Take note of objects; their masks are the result in their first frame."""
        self._given = {i: mask.cpu().numpy().astype(np.uint8) for i, mask in masks.items()}

    def step(self, frame: Frame, spans: Spans) -> Step:  # noqa: ARG002 - there are no stages
        """Read the frame's label map; raises InputError for a bad file or unknown ids."""
        import torch

        before, new = self._objects, tuple(self._given)
        labels = self._predicted(frame.index) if before else None
        if labels is None:
            labels = np.zeros(tuple(frame.image.shape[1:]), np.uint8)
        labels = without(labels, new)
        for object_id, mask in self._given.items():
            labels[(mask > 0) & (labels == 0)] = object_id
        self._objects, self._given = (*before, *new), {}
        told = [ObjectStep(i, Path.FULL) for i in before] + [ObjectStep(i, Path.INIT) for i in new]
        return Step(torch.from_numpy(labels).to(self._device), tuple(told))

    def _predicted(self, t: int) -> Labels:
        clip = self._clip
        if clip is None:
            raise RuntimeError("no clip was started: call start() first")
        path = self._files[t]
        assert path is not None, "nothing is predicted in the first frame"
        labels = read_labels(path)
        if labels.shape != (clip.height, clip.width):
            height, width = labels.shape
            raise InputError(
                f"{path}: {width}x{height} pixels, the frame has {clip.width}x{clip.height}: "
                "predict at the frame's size"
            )
        if clip.merged:
            return merged(labels)
        known = {*self._objects, *self._given, *clip.ungiven}
        strange = present_ids(labels) - known
        unknown = strange - clip.ignored
        if unknown:
            raise InputError(
                f"{path}: label {min(unknown)} is no object so far; the objects of {clip.name} "
                f"are {', '.join(map(str, sorted(known)))}"
            )
        return without(labels, strange) if strange else labels


def _frame_files(folder: FilePath, clip: ClipInfo) -> tuple[FilePath | None, ...]:
    """One file per frame: by the frames' names, or in order where they have none."""
    if not clip.frame_names:
        place = child(folder, clip.name)
        present = frame_files(place, LABEL_SUFFIXES)
        if len(present) != clip.frames:
            raise InputError(
                f"{place}: {len(present)} PNGs for {clip.frames} frames: predict every frame"
            )
        return tuple(present.values())
    # The first frame's mask is given, and many models write none.
    wanted = clip.frame_names[1:]
    found = prediction_files(folder, clip.name, wanted)
    return None, *(found[name] for name in wanted)


def _files_sha256(folder: FilePath) -> str:
    """Hash over names and bytes of all ``<clip>/<frame>.png``; raises InputError for none."""
    digest = hashlib.sha256()
    found = list(all_predictions(folder))
    if not found:
        raise InputError(f"{folder}: no <clip>/<frame>.png in it: masks:DIR wants predicted masks")
    for name, path in found:
        content = hashlib.sha256(read_regular(path, PICTURE_BYTES, "a mask")).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
