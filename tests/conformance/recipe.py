"""Weights that anyone can make again, as the conformance vectors' README describes them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_FACTORS = {"convGS.4.weight": 0.05, "cal_UpW.2.weight": 0.02, "refine.deconv3.weight": 0.005}


def salt_of(folder: Path) -> str:
    """The salt that a folder of vectors was made with."""
    salt: str = json.loads((folder / "recipe.json").read_text())["salt"]
    return salt


def recipe_tensors(shapes: Mapping[str, Sequence[int]], salt: str) -> dict[str, Tensor]:
    """Draw every tensor of a state dict from its published key and shape; float32."""
    return {key: torch.from_numpy(_draw(key, tuple(shape), salt)) for key, shape in shapes.items()}


def _draw(key: str, shape: tuple[int, ...], salt: str) -> np.ndarray:
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, dtype=np.int64)
    seed = zlib.crc32((salt + key).encode())
    n = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)
    if key.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(n)
    if key.endswith("running_mean") or (len(shape) == 1 and key.endswith("bias")):
        return np.float32(0.1) * n
    if len(shape) == 1:
        return 1 + np.float32(0.1) * n
    factor = next((f for end, f in _FACTORS.items() if key.endswith(end)), 1.0)
    return n * np.float32(np.sqrt(2 / prod(shape[1:])) * factor)
