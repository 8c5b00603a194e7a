"""How well FRTM-half does on sequences that it doesn't learn from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from vosbench.baselines.frtm.half import HalfFrtm
from vosbench.baselines.frtm.refiner import resize
from vosbench.harness.training.data.pool import HalvedPool
from vosbench.harness.training.frtm.half_steps import asked_iou, read_walk, walk_along
from vosbench.harness.training.frtm.losses import mask_iou
from vosbench.harness.training.frtm.validation import correlation


@torch.no_grad()
def validate_half(
    network: HalfFrtm, pool: HalvedPool, autocast: bool = False, reference: str = "last-full"
) -> Mapping[str, float]:
    """Score a network, in eval mode, on all clips of a pool: mean IoUs, and the gate.

    ``full`` walks with full frames alone, ``reuse`` with reused ones alone, ``step`` is what a
    full walk's frames carry from the one before; ``gate`` is the correlation of P_gate with what
    it is asked, over both walks.
    """
    ious: dict[str, list[float]] = {"full": [], "reuse": [], "step": []}
    gates: list[tuple[float, float]] = []
    for index in range(pool.size):
        for full in (True, False):
            frames = list(range(pool.frames))
            walk = read_walk(pool, [(index, frames)], (False, *[full] * (pool.frames - 1)))
            with torch.autocast(pool.device.type, torch.bfloat16, enabled=autocast):
                seen = walk_along(network, walk)
            for t, frame in enumerate(seen, start=1):
                true = walk.masks[t]
                carried = mask_iou(resize(frame.carried.logits, true) > 0, true).item()
                ious["step" if full else "reuse"].append(carried)
                if frame.logits is not None:
                    ious["full"].append(mask_iou(resize(frame.logits, true) > 0, true).item())
                if network.gate is not None:
                    p = torch.sigmoid(network.asked(frame.carried, *frame.known)).item()
                    gates.append((p, asked_iou(walk, t, frame, reference).item()))
    series = {name: float(np.mean(values)) for name, values in ious.items()}
    return series | ({"gate": correlation(gates)} if gates else {})
