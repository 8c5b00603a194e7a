"""A model whose output is no number: its masks mean nothing, and the result says so."""

from __future__ import annotations

import math

import numpy as np
import torch

from vosbench.harness.datasets import registry
from vosbench.harness.evaluate.accuracy import Evaluation, evaluate_clip
from vosbench.harness.evaluate.notes import remarks
from vosbench.harness.metrics import TruthCache
from vosbench.harness.trials import ClipResult
from vosbench.runners.interface import ClipInfo, Precision, RunnerOptions, Walk
from vosbench.runners.network_runner import NetworkRunner
from vosbench.runners.policies import Never
from vosbench.runners.registry import resolve


def evaluated(poison: float) -> tuple[dict[str, str], ClipResult]:
    """Remarks and result of a few frames, with a number added to the last layer's bias."""
    selection = registry.open("motion").select(["still"], 4)
    runner = resolve("frtm-lite").build(RunnerOptions(weights="random:0"))
    assert isinstance(runner, NetworkRunner)
    for name, tensor in runner.network.named_parameters():
        if name == "refiner.project.conv2.bias":
            tensor.data += poison
    runner.load(torch.device("cpu"), Precision.FLOAT32)

    def begin(info: ClipInfo) -> Walk:
        return runner.walk(info, (Never(),))

    how = Evaluation(selection.dataset, torch.device("cpu"), TruthCache())
    (clip,) = selection.clips
    (result,) = evaluate_clip(begin, 1, clip, how, lambda: None)
    return remarks(selection, [result]), result


def test_nan_in_the_output_is_said_with_the_result() -> None:
    found, result = evaluated(math.nan)
    assert result.metrics["frames_not_finite"] == 3
    assert "NaN or infinity in the model's output" in found["remarks"]
    assert found["remarks"].endswith("mean nothing: still")


def test_numbers_are_not_remarked_on() -> None:
    found, result = evaluated(0.0)
    assert "frames_not_finite" not in result.metrics
    assert "NaN" not in found.get("remarks", "")
    assert np.isfinite(result.metrics["j_mean"])
