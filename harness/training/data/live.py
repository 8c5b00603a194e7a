"""Clips that no file keeps: drawn by worker processes, encoded on the device, used once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.clips import ClipSource
from vosbench.harness.training.data.encoding import NAMES, EncodedClip, RawClip, raw_clip
from vosbench.harness.training.data.pool import ClipPool
from vosbench.harness.training.device import as_it_is


@dataclass
class _Present:
    """The clips of the step that training is at, and where those of later steps come from."""

    first: int = 0
    clips: dict[int, EncodedClip] = field(default_factory=dict)
    masks: dict[int, Tensor] = field(default_factory=dict)  # bool (T, H, W), on the CPU
    coming: Iterator[list[tuple[int, RawClip | str]]] | None = None


@dataclass(frozen=True)
class _Drawing(Dataset[tuple[int, RawClip | str]]):
    """What a worker process draws; what can't be drawn comes back as the reason why."""

    source: ClipSource
    first_seed: int
    encoder_seed: int

    def __getitem__(self, index: int) -> tuple[int, RawClip | str]:
        try:
            clip = self.source.draw(self.first_seed + index)
        except InputError as error:
            return index, str(error)
        return index, raw_clip(clip, self.encoder_seed)


@dataclass(frozen=True)
class LivePool(ClipPool):
    """A pool whose clips live for one step: each step takes the next ones of its source.

    Which clips a step takes depends on the step alone, and so does how they are batched on the
    device, so a stopped training goes on with the same ones.
    """

    present: _Present = field(default_factory=_Present, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Hash of all that the encoded clips depend on."""
        parts = [self.source.sha256, self.encoder.sha256, str(self.first_seed), "live"]
        return hashlib.sha256("/".join(parts).encode()).hexdigest()

    def choose(self, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:  # noqa: ARG002
        """The step's clips, each new."""
        return np.arange(self.present.first, self.present.first + batch)

    @contextmanager
    def feeding(self, batches: Iterable[list[int]], workers: int) -> Iterator[None]:
        """Within it, workers draw the clips of each step ahead."""
        more: dict[str, Any] = {"multiprocessing_context": "spawn"} if workers else {}
        loader = DataLoader(
            _Drawing(self.source, self.first_seed, self.encoder.seed),
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=list,
            worker_init_fn=_alone,
            pin_memory=self.encoder.device.type == "cuda",
            generator=torch.Generator(),  # its draw from the global one would be felt elsewhere
            **more,
        )
        self.present.coming = iter(loader)
        try:
            yield
        finally:
            self.present.coming = None
            self._forget()

    def advance(self, step: int, first: int = 0) -> None:  # noqa: ARG002
        """Take the step's clips from the workers and encode them together."""
        self.present.first = first
        self._forget()
        if self.present.coming is None:
            return
        with self.waited.running():
            drawn = next(self.present.coming)
        raw = {index: _checked(clip) for index, clip in drawn}
        encoded = self.encoder.encode_all(list(raw.values()))
        self.present.clips.update(zip(raw, encoded, strict=True))
        self.present.masks.update((index, clip.masks) for index, clip in raw.items())

    def _forget(self) -> None:
        self.present.clips.clear()
        self.present.masks.clear()

    @as_it_is()
    def stored(self, index: int, frames: Sequence[int]) -> EncodedClip:
        """Frames of a clip, on the encoder's device; one of another step is made for this alone."""
        clip = self.present.clips.get(index)
        if clip is None:
            raw = raw_clip(self.source.draw(self.first_seed + index), self.encoder.seed)
            (clip,) = self.encoder.encode_all([raw])
        return EncodedClip(*(torch.stack([getattr(clip, n)[t] for t in frames]) for n in NAMES))

    @as_it_is()
    def masks(self, index: int, frames: Sequence[int]) -> Tensor:
        """Masks alone, float32 (T, 1, H, W), 0 or 1, on the CPU."""
        masks = self.present.masks.get(index)
        if masks is None:
            masks = torch.from_numpy(self.source.draw(self.first_seed + index).masks)
        return masks[list(frames), None].float()

    @cached_property
    def frames(self) -> int:
        """Frames of a clip."""
        return len(self.source.draw(self.first_seed).masks)


def _checked(clip: RawClip | str) -> RawClip:
    if isinstance(clip, str):
        raise InputError(clip)
    return clip


def _alone(worker: int) -> None:  # noqa: ARG001
    """Workers share the cores with each other: one thread each."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
