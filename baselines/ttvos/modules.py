"""The layers of TTVOS; module names are the keys of the published checkpoints.

Symbols: sN is a feature map at 1/N of the (padded) input, h×w its size; C4, C8, C16 their
channels; T the template, C8×C8; M the last three masks, newest first, each as a (background,
foreground) pair: 6 channels; u16 the decoder's input at 1/16; u the template's update weight.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASK_CHANNELS = 6
"""Three masks of two channels."""

PLACE_CHANNELS = 3
"""Row, column and radius."""


def with_places(s8: Tensor) -> Tensor:
    """Append row, column (−1..1) and radius: (B, C8, h, w) → (B, C8 + 3, h, w)."""
    places = _places(s8.shape[-2], s8.shape[-1], s8.dtype, s8.device)
    return torch.cat((s8, places.expand(len(s8), -1, -1, -1)), dim=1)


@lru_cache(maxsize=16)
def _places(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Made once a size, (3, h, w): of a small network's frame it was a tenth of all launches."""
    with torch.inference_mode(False):  # what is kept serves training too
        rows = torch.linspace(-1, 1, height, dtype=dtype, device=device)
        columns = torch.linspace(-1, 1, width, dtype=dtype, device=device)
        row, column = torch.meshgrid(rows, columns, indexing="ij")
        return torch.stack((row, column, torch.hypot(row, column)))


def halve(x: Tensor) -> Tensor:
    """Average 3×3 at stride 2, the zero border counted: (B, C, h, w) → (B, C, h/2, w/2)."""
    return F.avg_pool2d(x, 3, stride=2, padding=1)


def _branch(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 1),
        nn.Conv2d(width, width, 5, padding=2, groups=width // 4),
        nn.LeakyReLU(0.2),
    )


class TtvosTemplateGenerator(nn.Module):
    """Makes a template from a frame and the masks known by then (published as ``gcm``)."""

    def __init__(self, c8: int) -> None:
        super().__init__()
        channels = c8 + PLACE_CHANNELS + MASK_CHANNELS
        self.conv_key = _branch(channels, c8)
        self.conv_val = _branch(channels, c8)

    def forward(self, s8: Tensor, masks: Tensor) -> Tensor:
        """s8 with places (B, C8 + 3, h, w), M (B, 6, h, w) → template (B, C8, C8).

        One frame's features do for the masks of all its objects, here and below.
        """
        x = torch.cat((s8.expand(len(masks), -1, -1, -1), masks), dim=1)
        key, value = self.conv_key(x).flatten(2), self.conv_val(x).flatten(2)
        return torch.softmax(key @ value.transpose(1, 2) / math.sqrt(key.shape[-1]), dim=-1)


class TtvosTemplateMatching(nn.Module):
    """Compares a frame, given the masks before it, with the template (published as ``gcq``)."""

    def __init__(self, c8: int) -> None:
        super().__init__()
        channels = c8 + PLACE_CHANNELS + MASK_CHANNELS
        self.conv_val = _branch(channels, c8)
        self.conv_feat = _branch(channels, c8)
        self.blend = nn.Sequential(
            nn.Conv2d(2 * c8, 2 * c8, 5, padding=2, groups=c8 // 2),
            nn.Conv2d(2 * c8, c8, 1),
            nn.ReLU(),
        )

    def forward(self, s8: Tensor, masks: Tensor, template: Tensor) -> Tensor:
        """s8 with places (B, C8 + 3, h, w), M, T (B, C8, C8) → matched map (B, C8, h, w)."""
        x = torch.cat((s8.expand(len(masks), -1, -1, -1), masks), dim=1)
        similarity = template @ self.conv_val(x).flatten(2)
        feat = self.conv_feat(x)
        matched: Tensor = self.blend(torch.cat((feat, similarity.view_as(feat)), dim=1))
        return matched


class ConvReLU(nn.Module):
    """A convolution and a ReLU, with the convolution under the published name ``conv``."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) → (B, outputs, h / stride, w / stride)."""
        return F.relu(self.conv(x))


def _double(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


class TtvosDecoded(NamedTuple):
    """Logits of background and foreground (B, 2, H, W), and the update weight u (B, 1, 1, 1)."""

    logits: Tensor
    update_weight: Tensor


class Refine(nn.Module):
    """Short-term branch (what a reused frame skips), and decoder from u16 to full size.

    ``predictor_Diff`` and ``predictor_Tmp`` served losses of the published training; checkpoints
    hold them, no prediction uses them.
    """

    def __init__(self, c4: int, c8: int, c16: int, short_term: int, width: int) -> None:
        super().__init__()
        self.conv_s16 = ConvReLU(c16 + MASK_CHANNELS, short_term, 3)
        self.blend_s16 = ConvReLU(c16 + short_term, width, 3)
        self.deconv1_1 = _double(width, 2)
        self.conv_s8 = ConvReLU(c8, width, 1)
        self.cal_UpW = nn.Sequential(
            ConvReLU(width + 2, width // 2 + 1, 3, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width // 2 + 1, 1, 1),
            nn.Sigmoid(),
        )
        self.blend_s8 = ConvReLU(width + 2, width, 3)
        self.deconv2 = _double(width, 2)
        self.conv_s4 = ConvReLU(c4, width, 1)
        self.blend_s4 = ConvReLU(width + 2, width, 3)
        self.deconv1_2 = _double(2, 2)
        self.deconv3 = _double(width + 4, 8)
        self.predictor_Diff = nn.Conv2d(width, 2, 3, padding=1)
        self.predictor_Tmp = nn.Conv2d(c8, 1, 3, padding=1)

    def short_term(self, s16: Tensor, masks: Tensor, previous_s16: Tensor) -> Tensor:
        """s16 (B, C16, h, w), M at 1/8 (B, 6, 2h, 2w), the earlier frame's s16 → u16 at 1/16."""
        count = len(masks)
        before = previous_s16.expand(count, -1, -1, -1)
        recent = self.conv_s16(torch.cat((halve(masks), before), dim=1))
        u16: Tensor = self.blend_s16(torch.cat((s16.expand(count, -1, -1, -1), recent), dim=1))
        return u16

    def decode(self, u16: Tensor, matched: Tensor, s4: Tensor) -> TtvosDecoded:
        """u16 (B, width, h, w), matched map (B, C8, 2h, 2w), s4 (B, C4, 4h, 4w) → Decoded."""
        guess8 = self.deconv1_1(u16)
        t = torch.cat((self.conv_s8(matched), guess8), dim=1)
        coarse = self.deconv2(self.blend_s8(t))
        fine = self.conv_s4(s4).expand(len(u16), -1, -1, -1)
        blended = self.blend_s4(torch.cat((fine, coarse), dim=1))
        half = self.deconv3(torch.cat((self.deconv1_2(guess8), coarse, blended), dim=1))
        return TtvosDecoded(F.pixel_shuffle(half, 2), self.cal_UpW(t))
