"""How well TTVOS follows held-out clips while it learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from vosbench.baselines.frtm.reuse import p_gate
from vosbench.baselines.ttvos.gated import GatedTtvos
from vosbench.baselines.ttvos.network import Ttvos
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.pool import ClipPool, LevelStatistics
from vosbench.harness.training.frtm.losses import mask_iou
from vosbench.harness.training.frtm.validation import Validation, correlation
from vosbench.harness.training.ttvos.scaling import scaled
from vosbench.harness.training.ttvos.steps import Follower, reuse_frame


@torch.no_grad()
def validate_ttvos(
    network: Ttvos,
    pool: ClipPool,
    statistics: Sequence[LevelStatistics],
    gaps: tuple[int, ...] = (),
    autocast: bool = False,
) -> Validation:
    """Follow each clip from frame 0; with ``gaps``, reuse the state after frame 1 as well.

    ``statistics`` are those that the network's input was scaled by in training.
    """
    full: list[float] = []
    reused: dict[int, list[float]] = {gap: [] for gap in gaps if gap + 1 < pool.frames}
    gates: list[tuple[float, float]] = []
    follower = Follower(network)
    with torch.autocast(pool.device.type, torch.bfloat16, enabled=autocast):
        for index in range(pool.size):
            clip = scaled(pool.read(index, range(pool.frames)), statistics)
            frames = [clip.take(slice(t, t + 1)) for t in range(pool.frames)]
            full.append(_follow(follower, frames))
            if reused and isinstance(network, GatedTtvos):
                for gap, iou, gate in _reuse(follower, network, frames, tuple(reused)):
                    reused[gap].append(iou)
                    gates.append(gate)
    if not gates:
        return Validation(float(np.mean(full)))
    by_gap = {gap: float(np.mean(values)) for gap, values in reused.items()}
    return Validation(float(np.mean(full)), by_gap, correlation(gates))


def _follow(follower: Follower, frames: Sequence[EncodedClip]) -> float:
    """Mean IoU of the full path over the frames after the given one."""
    state, ious = follower.begin(frames[0]), []
    for frame in frames[1:]:
        result = follower.full(frame, state, follower.match(frame, state))
        ious.append(float(mask_iou(result.logits > 0, frame.masks)))
        state = follower.advance(frame, state, result)
    return float(np.mean(ious))


def _reuse(
    follower: Follower, network: GatedTtvos, frames: Sequence[EncodedClip], gaps: tuple[int, ...]
) -> list[tuple[int, float, tuple[float, float]]]:
    """For each gap: itself, the IoU of the reused mask, and P_gate with what it estimates."""
    state, last = follower.begin(frames[0]), frames[1]
    state = follower.advance(last, state, follower.full(last, state, follower.match(last, state)))
    found = []
    for gap in gaps:
        now = frames[1 + gap]
        reused = reuse_frame(follower, network, now, state)
        assert reused.segmented is not None  # it was asked for
        iou = float(mask_iou(reused.segmented.logits > 0, now.masks))
        true = float(mask_iou(last.masks, now.masks))
        found.append((gap, iou, (float(p_gate(reused.gate_logits)), true)))
    return found
