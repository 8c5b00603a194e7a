from __future__ import annotations

import numpy as np
import pytest
import torch
from training_toys import moment

from vosbench.baselines.errors import InputError
from vosbench.harness.training.data.encoding import EncodedClip
from vosbench.harness.training.data.windows import CropWindow, Windows
from vosbench.harness.training.frtm.steps import _weights, draw_pairs

ROWS, COLUMNS = 4, 7


def _places(scale: int) -> torch.Tensor:
    """Each value says which cell it lies in."""
    cells = torch.arange(ROWS * COLUMNS, dtype=torch.float32).view(ROWS, COLUMNS)
    return cells.repeat_interleave(scale, 0).repeat_interleave(scale, 1).expand(2, 1, -1, -1)


CLIP = EncodedClip(*map(_places, (8, 4, 2, 1, 2, 32)))


def test_a_window_shows_the_same_cells_at_every_level() -> None:
    cut = CropWindow(1, 2, 2, 3, mirrored=False).clip(CLIP)
    expected = torch.tensor([[9.0, 10, 11], [16, 17, 18]])
    for level in (*cut.levels, cut.scores, cut.masks):
        height, width = level.shape[-2:]
        assert torch.equal(level[0, 0, :: height // 2, :: width // 3], expected)
    mirrored = CropWindow(1, 2, 2, 3, mirrored=True).clip(CLIP)
    assert torch.equal(mirrored.f32[0, 0], expected.flip(-1))


def test_a_window_holds_a_part_of_the_object_and_reaches_everywhere() -> None:
    mask = torch.zeros(1, ROWS * 32, COLUMNS * 32)
    mask[0, 70:75, 100:110] = 1  # in cell (2, 3)
    drawn = [Windows((2, 3), mirror=True).draw(mask, np.random.default_rng(i)) for i in range(60)]
    assert all(w.top <= 2 < w.top + 2 and w.left <= 3 < w.left + 3 for w in drawn)
    assert {(w.top, w.left) for w in drawn} == {(t, x) for t in (1, 2) for x in (1, 2, 3)}
    assert {w.mirrored for w in drawn} == {False, True}
    empty = [Windows((1, 1)).draw(mask * 0, np.random.default_rng(i)) for i in range(200)]
    assert len({(w.top, w.left) for w in empty}) == ROWS * COLUMNS


def test_a_window_that_does_not_fit_is_bad_input() -> None:
    with pytest.raises(InputError, match="doesn't fit into frames of 4x7 cells"):
        Windows((5, 3)).draw(CLIP.masks[0], np.random.default_rng(0))


def test_pairs_are_cut_alike(toy_pool) -> None:
    rows, columns = (side // 32 for side in toy_pool.masks(0, [0]).shape[-2:])
    windows = Windows((rows - 1, columns - 1), mirror=True)
    drawn = draw_pairs(toy_pool, moment(4, 3), (1,), windows)
    assert drawn.now.masks.shape[-2:] == ((rows - 1) * 32, (columns - 1) * 32)
    # With a gap of one, frame t − 1 is the last full frame.
    assert torch.equal(drawn.before, drawn.last.masks)


def test_focus_weighs_similar_pairs_more_and_one_on_average(toy_pool) -> None:
    drawn = draw_pairs(toy_pool, moment(8, 0), (1, 2, 3))
    equal, focused = _weights(drawn, 0.0), _weights(drawn, 2.0)
    torch.testing.assert_close(equal, torch.ones(8))
    assert float(focused.mean()) == pytest.approx(1)
    same, other = drawn.last.masks.flatten(1) > 0.5, drawn.now.masks.flatten(1) > 0.5
    iou = (same & other).sum(1) / (same | other).sum(1)
    assert torch.equal(focused.argsort(), iou.argsort())
