"""The competition between objects."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vosbench.baselines.ttvos.aggregate import aggregate

EPS = 1e-7
MAPS = arrays(
    np.float64,
    array_shapes(min_dims=3, max_dims=3, max_side=4),
    elements=st.floats(0, 1, allow_nan=False),
)


@given(MAPS)
@settings(max_examples=60, deadline=None)
def test_shares_are_odds_over_their_sum(p: np.ndarray) -> None:
    p_fg, p_bg = np.clip(p, EPS, 1 - EPS), np.clip(1 - p, EPS, 1 - EPS)
    b = p_bg.min(axis=0, keepdims=True)
    odds = np.concatenate([b / (1 - b), p_fg / p_bg])
    shares = odds / odds.sum(axis=0)
    competed = aggregate(torch.from_numpy(p))
    np.testing.assert_allclose(competed.masks.numpy(), shares[1:], rtol=1e-12)
    np.testing.assert_array_equal(competed.winner.numpy(), shares.argmax(axis=0))


def test_tie_goes_to_the_lower_index() -> None:
    competed = aggregate(torch.full((3, 1, 1), 0.9))
    assert competed.winner.item() == 1
    assert aggregate(torch.full((1, 1, 1), 0.5)).winner.item() == 0


def test_a_given_mask_owns_exactly_its_pixels() -> None:
    mask = torch.zeros(6, 8)
    mask[2:4, 3:6] = 1
    old = torch.full((6, 8), 0.999).masked_fill(mask.bool(), 0.0)
    winner = aggregate(torch.stack((old, mask))).winner
    assert torch.equal(winner == 2, mask.bool())
    assert torch.equal(winner == 1, ~mask.bool())


def test_255_objects_keep_their_index() -> None:
    p = torch.zeros(255, 15, 17)
    p.view(255, -1)[torch.arange(255), torch.arange(255)] = 0.9
    assert torch.equal(aggregate(p).winner.flatten(), torch.arange(1, 256))
