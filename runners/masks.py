"""``masks:DIR``: somebody's predicted masks, read from ``DIR/<clip>/<frame>.png``.

So that results of a model that nobody here can run land in the store and in its tables.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosbench.baselines.errors import InputError
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

Labels = NDArray[np.uint8]

_LABEL_MODES = frozenset({"P", "L", "1"})
_BIT_DEPTH = 24
"""Where a PNG file keeps its bits per pixel."""


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
        version="1",
        summary="masks:DIR, somebody's predictions: DIR/<clip>/<frame>.png",
        takes_weights=False,
        argument="DIR",
    )
)


class MasksRunner:
    """Replays label maps; its weights are the files.

    In an object's first frame the given mask is the result, as for every runner. Where a dataset
    merges all objects to one, any label but 0 is that object.
    """

    def __init__(self, spec: RunnerSpec, folder: FilePath) -> None:
        self.spec = spec
        self._folder = folder
        self.weights = WeightsInfo(folder.resolve().name, _files_sha256(folder), trained=True)
        self._device: torch.device | None = None
        self._clip: ClipInfo | None = None
        self._files: tuple[FilePath, ...] = ()
        self._objects: tuple[int, ...] = ()
        self._given: dict[int, Labels] = {}

    def load(self, device: torch.device, precision: Precision) -> None:  # noqa: ARG002
        """Note where labels go."""
        self._device = device

    def start(self, clip: ClipInfo) -> None:
        """Find the clip's files; raises InputError if any is missing."""
        self._clip = clip
        self._files = _frame_files(self._folder / clip.name, clip)
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
        for object_id, mask in self._given.items():
            labels[labels == object_id] = 0
            labels[mask > 0] = object_id
        self._objects, self._given = (*before, *new), {}
        told = [ObjectStep(i, Path.FULL) for i in before] + [ObjectStep(i, Path.INIT) for i in new]
        return Step(torch.from_numpy(labels).to(self._device), tuple(told))

    def _predicted(self, t: int) -> Labels:
        clip = self._clip
        if clip is None:
            raise RuntimeError("no clip was started: call start() first")
        path = self._files[t]
        labels = read_label_png(path)
        if labels.shape != (clip.height, clip.width):
            height, width = labels.shape
            raise InputError(
                f"{path}: {width}x{height} pixels, the frame has {clip.width}x{clip.height}: "
                "predict at the frame's size"
            )
        if clip.merged:
            return np.minimum(labels, np.uint8(1))
        known = {*self._objects, *self._given}
        strange = sorted(set(np.unique(labels).tolist()) - {0, *known})
        if strange:
            raise InputError(
                f"{path}: label {strange[0]} is no object so far; the objects of {clip.name} "
                f"are {', '.join(map(str, sorted(known)))}"
            )
        return labels


def read_label_png(path: FilePath) -> Labels:
    """Palette indices or grey values of a PNG of at most 8 bits, uint8 (H, W).

    Raises InputError if the file is missing, damaged, or holds colours.
    """
    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode not in _LABEL_MODES:
                raise InputError(
                    f"{path}: pixels of mode {image.mode}, not object ids: save masks as 8-bit "
                    "palette or grey PNGs"
                )
            labels = np.array(image, np.uint8)
            if image.mode == "L":  # Pillow stretches 2 and 4 bits of grey to 8
                labels //= 255 // (2 ** min(8, data[_BIT_DEPTH]) - 1)
            return labels
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file: predict every frame") from None
    # Pillow's decoder raises all of these for damaged files.
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: can't be read as PNG ({said}): write it anew") from error


def _frame_files(folder: FilePath, clip: ClipInfo) -> tuple[FilePath, ...]:
    """One file per frame: by the frames' names, or in order where they have none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder: masks are needed for every clip that is run")
    present = sorted(path.name for path in folder.glob("*.png"))
    if not clip.frame_names:
        if len(present) != clip.frames:
            raise InputError(
                f"{folder}: {len(present)} PNGs for {clip.frames} frames: predict every frame"
            )
        return tuple(folder / name for name in present)
    wanted = [f"{name}.png" for name in clip.frame_names]
    # The first frame's mask is given, and many models write none.
    missing = sorted(set(wanted[1:]) - set(present))
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} of {len(wanted)} frames, first {missing[0]}: "
            "predict every frame"
        )
    return tuple(folder / name for name in wanted)


def _files_sha256(folder: FilePath) -> str:
    """Hash over names and bytes of all ``<clip>/<frame>.png``; raises InputError for none."""
    digest = hashlib.sha256()
    found = sorted(folder.glob("*/*.png"), key=lambda path: path.relative_to(folder).parts)
    if not found:
        raise InputError(f"{folder}: no <clip>/<frame>.png in it: masks:DIR wants predicted masks")
    for path in found:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.parent.name}/{path.name}\0{content}\n".encode())
    return digest.hexdigest()
