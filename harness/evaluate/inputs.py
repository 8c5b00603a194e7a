"""What a runner is handed: frames and given masks, on its device."""

from __future__ import annotations

import torch

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks, mask_of
from vosbench.harness.evaluate.annotations import Labels
from vosbench.runners.interface import Frame


def frame_of(t: int, image: Labels, device: torch.device) -> Frame:
    """Frame ``t`` from its pixels, uint8 RGB (H, W, 3)."""
    return Frame(t, torch.from_numpy(image).permute(2, 0, 1).contiguous().to(device))


def given_masks(
    clip: Clip, t: int, masks: Masks | None, device: torch.device
) -> dict[int, torch.Tensor]:
    """Masks, bool (H, W), of the objects that start in frame ``t``."""
    new = clip.starting(t)
    if not new:
        return {}
    assert masks is not None, "a clip's objects start in annotated frames"
    return {i: torch.from_numpy(mask_of(masks, i)).to(device) for i in new}
