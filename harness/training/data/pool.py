"""Encoded clips on disk, a fixed number or a stream; what is missing is made when it is read."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vosbench.baselines.atomic import replacing
from vosbench.harness.training.data.clips import ClipSource
from vosbench.harness.training.data.encoding import (
    NAMES,
    EncodedClip,
    Encoder,
    HalfLevels,
    delivered,
)
from vosbench.harness.training.device import CPU, as_it_is

_LEVELS = NAMES[:4]
_STATISTICS_CLIPS = 16


class LevelStatistics(NamedTuple):
    """Mean and standard deviation of each channel of one level, (C,)."""

    mean: Tensor
    std: Tensor


@dataclass
class ClipStream:
    """How a pool's window slides as training goes on: a function of the step alone.

    Attributes:
        fresh: new clips a step.
        keep: leave files of clips that fell out of the window, for other trainings.
        step: where training is; the pool moves it.
        told: shared with the workers that make clips; None where there are none.
    """

    fresh: float
    keep: bool = False
    step: int = 0
    told: Any = None

    BEGINNING: ClassVar[int] = 48

    def move(self, step: int) -> None:
        """Training is at this step now."""
        self.step = step
        if self.told is not None:
            self.told.value = step

    def window(self, size: int) -> tuple[int, int]:
        """Index of the oldest clip, and how many there are: few at first, then ``size``."""
        end = self.BEGINNING + int(self.fresh * self.step)
        start = max(0, end - size)
        return start, end - start


@dataclass
class Stopwatch:
    """Time that training spent waiting for its data."""

    seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time within it."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.seconds += time.monotonic() - began_s


@dataclass(frozen=True)
class ClipPool:
    """Clips ``first_seed`` … ``first_seed + size − 1`` of a source, encoded.

    Attributes:
        folder: where files are kept; several pools may share it.
        stream: lets a window slide over the clips; None draws from all of them throughout.
        device: where what is read goes; the encoder may work elsewhere.
    """

    source: ClipSource
    encoder: Encoder
    folder: Path
    size: int
    first_seed: int = 0
    stream: ClipStream | None = None
    device: torch.device = CPU
    waited: Stopwatch = field(default_factory=Stopwatch, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Hash of all that the encoded clips depend on."""
        parts = [self.source.sha256, self.encoder.sha256, str(self.size), str(self.first_seed)]
        if self.stream is not None:
            parts.append(f"{self.stream.fresh}")
        return hashlib.sha256("/".join(parts).encode()).hexdigest()

    def choose(self, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the clips of a batch, each once if there are enough."""
        start, size = (0, self.size) if self.stream is None else self.stream.window(self.size)
        return np.asarray(start + rng.choice(size, batch, replace=batch > size), np.int64)

    @contextmanager
    def feeding(self, batches: Iterable[list[int]], workers: int) -> Iterator[None]:  # noqa: ARG002
        """Within it, the pool is asked for these clips of each step and no others."""
        yield

    def advance(self, step: int, first: int = 0) -> None:  # noqa: ARG002
        """Let the window slide to where it stands at a step; clips behind it are removed.

        Args:
            first: how many clips all steps before took.
        """
        if self.stream is None:
            return
        before, _ = self.stream.window(self.size)
        self.stream.move(step)
        start, _ = self.stream.window(self.size)
        if not self.stream.keep:
            for index in range(max(before, start - self.size), start):
                self.remove(index)

    def remove(self, index: int) -> None:
        """Remove a clip's file, if there is one."""
        self._file(index).unlink(missing_ok=True)

    @cached_property
    def _place(self) -> Path:
        named = f"{self.source.sha256}/{self.encoder.sha256}"
        if self.encoder.device.type != "cpu":
            named += f"/{self.encoder.device.type}"  # where the last bits differ
        place = self.folder / hashlib.sha256(named.encode()).hexdigest()[:16]
        place.mkdir(parents=True, exist_ok=True)
        return place

    def read(self, index: int, frames: Sequence[int]) -> EncodedClip:
        """Frames of a clip as float32 on the device, features as the backbone gave them."""
        return self.deliver([self.stored(index, frames)])

    @as_it_is()
    def deliver(self, clips: Sequence[EncodedClip]) -> EncodedClip:
        """Stored frames joined along the first axis, as float32 on the device."""
        with self.waited.running():
            return EncodedClip.cat(clips).on(self.device)

    @as_it_is()
    def stored(self, index: int, frames: Sequence[int]) -> EncodedClip:
        """Frames of a clip as they are kept: float16, masks uint8."""
        with self.waited.running(), safe_open(str(self.ensure(index)), "pt") as file:
            parts = []
            for name in NAMES:
                cut = file.get_slice(name)
                parts.append(torch.cat([cut[t : t + 1] for t in frames]))
        return EncodedClip(*parts)

    @as_it_is()
    def masks(self, index: int, frames: Sequence[int]) -> Tensor:
        """Masks alone, float32 (T, 1, H, W), 0 or 1, on the CPU."""
        with self.waited.running(), safe_open(str(self.ensure(index)), "pt") as file:
            cut = file.get_slice("masks")
            return torch.cat([cut[t : t + 1].float() for t in frames])

    @as_it_is()
    def ensure(self, index: int) -> Path:
        """Make the clip's file if it is missing."""
        path = self._file(index)
        if not path.exists():
            encoded = self.encoder.encode(self.source.draw(self.first_seed + index))
            write_tensors(path, {name: getattr(encoded, name) for name in NAMES})
        return path

    def _file(self, index: int) -> Path:
        return self._place / f"{self.first_seed + index:08d}.safetensors"

    def beside(self, name: str) -> Path:
        """A file among the clips, for what was computed from them."""
        return self._place / name

    @cached_property
    def frames(self) -> int:
        """Frames of a clip."""
        with safe_open(str(self.ensure(0)), "pt") as file:
            shape: Sequence[int] = file.get_slice("scores").get_shape()
            return shape[0]

    @cached_property
    def statistics(self) -> tuple[LevelStatistics, ...]:
        """Statistics of f4, f8, f16, f32 over the first clips."""
        path = self._place / f"statistics-{self.first_seed:08d}.safetensors"
        if not path.exists():
            count = min(_STATISTICS_CLIPS, self.size)
            clips = [self.read(i, range(self.frames)) for i in range(count)]
            tensors: dict[str, Tensor] = {}
            for name in _LEVELS:
                std, mean = torch.std_mean(
                    torch.cat([getattr(clip, name) for clip in clips]), dim=(0, 2, 3)
                )
                tensors |= {f"{name}.mean": mean, f"{name}.std": std.clamp(min=1e-3)}
            write_tensors(path, tensors)
        with safe_open(str(path), "pt") as file:
            return tuple(
                LevelStatistics(
                    *(file.get_tensor(f"{n}.{what}").to(self.device) for what in ("mean", "std"))
                )
                for n in _LEVELS
            )


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write whole or not at all: a kill must not leave half a file under the final name."""
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(temporary))


@dataclass(frozen=True)
class HalvedPool(ClipPool):
    """A pool that also keeps what the frames give in half size, in files beside the clips'."""

    @as_it_is()
    def ensure(self, index: int) -> Path:
        """Make the clip's files if one is missing."""
        path = self._file(index)
        if not (path.exists() and self._halves(index).exists()):
            whole, halves = self.encoder.encode_halved(self.source.draw(self.first_seed + index))
            write_tensors(self._halves(index), halves._asdict())
            write_tensors(path, {name: getattr(whole, name) for name in NAMES})
        return path

    @as_it_is()
    def read_halves(self, index: int, frames: Sequence[int]) -> HalfLevels:
        """Frames of a clip in half size, as float32 on the device."""
        self.ensure(index)
        with self.waited.running(), safe_open(str(self._halves(index)), "pt") as file:
            cuts = [file.get_slice(name) for name in HalfLevels._fields]
            parts = (torch.cat([cut[t : t + 1] for t in frames]) for cut in cuts)
            return HalfLevels(*(delivered(part, self.device) for part in parts))

    def remove(self, index: int) -> None:
        """Remove a clip's files, if there are any."""
        super().remove(index)
        self._halves(index).unlink(missing_ok=True)

    def _halves(self, index: int) -> Path:
        return self._file(index).with_suffix(".half.safetensors")
