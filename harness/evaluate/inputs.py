"""What a runner is handed: frames and given masks, on its device."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from vosbench.harness.datasets.clip import Clip
from vosbench.harness.datasets.overlap import Masks, mask_of
from vosbench.harness.evaluate.annotations import Labels
from vosbench.runners.interface import Frame


def frame_of(t: int, image: Labels, device: torch.device) -> Frame:
    """Frame ``t`` from its pixels, uint8 RGB (H, W, 3)."""
    return Frame(t, _sent(image, device).permute(2, 0, 1).contiguous())


def given_masks(
    clip: Clip, t: int, masks: Masks | None, device: torch.device
) -> dict[int, torch.Tensor]:
    """Masks, bool (H, W), of the objects that start in frame ``t``."""
    new = clip.starting(t)
    if not new:
        return {}
    assert masks is not None, "a clip's objects start in annotated frames"
    return {i: _sent(mask_of(masks, i), device) for i in new}


def _sent(array: NDArray[Any], device: torch.device) -> torch.Tensor:
    """To a GPU from pinned memory, so that nobody waits; it computes on meanwhile."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
