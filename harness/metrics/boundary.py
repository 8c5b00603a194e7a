"""Boundary accuracy F: how well two contours follow each other within a tolerance."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

TOLERANCE_OF_DIAGONAL = 0.008


@lru_cache(maxsize=256)
def tolerance_px(height: int, width: int) -> int:
    """Distance in pixels within which two contours match: 0.008 of the diagonal, rounded up."""
    return math.ceil(TOLERANCE_OF_DIAGONAL * float(np.linalg.norm((height, width))))


def boundary_map(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels that differ from their right, lower or lower right neighbour; bool (H, W) both ways.

    The last row looks right only, the last column down only, and the last corner never counts,
    as the official evaluation has it. A mask over the whole image therefore has no boundary.
    """
    edge = np.zeros_like(mask)
    inner = edge[:-1, :-1]
    np.not_equal(mask[:-1, :-1], mask[:-1, 1:], out=inner)
    inner |= mask[:-1, :-1] != mask[1:, :-1]
    inner |= mask[:-1, :-1] != mask[1:, 1:]
    edge[-1, :-1] = mask[-1, :-1] != mask[-1, 1:]
    edge[:-1, -1] = mask[:-1, -1] != mask[1:, -1]
    return edge


@lru_cache(maxsize=32)
def _disk_steps(radius_px: int) -> tuple[tuple[NDArray[np.uint8], NDArray[np.uint8]], ...]:
    """How to grow a disk from rectangles: (widen by, then heighten by) for each, narrow to wide.

    The disk x² + y² <= radius² is a union of rectangles, each of its widths at its tallest. What
    one rectangle is wider than the one before, and taller than the one after, is all that must be
    grown anew.
    """
    tallest: dict[int, int] = {}
    for y in range(radius_px + 1):
        tallest[math.isqrt(radius_px**2 - y**2)] = y
    steps = sorted(tallest.items())
    widths = [x for x, _ in steps]
    heights = [y for _, y in steps]
    widen = np.diff(widths, prepend=0)
    heighten = -np.diff(heights, append=0)
    return tuple(
        (np.ones((1, 2 * int(x) + 1), np.uint8), np.ones((2 * int(y) + 1, 1), np.uint8))
        for x, y in zip(widen, heighten, strict=True)
    )


def dilate_disk(mask: NDArray[np.bool_], radius_px: int) -> NDArray[np.bool_]:
    """All pixels within ``radius_px`` (Euclidean, inclusive) of a set pixel; bool (H, W).

    The same pixels as by dilation with the disk as one kernel, but in time linear in the radius.
    """
    widened = mask.view(np.uint8)
    grown = np.zeros_like(widened)
    for horizontal, vertical in _disk_steps(radius_px):
        if horizontal.size > 1:
            widened = np.asarray(cv2.dilate(widened, horizontal), np.uint8)
        grown |= widened
        if vertical.size > 1:
            grown = np.asarray(cv2.dilate(grown, vertical), np.uint8)
    return grown.view(np.bool_)


def f_measure(
    *, truth_px: int, predicted_px: int, truth_matched_px: int, predicted_matched_px: int
) -> float:
    """F from boundary lengths and matches, in pixels; two empty boundaries agree.

    With one boundary empty either precision or recall is 0, and so is F.
    """
    if truth_px == 0 and predicted_px == 0:
        return 1.0
    if truth_px == 0 or predicted_px == 0:
        return 0.0
    precision = predicted_matched_px / predicted_px
    recall = truth_matched_px / truth_px
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def boundary_accuracy(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """F of one pair of masks, bool (H, W), with the tolerance of their image size.

    Source: Perazzi et al., CVPR 2016, section 4; boundary and tolerance as in the official
    DAVIS 2017 evaluation.
    """
    radius_px = tolerance_px(*truth.shape)
    truth_edge, predicted_edge = boundary_map(truth), boundary_map(predicted)
    return f_measure(
        truth_px=int(np.count_nonzero(truth_edge)),
        predicted_px=int(np.count_nonzero(predicted_edge)),
        truth_matched_px=int(np.count_nonzero(truth_edge & dilate_disk(predicted_edge, radius_px))),
        predicted_matched_px=int(
            np.count_nonzero(predicted_edge & dilate_disk(truth_edge, radius_px))
        ),
    )
