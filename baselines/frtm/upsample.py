"""The head's up-sampling, arranged so that few maps are ever made at full size.

Up-sampling acts on each channel alone and is linear, so it commutes with any mixing of
channels: a 3×3 convolution after it equals nine 1×1 convolutions before it, whose up-sampled
outputs are shifted and added. The published code up-samples 32 maps; this up-samples nine.

Within :func:`vosbench.baselines.arithmetic.as_described` the order is the published one, with
bicubic up-sampling as the sixteen-tap convolutions that it is there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosbench.baselines.arithmetic import takes_shortcuts

_CUBIC = (-0.10546875, 0.87890625, 0.26171875, -0.03515625)
"""The cubic's weights (a = −0.75) of the four inputs around a point a quarter after the second."""


def bicubic_double(x: Tensor) -> Tensor:
    """Bicubic (a = −0.75, borders replicated): (B, C, h, w) → (B, C, 2h, 2w)."""
    if not takes_shortcuts():
        return _sixteen_taps(x)
    if x.requires_grad or x.dtype == torch.bfloat16:
        # In training and in bfloat16 a product with each axis' matrix is far faster on a CPU.
        rows, columns = (_doubling_matrix(size, x) for size in x.shape[-2:])
        return rows @ (x @ columns.t())
    if x.device.type == "cpu":  # torch's own takes two to three times as long there
        return _doubled(_doubled(x, -2), -1)
    return F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False)


def _doubled(x: Tensor, axis: int) -> Tensor:
    """Bicubic ×2 of one axis: every second output lies a quarter before, after an input."""
    size = x.shape[axis]
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, size - 1, 1)
    padded = torch.cat((first, first, x, last, last), dim=axis)
    after = _CUBIC[0] * padded.narrow(axis, 1, size)
    before = _CUBIC[3] * padded.narrow(axis, 0, size)
    for tap in range(1, 4):
        after.add_(padded.narrow(axis, 1 + tap, size), alpha=_CUBIC[tap])
        before.add_(padded.narrow(axis, tap, size), alpha=_CUBIC[3 - tap])
    return torch.stack((before, after), dim=axis).flatten(axis - 1, axis)


def _sixteen_taps(x: Tensor) -> Tensor:
    """Bicubic ×2 as depth-wise 4×4 convolutions, one for each of the four output phases."""
    channels, (height, width) = x.shape[1], x.shape[-2:]
    padded = F.pad(x, (2, 2, 2, 2), mode="replicate")
    after = torch.tensor(_CUBIC, dtype=x.dtype, device=x.device)
    phases = []
    for i, rows in enumerate((after.flip(0), after)):
        for j, columns in enumerate((after.flip(0), after)):
            taps = torch.outer(rows, columns).expand(channels, 1, 4, 4)
            around = padded[..., i : i + height + 3, j : j + width + 3]
            phases.append(F.conv2d(around, taps, groups=channels))
    return F.pixel_shuffle(torch.stack(phases, dim=2).flatten(1, 2), 2)


def _doubling_matrix(size: int, like: Tensor) -> Tensor:
    """Bicubic ×2 of one axis, (2·size, size)."""
    unit = torch.eye(size, dtype=like.dtype, device=like.device)[None, :, :, None]
    doubled = F.interpolate(unit, (2 * size, 1), mode="bicubic", align_corners=False)
    return doubled[0, :, :, 0].t()


def upsample_to(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic ×2, then bilinear to ``size``: (B, C, h, w) → (B, C, H, W)."""
    x = bicubic_double(x)
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def conv_of_upsampled(x: Tensor, conv: nn.Conv2d, size: tuple[int, int]) -> Tensor:
    """``conv(upsample_to(x, size))`` for a 3×3 convolution to one map: → (B, 1, H, W)."""
    if not takes_shortcuts():
        plain: Tensor = conv(upsample_to(x, size))
        return plain
    taps = conv.weight[0].flatten(1).t()[:, :, None, None]  # (9, C, 1, 1)
    maps = upsample_to(F.conv2d(x, taps), size)
    height, width = size
    padded = F.pad(maps, (1, 1, 1, 1))
    total = sum(
        padded[:, 3 * i + j, i : i + height, j : j + width] for i in range(3) for j in range(3)
    )
    assert isinstance(total, Tensor) and conv.bias is not None
    return (total + conv.bias)[:, None]
