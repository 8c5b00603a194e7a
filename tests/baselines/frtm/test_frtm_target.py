"""The target model: its memory rule, when it learns, and the whole against the plain form."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vosbench.baselines.arithmetic import as_described
from vosbench.baselines.frtm.samples import Samples, pixel_weights
from vosbench.baselines.frtm.target import (
    Memory,
    TargetConfig,
    TargetModel,
    first_weights,
    fit,
    initial_weights,
    misfit,
    scores,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
from plain_frtm import PlainTarget

CONFIG = TargetConfig(
    joint_steps=(3, 4), filter_iterations=4, channels=3, capacity=6, learning_rate=0.1, every=2
)
SIZE, LARGE = (4, 6), (60, 90)


def draw(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def blob(top: int, left: int) -> Tensor:
    mask = torch.zeros(LARGE, dtype=torch.float64)
    mask[top : top + 25, left : left + 30] = 1
    return mask


def fitted(config: TargetConfig = CONFIG) -> TargetModel:
    start = initial_weights(config, 5, 0, torch.zeros((), dtype=torch.float64))
    return fit(config, start, draw(1, 3, 5, *SIZE), torch.stack([blob(5, 9 * i) for i in range(3)]))


def sample(value: float) -> Samples:
    x = torch.full((1, 1, 1), value, dtype=torch.float64)
    return Samples(x, x, x, (1, 1))


def test_initial_weights_of_the_memory() -> None:
    weights = fitted().memory.weights
    expected = torch.tensor([2, 1, 1, 0, 0, 0], dtype=torch.float64) / 4
    torch.testing.assert_close(weights, expected)


def test_memory_slots_by_hand() -> None:
    """Empty slots first, then the least weight; a new weight is the last one's over 1 − lr."""
    weights = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)
    memory = Memory((sample(0), sample(1), sample(2)), weights)
    memory = memory.with_sample(sample(3), 0.1)
    first = torch.tensor([0.5 / 0.9, 0.25 / 0.9, 0.25 / 0.9, 0.1], dtype=torch.float64)
    first = first / first.sum()
    torch.testing.assert_close(memory.weights, first)
    assert (memory.latest, len(memory.slots)) == (3, 4)

    later = memory.with_sample(sample(4), 0.1)
    second = first.clone()
    second[3] = first[3] / 0.9  # the slot just written weighs least, and is written again
    torch.testing.assert_close(later.weights, second / second.sum())
    assert later.latest == 3
    assert [float(slot.x) for slot in later.slots] == [0, 1, 2, 4]
    assert [float(slot.x) for slot in memory.slots] == [0, 1, 2, 3]  # the past is untouched


def test_a_full_memory_stays_full() -> None:
    model = fitted()
    for t in range(12):
        model = model.scored().updated(draw(20 + t, 1, 5, *SIZE), 0.9 * blob(3, 4 * t))
        assert len(model.memory.slots) == min(3 + t + 1, CONFIG.capacity)
        assert float(model.memory.weights.sum()) == pytest.approx(1)


def test_a_frame_with_under_ten_pixels_teaches_nothing() -> None:
    model = replace(fitted(), classified=2)
    mask = torch.zeros(LARGE, dtype=torch.float64)
    mask[0, :9] = 0.9
    assert model.updated(draw(3, 1, 5, *SIZE), mask) is model
    mask[0, 9] = 0.9
    assert len(model.updated(draw(3, 1, 5, *SIZE), mask).memory.slots) == 4


def test_the_filter_learns_at_multiples_only() -> None:
    model = fitted()
    f16, mask = draw(3, 1, 5, *SIZE), 0.9 * blob(10, 10)
    assert torch.equal(replace(model, classified=1).updated(f16, mask).kernel, model.kernel)
    assert not torch.equal(replace(model, classified=2).updated(f16, mask).kernel, model.kernel)


def test_the_whole_equals_the_plain_form_with_autograd() -> None:
    """Fit, five updates through a full memory, and scores, in float64."""
    start = initial_weights(CONFIG, 5, 0, torch.zeros((), dtype=torch.float64))
    f16, masks = draw(1, 3, 5, *SIZE), torch.stack([blob(5, 9 * i) for i in range(3)])
    ours, plain = fit(CONFIG, start, f16, masks), PlainTarget(CONFIG, start, f16, masks)
    for t in range(5):
        query, soft = draw(40 + t, 1, 5, *SIZE), 0.9 * blob(3 * t, 8 * t)
        torch.testing.assert_close(ours.score(query), plain.score(query), rtol=1e-8, atol=1e-8)
        ours, plain.classified = ours.scored(), plain.classified + 1
        ours = ours.updated(query, soft)
        plain.update(query, soft)
    torch.testing.assert_close(ours.kernel, plain.kernel.view_as(ours.kernel), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(ours.memory.weights, plain.weights)


def test_several_frames_are_scored_at_once() -> None:
    """As training encodes a clip; also where operations are counted."""
    model, frames = fitted(), draw(7, 4, 5, *SIZE)
    each = torch.cat([model.score(frame[None]) for frame in frames])
    assert each.shape == (4, 1, *SIZE)
    torch.testing.assert_close(model.score(frames), each)
    both = scores((model, model.optimised()), frames)
    assert both.shape == (2, 4, *SIZE)
    with as_described():
        torch.testing.assert_close(model.score(frames), each)
        torch.testing.assert_close(scores((model, model.optimised()), frames), both)


def test_starting_values_depend_on_the_seed_alone() -> None:
    like = torch.zeros((), dtype=torch.float32)
    one, again, other = (initial_weights(CONFIG, 5, seed, like) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])
    assert one[0].dtype == torch.float32
    assert float(one[0].abs().max()) <= 5**-0.5


def test_the_misfit_is_what_the_fit_lowers() -> None:
    """Against the quadratic form at 1/16 that the optimiser works with."""
    f16, masks = draw(1, 3, 5, *SIZE), torch.stack([blob(5, 9 * i) for i in range(3)])
    model = fitted()
    start = initial_weights(CONFIG, 5, 0, f16)
    problem = Samples.of(f16, masks, pixel_weights(masks))
    score = problem.score(model.project.t() @ model.kernel)
    weights = first_weights(masks)
    form = (score * (problem.apply_normal(score) - 2 * problem.moment)).sum(dim=1)
    constant = (pixel_weights(masks) * masks).sum(dim=(1, 2))
    expected = float((weights * (form + constant)).sum())
    assert misfit(model, f16, masks) == pytest.approx(expected, rel=1e-9)
    unfitted = replace(model, project=start[0], kernel=start[1])
    assert expected < misfit(unfitted, f16, masks)
