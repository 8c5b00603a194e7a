"""``masks:DIR``: somebody's predicted masks, read from ``DIR/<sequence>/<frame>.png``.

So that results of a model that nobody here can run land in the store and in its tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np

from vosbench.baselines.errors import InputError
from vosbench.baselines.files import PICTURE_BYTES, read_regular
from vosbench.baselines.parsing import user_path
from vosbench.harness.datasets.labels import LABEL_SUFFIXES
from vosbench.harness.datasets.layout import child, frame_files
from vosbench.harness.datasets.objects import merged, present_ids, without
from vosbench.harness.datasets.overlap import Mask, Masks, Overlapping, flat
from vosbench.harness.datasets.predictions import (
    Files,
    all_predictions,
    object_prediction_files,
    prediction_files,
    read_prediction,
)
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
class MasksFactory:
    """The factory of one folder; without one, what ``vosbench models`` lists."""

    spec: RunnerSpec
    folder: FilePath | None = None

    def bind(self, argument: str) -> MasksFactory:
        """The factory for a folder; raises InputError if there is none or it has no PNGs."""
        folder = user_path(argument)
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder: masks:DIR wants DIR/<sequence>/<frame>.png"
            )
        return replace(self, folder=folder)

    def __call__(self, options: RunnerOptions) -> MasksRunner:  # noqa: ARG002 - there are none
        """Build the runner; options say nothing to it."""
        if self.folder is None:
            raise InputError("masks needs a folder: write masks:DIR")
        return MasksRunner(self.spec, self.folder)


MASKS = MasksFactory(
    RunnerSpec(
        name="masks",
        version="2",
        summary="masks:DIR, somebody's predictions: DIR/<sequence>/<frame>.png",
        takes_weights=False,
        predicts_early=True,
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
        self._files: tuple[Files | None, ...] = ()
        self._objects: tuple[int, ...] = ()
        self._given: dict[int, Mask] = {}

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
        self._given = {i: mask.cpu().numpy() > 0 for i, mask in masks.items()}

    def step(self, frame: Frame, spans: Spans) -> Step:  # noqa: ARG002 - there are no stages
        """Read the frame's label map; raises InputError for a bad file or unknown ids."""
        import torch

        given, self._given = self._given, {}
        before, self._objects = self._objects, (*self._objects, *given)
        told = [ObjectStep(i, Path.FULL) for i in before]
        told += [ObjectStep(i, Path.INIT) for i in given]
        masks = self._predicted(frame.index, before, given)
        shape = (int(frame.image.shape[1]), int(frame.image.shape[2]))
        if self._clip is not None and self._clip.object_names:
            shown = _with_given_masks(masks, given, shape)
            tensors = {i: torch.from_numpy(m).to(self._device) for i, m in shown.masks.items()}
            return Step(torch.from_numpy(shown.flat()).to(self._device), tuple(told), tensors)
        labels = np.zeros(shape, np.uint8) if masks is None else flat(masks)
        if masks is not None and self._clip is not None:
            # What counts from the beginning is replayed also where its mask is given.
            given = {i: mask for i, mask in given.items() if i not in self._clip.ungiven}
        labels = without(labels, tuple(given)) if given else labels
        for object_id, mask in given.items():
            labels[mask & (labels == 0)] = object_id
        return Step(torch.from_numpy(labels).to(self._device), tuple(told))

    def _predicted(self, t: int, before: Collection[int], given: Collection[int]) -> Masks | None:
        clip = self._clip
        if clip is None:
            raise RuntimeError("no sequence was started: call start() first")
        files = self._files[t]
        if files is None or not (before or clip.ungiven):
            return None
        size = (clip.height, clip.width)
        masks = read_prediction(files, size)
        if isinstance(masks, Overlapping):
            return masks
        if masks.shape != size:
            height, width = masks.shape
            raise InputError(
                f"{files}: {width}x{height} pixels, the frame has {clip.width}x{clip.height}: "
                "predict at the frame's size"
            )
        if clip.merged:
            return merged(masks)
        known = {*before, *given, *clip.ungiven}
        strange = present_ids(masks) - known
        unknown = strange - clip.ignored
        counts = not clip.wanted or any(t in frames for frames in clip.wanted.values())
        if unknown and counts:
            raise InputError(
                f"{files}: label {min(unknown)} is no object so far; the objects of {clip.name} "
                f"are {', '.join(map(str, sorted(known)))}"
            )
        return without(masks, strange) if strange else masks


def _with_given_masks(
    masks: Masks | None, given: Mapping[int, Mask], size: tuple[int, int]
) -> Overlapping:
    """The predictions, and given masks where there are none."""
    predicted = masks.masks if isinstance(masks, Overlapping) else {}
    return Overlapping(size, {**given, **predicted})


def _frame_files(folder: FilePath, clip: ClipInfo) -> tuple[Files | None, ...]:
    """What is predicted in each frame; None where nothing is that counts.

    By the frames' names, or in order where they have none.
    """
    if not clip.frame_names:
        place = child(folder, clip.name)
        present = frame_files(place, LABEL_SUFFIXES)
        if len(present) != clip.frames:
            raise InputError(
                f"{place}: {len(present)} PNGs for {clip.frames} frames: predict every frame"
            )
        return tuple(present.values())
    names = clip.frame_names
    found: Mapping[str, Files]
    if clip.object_names:
        by_object = {i: [names[t] for t in ts] for i, ts in clip.wanted.items()}
        found = object_prediction_files(folder, clip.name, clip.object_names, by_object)
    else:
        counted = {t for frames in clip.wanted.values() for t in frames}
        # The first frame's mask is given, and many models write none.
        wanted = [names[t] for t in range(1, len(names)) if not counted or t in counted]
        found = dict(prediction_files(folder, clip.name, wanted))
        others = frame_files(child(folder, clip.name), LABEL_SUFFIXES)
        found |= {name: path for name, path in others.items() if name in names[1:]}
    return tuple(found.get(name) for name in names)


def _files_sha256(folder: FilePath) -> str:
    """Hash over names and bytes of all ``<sequence>/<frame>.png``; raises InputError for none."""
    digest = hashlib.sha256()
    found = list(all_predictions(folder))
    if not found:
        raise InputError(
            f"{folder}: no <sequence>/<frame>.png in it: masks:DIR wants predicted masks"
        )
    for name, path in found:
        content = hashlib.sha256(read_regular(path, PICTURE_BYTES, "a mask")).hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
