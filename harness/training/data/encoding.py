"""Clips as training reads them: features of a frozen backbone and the target model's scores.

Both are in half precision, whether they are kept in files, so that a step of training costs no
more than the layers that learn, or made anew for each step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from vosbench.baselines.backbones import Backbone
from vosbench.baselines.frtm.half import halved_image
from vosbench.baselines.frtm.target import TargetConfig, TargetModel, fit, initial_weights
from vosbench.harness.training.data.clips import TrainingClip
from vosbench.runners.frtm import seeded_augment

NAMES = ("f4", "f8", "f16", "f32", "scores", "masks")
"""Fields of an encoded clip, in order."""
_AT_ONCE = 16
"""Frames that a GPU takes through the backbone together."""


@dataclass(frozen=True)
class EncodedClip:
    """Some frames of a clip, in the order that was asked for.

    Attributes:
        f4, f8, f16, f32: features (T, C, h, w).
        scores: S of the target model fitted to frame 0, (T, 1, h, w) at 1/16.
        masks: the object, (T, 1, H, W), 0 or 1.
    """

    f4: Tensor
    f8: Tensor
    f16: Tensor
    f32: Tensor
    scores: Tensor
    masks: Tensor

    @property
    def levels(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """f4, f8, f16, f32."""
        return self.f4, self.f8, self.f16, self.f32

    def take(self, which: slice) -> EncodedClip:
        """Some of its frames."""
        return EncodedClip(*(getattr(self, name)[which] for name in NAMES))

    def on(self, device: torch.device) -> EncodedClip:
        """All of it as float32 on a device; a copy to a GPU runs beside what the host does next."""
        return EncodedClip(*(delivered(getattr(self, name), device) for name in NAMES))

    def at(self, frames: Tensor) -> EncodedClip:
        """Its frames of these indices, int64 (N,), in that order and as often as named."""
        return EncodedClip(*(getattr(self, name)[frames] for name in NAMES))

    @classmethod
    def cat(cls, parts: Sequence[EncodedClip]) -> EncodedClip:
        """Join along the first axis."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in NAMES))


def delivered(x: Tensor, device: torch.device) -> Tensor:
    """A tensor as float32 on a device; it travels as it is, from pinned memory to a GPU."""
    if device.type == "cuda" and x.device.type == "cpu":
        x = x.pin_memory().to(device, non_blocking=True)
    return x.to(device).float()


class RawClip(NamedTuple):
    """A clip before its features: all that is drawn on the CPU.

    Attributes:
        images: uint8 RGB (T, 3, H, W).
        masks: bool (T, H, W).
        samples: augmented first frames without the untouched one, uint8 RGB (K − 1, 3, H, W).
        labels: masks of all samples, the untouched frame's first, bool (K, H, W).
    """

    images: Tensor
    masks: Tensor
    samples: Tensor
    labels: Tensor


def raw_clip(clip: TrainingClip, seed: int) -> RawClip:
    """A drawn clip with its first frame's augmentation; ``seed`` is the encoder's."""
    images = torch.from_numpy(clip.images).permute(0, 3, 1, 2)
    masks = torch.from_numpy(clip.masks)
    samples, labels = seeded_augment(seed)(images[0], masks[0])
    return RawClip(images, masks, samples[1:], labels)


class HalfLevels(NamedTuple):
    """What frames seen in half size give, hN on the grid 1/N of the whole frame.

    h4..h32 (T, C, h, w) are a backbone's f2..f16 of the half-size frame; scores (T, 1, h, w) are
    the target model's, at 1/32.
    """

    h4: Tensor
    h8: Tensor
    h16: Tensor
    h32: Tensor
    scores: Tensor

    def take(self, which: slice | Tensor) -> HalfLevels:
        """Some of the frames."""
        return HalfLevels(*(level[which] for level in self))


@dataclass(frozen=True)
class Encoder:
    """Runs the frozen part of FRTM over clips.

    Attributes:
        backbone: in eval mode, on its device.
        target: how long the target model is fitted.
        seed: of the first frame's augmentation and of the target model's starting values.
    """

    backbone: Backbone
    target: TargetConfig
    seed: int = 0

    @cached_property
    def sha256(self) -> str:
        """Hash of the backbone's weights and all settings."""
        digest = hashlib.sha256(json.dumps([asdict(self.target), self.seed]).encode())
        for name, tensor in sorted(self.backbone.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
        return digest.hexdigest()

    @property
    def device(self) -> torch.device:
        """Where features are computed."""
        return self.backbone.mean.device

    def encode(self, clip: TrainingClip) -> EncodedClip:
        """Encode a clip, float16 on the CPU."""
        (encoded,) = self.encode_all([raw_clip(clip, self.seed)])
        return EncodedClip(*(getattr(encoded, name).cpu() for name in NAMES))

    @torch.no_grad()
    def encode_all(self, clips: Sequence[RawClip]) -> list[EncodedClip]:
        """Encode clips of one shape together, float16 on the backbone's device."""
        return [encoded for encoded, _ in self._encode(clips)]

    @torch.no_grad()
    def encode_halved(self, clip: TrainingClip) -> tuple[EncodedClip, HalfLevels]:
        """Encode a clip, and what its frames give in half size, float16 on the CPU."""
        raw = raw_clip(clip, self.seed)
        ((whole, model),) = self._encode([raw])
        parts = []
        for image in raw.images.to(self.device):
            levels = self.backbone.early(halved_image(image[None]))
            parts.append((*levels, model.score(levels[-1])))
        halves = (torch.cat(level).half().cpu() for level in zip(*parts, strict=True))
        return EncodedClip(*(getattr(whole, n).cpu() for n in NAMES)), HalfLevels(*halves)

    def _encode(self, clips: Sequence[RawClip]) -> list[tuple[EncodedClip, TargetModel]]:
        device = self.device
        images = torch.cat([clip.images.to(device, non_blocking=True) for clip in clips])
        samples = torch.cat([clip.samples.to(device, non_blocking=True) for clip in clips])
        f4, f8 = self._in_batches(images)
        others = self._in_batches(samples)[1]
        lengths = [len(clip.images) for clip in clips]
        parts = zip(torch.split(f4, lengths), torch.split(f8, lengths), strict=True)
        learnt = torch.split(others, [len(clip.samples) for clip in clips])
        return [
            self._fitted(clip, levels, sample)
            for clip, levels, sample in zip(clips, parts, learnt, strict=True)
        ]

    def _fitted(
        self, clip: RawClip, levels: tuple[Tensor, Tensor], samples: Tensor
    ) -> tuple[EncodedClip, TargetModel]:
        """One clip's deeper levels, and the target model of its first frame."""
        (f4, f8), device = levels, self.device
        f16, f32 = self.backbone.second(f8)
        others = self.backbone.third_level(samples)
        start = initial_weights(self.target, f16.shape[1], self.seed, f16)
        labels = clip.labels.to(device, non_blocking=True)
        model = fit(self.target, start, torch.cat([f16[:1], others]), labels)
        scores = model.score(f16)
        masks = clip.masks.to(device, non_blocking=True)[:, None].to(torch.uint8)
        f4, f8, f16, f32, scores = (t.half() for t in (f4, f8, f16, f32, scores))
        return EncodedClip(f4, f8, f16, f32, scores, masks), model

    def _in_batches(self, images: Tensor) -> tuple[Tensor, Tensor]:
        layout = torch.channels_last
        if self.device.type == "cpu":
            # A batch of full-size activations leaves every cache of a CPU.
            parts = [image[None] for image in images]
        else:
            parts = list(torch.split(images, _AT_ONCE))
        outputs = [self.backbone.first(part.contiguous(memory_format=layout)) for part in parts]
        return torch.cat([f4 for f4, _ in outputs]), torch.cat([f8 for _, f8 in outputs])
