"""Clips as training reads them: features of a frozen backbone and the target model's scores.

Both are computed once per clip and kept in half precision, so that a step of training costs no
more than the layers that learn.
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

    def at(self, frames: Tensor) -> EncodedClip:
        """Its frames of these indices, int64 (N,), in that order and as often as named."""
        return EncodedClip(*(getattr(self, name)[frames] for name in NAMES))

    @classmethod
    def cat(cls, parts: Sequence[EncodedClip]) -> EncodedClip:
        """Join along the first axis."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in NAMES))


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

    @torch.no_grad()
    def encode(self, clip: TrainingClip) -> EncodedClip:
        """Encode a clip, float16 on the CPU."""
        return self._encode(clip)[0]

    @torch.no_grad()
    def encode_halved(self, clip: TrainingClip) -> tuple[EncodedClip, HalfLevels]:
        """Encode a clip, and what its frames give in half size, float16 on the CPU."""
        whole, model = self._encode(clip)
        device = self.backbone.mean.device
        images = torch.from_numpy(clip.images).permute(0, 3, 1, 2).to(device)
        parts = []
        for image in images:
            levels = self.backbone.early(halved_image(image[None]))
            parts.append((*levels, model.score(levels[-1])))
        halves = (torch.cat(level).half().cpu() for level in zip(*parts, strict=True))
        return whole, HalfLevels(*halves)

    def _encode(self, clip: TrainingClip) -> tuple[EncodedClip, TargetModel]:
        device = self.backbone.mean.device
        images = torch.from_numpy(clip.images).permute(0, 3, 1, 2).to(device)
        masks = torch.from_numpy(clip.masks).to(device)
        f4, f8 = self._frame_by_frame(images)
        f16, f32 = self.backbone.second(f8)
        samples, labels = seeded_augment(self.seed)(images[0], masks[0])
        others = self.backbone.third_level(self._frame_by_frame(samples[1:])[1])
        start = initial_weights(self.target, f16.shape[1], self.seed, f16)
        model = fit(self.target, start, torch.cat([f16[:1], others]), labels)
        scores = model.score(f16)
        clip_masks = masks[:, None].to(torch.uint8)
        f4, f8, f16, f32, scores = (t.half().cpu() for t in (f4, f8, f16, f32, scores))
        return EncodedClip(f4, f8, f16, f32, scores, clip_masks.cpu()), model

    def _frame_by_frame(self, images: Tensor) -> tuple[Tensor, Tensor]:
        # A batch of full-size activations leaves every cache of a CPU.
        layout = torch.channels_last  # twice as fast on a CPU where the weights have it too
        outputs = [self.backbone.first(i[None].contiguous(memory_format=layout)) for i in images]
        return torch.cat([f4 for f4, _ in outputs]), torch.cat([f8 for _, f8 in outputs])
