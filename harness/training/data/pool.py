"""A fixed number of encoded clips on disk; whatever is missing is made when it is first read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vosbench.baselines.atomic import replacing
from vosbench.harness.training.data.clips import ClipSource
from vosbench.harness.training.data.encoding import NAMES, EncodedClip, Encoder

_LEVELS = NAMES[:4]
_STATISTICS_CLIPS = 16


class LevelStatistics(NamedTuple):
    """Mean and standard deviation of each channel of one level, (C,)."""

    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class ClipPool:
    """Clips ``first_seed`` … ``first_seed + size − 1`` of a source, encoded.

    Attributes:
        folder: where files are kept; several pools may share it.
    """

    source: ClipSource
    encoder: Encoder
    folder: Path
    size: int
    first_seed: int = 0

    @cached_property
    def sha256(self) -> str:
        """Hash of all that the encoded clips depend on."""
        parts = (self.source.sha256, self.encoder.sha256, str(self.size), str(self.first_seed))
        return hashlib.sha256("/".join(parts).encode()).hexdigest()

    @cached_property
    def _place(self) -> Path:
        named = f"{self.source.sha256}/{self.encoder.sha256}"
        place = self.folder / hashlib.sha256(named.encode()).hexdigest()[:16]
        place.mkdir(parents=True, exist_ok=True)
        return place

    def read(self, index: int, frames: Sequence[int]) -> EncodedClip:
        """Frames of a clip as float32, features as the backbone gave them."""
        path = self.ensure(index)
        with safe_open(str(path), "pt") as file:
            parts = []
            for name in NAMES:
                cut = file.get_slice(name)
                parts.append(torch.cat([cut[t : t + 1].float() for t in frames]))
        return EncodedClip(*parts)

    def masks(self, index: int, frames: Sequence[int]) -> Tensor:
        """Masks alone, (T, 1, H, W), 0 or 1."""
        with safe_open(str(self.ensure(index)), "pt") as file:
            cut = file.get_slice("masks")
            return torch.cat([cut[t : t + 1].float() for t in frames])

    def ensure(self, index: int) -> Path:
        """Make the clip's file if it is missing."""
        path = self._place / f"{self.first_seed + index:08d}.safetensors"
        if not path.exists():
            encoded = self.encoder.encode(self.source.draw(self.first_seed + index))
            write_tensors(path, {name: getattr(encoded, name) for name in NAMES})
        return path

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
                LevelStatistics(file.get_tensor(f"{n}.mean"), file.get_tensor(f"{n}.std"))
                for n in _LEVELS
            )


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write whole or not at all: a kill must not leave half a file under the final name."""
    with replacing(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, str(temporary))
