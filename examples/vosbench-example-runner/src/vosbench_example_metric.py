"""A metric for VOSBench: how far the centre of a mask lies from where it should be."""

import numpy as np
from vosbench.harness.metric import Better, Metric


def centre_distance(frames):
    distances = [
        np.linalg.norm(np.argwhere(true).mean(0) - np.argwhere(predicted).mean(0))
        for true, predicted in frames
        if true.any() and predicted.any()
    ]
    return np.mean(distances) if distances else np.nan


CENTRE = Metric(
    "example_centre_px", "centre", Better.DOWN, unit="px", tolerance="1", compute=centre_distance
)
