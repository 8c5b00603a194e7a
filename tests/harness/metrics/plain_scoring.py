"""J, F and decay by their definitions: whole images, one object at a time, nothing saved.

What the fast way is tested against, and what ``benchmarks/scoring.py`` measures it by.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image


def plain_j(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Intersection over union of two bool masks."""
    union = np.sum(truth | predicted, dtype=np.float64)
    return 1.0 if union == 0 else float(np.sum(truth & predicted, dtype=np.float64) / union)


def plain_boundary(mask: np.ndarray) -> np.ndarray:
    """Each pixel compared with its neighbours, those outside the image equal to the nearest."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right = padded[:height, 1:]
    below = padded[1:, :width]
    diagonal = padded[1:, 1:]
    return (mask != right) | (mask != below) | (mask != diagonal)


def plain_disk(radius: int) -> np.ndarray:
    """All (x, y) with x² + y² <= radius², uint8."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(np.uint8)


def plain_f(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Harmonic mean of how much of either contour lies near the other."""
    disk = plain_disk(int(np.ceil(0.008 * np.linalg.norm(truth.shape))))
    edges = [plain_boundary(mask).astype(np.uint8) for mask in (truth, predicted)]
    near = [cv2.dilate(edge, disk) for edge in edges]
    lengths = [int(edge.sum()) for edge in edges]
    if lengths == [0, 0]:
        return 1.0
    if 0 in lengths:
        return 0.0
    recall = (edges[0] * near[1]).sum() / lengths[0]
    precision = (edges[1] * near[0]).sum() / lengths[1]
    return 0.0 if recall + precision == 0 else float(2 * recall * precision / (recall + precision))


def plain_decay(values: list[float]) -> float:
    """First minus last of four bins that share their edges."""
    edges = [round(x + 1e-10) - 1 for x in np.linspace(1, len(values), 5)]
    first = values[edges[0] : edges[1] + 1]
    last = values[edges[3] : edges[4] + 1]
    return sum(first) / len(first) - sum(last) / len(last)


def plain_folder(
    truth_files: list[Path], predicted_files: list[Path], *, merge: bool
) -> dict[int, list[tuple[float, float]]]:
    """(J, F) of all but the first and last frame of one DAVIS clip, all in memory at once."""
    truth = np.stack([np.array(Image.open(file)) for file in truth_files])
    predicted = np.stack([np.array(Image.open(file)) for file in predicted_files])
    if merge:
        truth, predicted = (truth > 0).astype(np.uint8), (predicted > 0).astype(np.uint8)
    return {
        label: [
            (plain_j(t == label, p == label), plain_f(t == label, p == label))
            for t, p in zip(truth[1:-1], predicted[1:-1], strict=True)
        ]
        for label in range(1, int(truth[0].max()) + 1)
    }
