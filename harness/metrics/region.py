"""Region similarity J: how much of two masks overlaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def jaccard(intersection_px: int, union_px: int) -> float:
    """Intersection over union of two masks from their counts; an empty union counts 1."""
    return 1.0 if union_px == 0 else intersection_px / union_px


def region_similarity(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """J of one pair of masks, bool (H, W).

    Source: Perazzi et al., A Benchmark Dataset and Evaluation Methodology for Video Object
    Segmentation, CVPR 2016, section 4.
    """
    intersection_px = int(np.count_nonzero(truth & predicted))
    return jaccard(intersection_px, int(np.count_nonzero(truth | predicted)))
