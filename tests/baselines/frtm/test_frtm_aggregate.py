"""Objects competing for pixels, by hand."""

from __future__ import annotations

import pytest
import torch

from vosbench.baselines.frtm.aggregate import aggregate


def column(*probabilities: float) -> torch.Tensor:
    """One pixel of several objects, (N, 1, 1)."""
    return torch.tensor(probabilities, dtype=torch.float64).view(-1, 1, 1)


def softmax(*odds: float) -> list[float]:
    return torch.softmax(torch.tensor(odds, dtype=torch.float64), 0).tolist()


@pytest.mark.parametrize(("p", "winner"), [(0.9, 1), (0.51, 1), (0.49, 0), (0.0, 0), (1.0, 1)])
def test_one_object_wins_above_one_half(p: float, winner: int) -> None:
    found = aggregate(column(p))
    assert int(found.winner) == winner
    assert (float(found.masks) > 0) == (winner == 1)


def test_shares_are_the_softmax_of_odds() -> None:
    found = aggregate(column(0.7, 0.6))
    shares = softmax(0.3 / 0.7, 0.7 / 0.3, 0.6 / 0.4)  # the background doubts the 0.7 least
    assert found.masks.flatten().tolist() == pytest.approx([shares[1], 0])
    assert shares[1] > 0.5
    assert int(found.winner) == 1


def test_a_share_of_at_most_one_half_goes_to_the_background() -> None:
    """The best of several may still be a minority; its soft mask stays."""
    found = aggregate(column(0.55, 0.54, 0.53))
    shares = softmax(0.45 / 0.55, 0.55 / 0.45, 0.54 / 0.46, 0.53 / 0.47)
    assert max(shares) == shares[1] < 0.5
    assert int(found.winner) == 0
    assert found.masks.flatten().tolist() == pytest.approx([shares[1], 0, 0])


def test_a_late_object_owns_its_pixels() -> None:
    """Others are set to 0 there, and the given mask is 1: it wins, they get nothing."""
    found = aggregate(column(0.0, 1.0))
    assert int(found.winner) == 2
    assert found.masks.flatten().tolist() == pytest.approx([0, 1])


def test_masks_never_overlap() -> None:
    p = torch.rand((4, 9, 11), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = aggregate(p)
    assert int((found.masks > 0).sum(0).max()) <= 1
    for i in range(4):
        assert (found.masks[i][found.winner == i + 1] > 0.5).all()
