"""Checkpoints of others behind a runner: the same network, or one line; never silent zeros."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import torch

from vosbench.baselines.checkpoints import read_checkpoint
from vosbench.baselines.errors import InputError
from vosbench.harness.cli.remarks import say_how_read
from vosbench.runners.interface import RunnerOptions, WeightsInfo
from vosbench.runners.registry import resolve
from vosbench.runners.shipped import shipped_path

MODEL = "g-frtm-lite"


def built(file: Path | None) -> WeightsInfo:
    options = RunnerOptions(weights=None if file is None else str(file), tau=Decimal("0.7"))
    return resolve(MODEL).build(options).weights


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    shipped = shipped_path(MODEL, None)
    assert shipped is not None
    return dict(read_checkpoint(shipped).tensors)


def test_a_wrapped_checkpoint_is_the_same_network_and_says_how_it_was_read(
    tensors: dict[str, torch.Tensor], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "theirs.pth"
    torch.save({"net": {f"module.{key}": value for key, value in tensors.items()}}, file)
    weights = built(file)
    assert weights.sha256 == built(None).sha256
    say_how_read((weights, weights))
    assert capsys.readouterr().err == (
        "vosbench: theirs.pth: read the weights under 'net', keys without the prefix 'module.'\n"
    )


def test_weights_that_are_no_numbers_never_run(
    tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    key = next(key for key in tensors if key.startswith("refiner.") and tensors[key].dim() > 1)
    tensors[key] = torch.full_like(tensors[key], float("nan"))
    torch.save(tensors, tmp_path / "diverged.pth")
    with pytest.raises(InputError, match="NaN or infinity"):
        built(tmp_path / "diverged.pth")
