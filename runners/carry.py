"""Carry label maps from frame to frame by dense optical flow.

OpenCV's dense inverse search (Kroeger et al., ECCV 2016) in its fastest preset. Measured on 12
sequences of DAVIS 2016, annotated masks carried over 1, 2 and 3 frames keep an IoU of .89, .84 and
.80 (copied: .79, .70, .64; shifted and scaled as a whole: .84, .76, .72; flow straight from the
first frame: .89, .82, .76). The medium preset on half the size is as good and costs twice as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

_SHORT_SIDE = 480
"""Larger frames are halved until their short side is below twice this."""

_LEAST = 16
"""Below so many pixels a side there is no flow to be found."""

Flow = NDArray[np.float32]
"""(H, W, 2): where each pixel was in the frame before, as a shift in x and y, in pixels."""


def grey(image: torch.Tensor) -> NDArray[np.uint8]:
    """A frame, uint8 RGB (3, H, W) on any device, as grey levels (H, W)."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)


def flow_back(now: NDArray[np.uint8], before: NDArray[np.uint8], short_side: int) -> Flow:
    """Flow from frame ``now`` back to ``before``, grey (H, W), found at about ``short_side``."""
    height, width = now.shape
    halvings = max(0, int(np.log2(min(height, width) / short_side)))
    small = (width >> halvings, height >> halvings)
    if min(small) < _LEAST:
        return np.zeros((height, width, 2), np.float32)
    frames = [cv2.resize(x, small, interpolation=cv2.INTER_AREA) for x in (now, before)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    begin_anew: Any = None  # which the stubs don't know of
    found: Any = search.calc(frames[0], frames[1], begin_anew)
    if halvings:
        scale = np.array([width / small[0], height / small[1]], np.float32)
        found = cv2.resize(found, (width, height)) * scale
    return np.asarray(found, np.float32)


class Carrier:
    """Label maps of one frame, seen from the frames after it.

    Each pixel's place in that frame is followed through the flows between, so that labels are
    looked up once, however many frames lie between, and objects stay apart.
    """

    def __init__(self, image: torch.Tensor) -> None:
        self._before = grey(image)
        height, width = self._before.shape
        grid = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        self._grid = np.stack(grid, axis=-1)
        self._places = self._grid

    def advance(self, image: torch.Tensor) -> None:
        """Go on to the next frame, uint8 RGB (3, H, W) of the same size."""
        now = grey(image)
        x, y = np.moveaxis(self._grid + flow_back(now, self._before, _SHORT_SIDE), -1, 0)
        places = cv2.remap(
            self._places,
            np.ascontiguousarray(x),
            np.ascontiguousarray(y),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        self._places = np.asarray(places, np.float32)
        self._before = now

    def carried(self, plane: torch.Tensor) -> torch.Tensor:
        """A label map or mask (H, W) of the first frame, as it lies in this one."""
        x, y = np.moveaxis(np.rint(self._places).astype(np.int64), -1, 0)
        height, width = self._before.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        values = plane.cpu().numpy()[y.clip(0, height - 1), x.clip(0, width - 1)]
        return plane.new_tensor(np.where(inside, values, values.dtype.type(0)))
