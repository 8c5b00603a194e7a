"""The gate's pooling: torch's, and one whose gradient a GPU gives alike each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from vosbench.baselines.frtm.reuse import Gate


@pytest.fixture
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def outcome(gate: Gate) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    d = torch.randn(2, 8, 13, 22, requires_grad=True)
    logits = gate(d)
    logits.square().sum().backward()
    assert d.grad is not None
    return logits.detach(), d.grad


def test_the_repeatable_pooling_is_the_usual_one(
    deterministic: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(8).eval()
    gathered: list[int] = []
    gather = torch.Tensor.gather
    monkeypatch.setattr(
        torch.Tensor, "gather", lambda x, *a: (gathered.append(1), gather(x, *a))[1]
    )
    repeatable = outcome(gate)
    assert len(gathered) == 2
    torch.use_deterministic_algorithms(False)
    for one, other in zip(repeatable, outcome(gate), strict=True):
        torch.testing.assert_close(one, other)
    assert len(gathered) == 2
